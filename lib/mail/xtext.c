/* SPDX-License-Identifier: ISC */
#include "mail/xtext.h"
#include "base/enc.h"
#include "mail/utf8.h"

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

/* The length of "\x{HEX}" at the start of s, or 0. */
static size_t
embedded(struct str s)
{
	size_t i = 3;

	if (!str_starts(s, STR("\\x{")))
		return 0;
	while (i < s.n && i < 9 &&
	       ((s.p[i] >= '0' && s.p[i] <= '9') ||
		(s.p[i] >= 'A' && s.p[i] <= 'F') ||
		(s.p[i] >= 'a' && s.p[i] <= 'f')))
		i++;
	return i > 3 && i < s.n && s.p[i] == '}' ? i + 1 : 0;
}

int
xtext_utf8(struct buf *out, struct str in, bool unitext, bool encoded)
{
	struct str was;
	size_t n;
	int32_t c;

	while (in.n) {
		n = encoded ? embedded(in) : 0;
		if (n) {
			(void)!buf_add(out, in.p, n);
			in = str_from(in, n);
			continue;
		}
		was = in;
		c = utf8_next(&in);
		if (c < 0) {
			in = str_from(in, 1);
			c = '?';
		}
		if (c <= ' ' || c == 127 || c == '\\' || c == '+' || c == '=' ||
		    (c > 127 && (c < 160 || !unitext)))
			(void)!buf_addf(out, "\\x{%X}", (unsigned)c);
		else if (c < 128)
			(void)!buf_add_byte(out, (char)c);
		else
			(void)!buf_add(out, was.p, was.n - in.n);
	}
	return buf_overflown(out) ? -1 : 0;
}
