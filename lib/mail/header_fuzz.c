/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Scanning and iterating agree; scanning in steps gives the same. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_mem(data, size), rest = s;
	struct header_scan h, g;
	enum header_result r, q = HEADER_MORE;
	struct header_field f;
	unsigned fields = 0;
	size_t n;

	header_scan_init(&h, 200, 1000);
	r = header_scan(&h, s, true);
	BUG_ON(r == HEADER_MORE || h.at > size || h.id_at + h.id_n > size);
	header_scan_init(&g, 200, 1000);
	for (n = 0; q == HEADER_MORE && n < size; n++)
		q = header_scan(&g, str_head(s, n), false);
	if (q == HEADER_MORE)
		q = header_scan(&g, s, true);
	BUG_ON(q != r);
	if (r == HEADER_TOO_LONG)
		return 0;
	BUG_ON(g.at != h.at || g.fields != h.fields ||
	       g.received != h.received);
	while (header_next(&rest, &f))
		fields++;
	BUG_ON(fields != h.fields || s.n - rest.n != h.at);
	return 0;
}
