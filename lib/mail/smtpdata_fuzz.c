/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "mail/smtpdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One piece and many pieces give the same; the end is where the rule says. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step, at = 0, used, n, o = 0, whole;
	struct smtpdata d, e;
	char *a, *b;
	struct str s;
	ptrdiff_t end;

	if (size == 0 || !(a = malloc(size + 2)) || !(b = malloc(size + 2)))
		return 0;
	step = data[0] % 7 + 1;
	memcpy(a, "\r\n", 2);
	memcpy(a + 2, data + 1, size - 1);
	s = str_mem(a, size + 1);
	end = str_search(s, STR("\r\n.\r\n"));
	s = str_from(s, 2);
	smtpdata_init(&d, 100);
	while (at < s.n && !d.done) {
		used = smtpdata_scan(&d, str_head(str_from(s, at), step), b + o,
				     &n);
		BUG_ON(n > used);
		at += used;
		o += n;
	}
	BUG_ON(d.done != (end >= 0));
	if (d.done)
		BUG_ON(at != (size_t)end + 3);
	smtpdata_init(&e, 100);
	used = smtpdata_scan(&e, s, (char *)a + 2, &whole); /* in place */
	BUG_ON(used != at || e.done != d.done || e.faults != d.faults ||
	       e.size != d.size || e.line != d.line);
	if (!e.faults)
		BUG_ON(whole != o || memcmp(a + 2, b, o) != 0);
	free(a);
	free(b);
	return 0;
}
