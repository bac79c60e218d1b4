/* SPDX-License-Identifier: ISC */
#include "format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct log_sender sender = { "posthouse", "smtpd", 1,
						  false };
	struct str s = str_mem(data, n);
	struct log_record r;
	struct buf out;
	bool malformed;

	buf_init(&out, 1 << 20);
	while (format_next(&s, &r, &malformed)) {
		buf_reset(&out);
		format_text(&out, &sender, &r, 0, "h");
		/* One record is one line, whatever it holds. */
		if (!buf_overflown(&out) &&
		    str_find(buf_str(&out), '\n') != (ptrdiff_t)out.n - 1)
			__builtin_trap();
		buf_reset(&out);
		format_json(&out, &sender, &r, 0);
		if (!buf_overflown(&out) &&
		    str_find(buf_str(&out), '\n') != (ptrdiff_t)out.n - 1)
			__builtin_trap();
	}
	buf_fini(&out);
	return 0;
}
