/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "mail/utf8.h"
#include "store/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* First line: charset; second: needle; the rest: a header's value and a body,
 * in each encoding. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = str_mem(data, n), charset, needle;
	struct text_find f;
	struct text_body b;
	struct buf out;
	int e;

	if (!str_cut(&rest, '\n', &charset) || !str_cut(&rest, '\n', &needle))
		return 0;
	buf_init(&out, 10 * n + 100);
	text_decode_header(&out, rest);
	BUG_ON(!utf8_is_valid(buf_str(&out)));
	if (text_find_init(&f, needle) == 0) {
		(void)text_find_utf8(&f, buf_str(&out));
		for (e = TEXT_PLAIN; e <= TEXT_QP; e++) {
			text_body_init(&b, &f, (enum text_encoding)e, charset);
			text_body_feed(&b, str_head(rest, n / 3));
			text_body_feed(&b, str_from(rest, n / 3));
			text_body_fini(&b);
		}
		text_find_fini(&f);
	}
	buf_fini(&out);
	return 0;
}
