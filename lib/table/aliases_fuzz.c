/* SPDX-License-Identifier: ISC */
#include "table/addresses.h"
#include "table/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* aliases(5), and the list of addresses in each value: items hold no control
 * characters and are not longer than allowed, and every walk ends. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum dest_kind kind;
	struct text_walk w;
	struct text_row row;
	struct buf item;
	struct err err;
	struct str rest;
	size_t i;
	int rc;

	buf_init(&item, 512);
	text_init(&w, str_mem(data, size));
	while ((rc = text_row(&w, TEXT_ALIASES, &row, &err)) != 0) {
		if (rc < 0)
			continue;
		BUG_ON(row.key.n == 0 || row.value.n == 0);
		rest = row.value;
		while (addresses_next(&rest, &item, &kind)) {
			BUG_ON(item.n > 512);
			if (kind == DEST_BAD)
				continue;
			BUG_ON(item.n == 0);
			for (i = 0; i < item.n; i++)
				BUG_ON((unsigned char)item.p[i] < 0x20);
		}
	}
	text_fini(&w);
	buf_fini(&item);
	return 0;
}
