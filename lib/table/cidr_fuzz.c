/* SPDX-License-Identifier: ISC */
#include "table/cidr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first line is an address to look for, the rest the table. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_mem(data, size), key, value;
	struct addr a;
	struct cidr *c;

	if (!str_cut(&in, '\n', &key))
		return 0;
	c = cidr_parse(in, NULL, NULL);
	BUG_ON(!c);
	if (addr_parse(key, &a, NULL) == 0 && cidr_find(c, &a, &value))
		BUG_ON(value.n == 0);
	cidr_free(c);
	return 0;
}
