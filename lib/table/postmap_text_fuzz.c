/* SPDX-License-Identifier: ISC */
#include "table/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* postmap(5): every row has a folded key and a value without blanks at its
 * ends, lines only grow, and the walk ends. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text_walk w;
	struct text_row row;
	unsigned last = 0;
	struct err err;
	size_t i;
	int rc;

	text_init(&w, str_mem(data, size));
	while ((rc = text_row(&w, TEXT_POSTMAP, &row, &err)) != 0) {
		BUG_ON(row.line <= last);
		last = row.line;
		if (rc < 0)
			continue;
		BUG_ON(row.key.n == 0 || row.value.n == 0);
		BUG_ON(str_trim(row.value).n != row.value.n);
		for (i = 0; i < row.key.n; i++)
			BUG_ON(row.key.p[i] != ascii_lower(row.key.p[i]) ||
			       row.key.p[i] == '\0');
	}
	text_fini(&w);
	return 0;
}
