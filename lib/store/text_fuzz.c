/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "mail/utf8.h"
#include "store/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Found at once and found in portions is the same. */
static bool
in_body(struct text_scan *f, enum transfer e, struct str charset,
	struct str text, size_t step)
{
	struct text_body b;

	f->needles[0]->found = false;
	text_body_init(&b, f, e, charset);
	for (; text.n; text = str_from(text, step))
		if (!text_body_feed(&b, str_head(text, step)))
			break;
	text_body_fini(&b);
	return f->needles[0]->found;
}

/* First line: charset; second: needle; the rest: a header's value and a body,
 * in each encoding. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = str_mem(data, n), charset, text;
	struct text_needle needle = { 0 }, *needles = &needle;
	struct text_scan f;
	struct buf out, folded;
	bool found;
	int e;

	if (!str_cut(&rest, '\n', &charset) || !str_cut(&rest, '\n', &text))
		return 0;
	buf_init(&out, 100 * n + 200);
	buf_init(&folded, 100 * n + 200);
	text_decode_header(&out, rest);
	BUG_ON(buf_overflown(&out) || !utf8_is_valid(buf_str(&out)));
	if (text_fold_needle(&folded, text) == 0) {
		needle.folded = buf_str(&folded);
		BUG_ON(text_scan_init(&f, &needles, 1) < 0);
		text_scan_utf8(&f, buf_str(&out));
		text_scan_end(&f);
		for (e = TRANSFER_IDENTITY; e <= TRANSFER_QP; e++) {
			found = in_body(&f, (enum transfer)e, charset, rest, n);
			BUG_ON(in_body(&f, (enum transfer)e, charset, rest,
				       n / 3 + 1) != found);
		}
		text_scan_fini(&f);
	}
	buf_fini(&folded);
	buf_fini(&out);
	return 0;
}
