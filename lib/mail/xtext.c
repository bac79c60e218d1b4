/* SPDX-License-Identifier: ISC */
#include "mail/xtext.h"
#include "base/enc.h"

int
xtext_decode(struct buf *out, struct str in)
{
	size_t i;

	for (i = 0; i < in.n; i++) {
		if (in.p[i] == '+') {
			if (in.n - i < 3 ||
			    enc_unhex(out, str_mem(in.p + i + 1, 2)) < 0)
				return -1;
			i += 2;
		} else if (in.p[i] < '!' || in.p[i] > '~' || in.p[i] == '=' ||
			   buf_add_byte(out, in.p[i]) < 0) {
			return -1;
		}
	}
	return 0;
}

int
xtext_encode(struct buf *out, struct str in)
{
	size_t i;
	char c;

	for (i = 0; i < in.n; i++) {
		c = in.p[i];
		if (c > ' ' && c <= '~' && c != '+' && c != '=')
			(void)!buf_add_byte(out, c);
		else
			(void)!buf_addf(out, "+%02X", (unsigned char)c);
	}
	return buf_overflown(out) ? -1 : 0;
}
