/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "mail/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* In any portions the same, and no more than there is room for. */
static void
decode(struct str text, enum transfer encoding, size_t step)
{
	struct transfer_decoder a, b;
	char x[4096], y[4096];
	size_t n = 0, m = 0;
	struct str in, part = STR("");

	transfer_init(&a, encoding);
	transfer_init(&b, encoding);
	text = str_head(text, 1000);
	in = text;
	n = transfer_decode(&a, &in, false, x, sizeof(x));
	BUG_ON(in.n);
	n += transfer_decode(&a, &in, true, x + n, sizeof(x) - n);
	for (in = text; in.n; in = str_from(in, step)) {
		part = str_head(in, step);
		m += transfer_decode(&b, &part, false, y + m, sizeof(y) - m);
		BUG_ON(part.n);
	}
	m += transfer_decode(&b, &part, true, y + m, sizeof(y) - m);
	BUG_ON(n != m || memcmp(x, y, n) != 0 || n > text.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n);
	int e;

	for (e = 0; e < TRANSFERS; e++)
		decode(in, (enum transfer)e, 1 + n % 5);
	return 0;
}
