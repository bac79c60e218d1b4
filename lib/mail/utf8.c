/* SPDX-License-Identifier: ISC */
#include "mail/utf8.h"

size_t
utf8_ascii(struct str s)
{
	uint64_t eight;
	size_t n = 0;

	for (; n + 8 <= s.n; n += 8) {
		memcpy(&eight, s.p + n, 8);
		if (eight & 0x8080808080808080u)
			break;
	}
	while (n < s.n && (unsigned char)s.p[n] < 0x80)
		n++;
	return n;
}

int32_t
utf8_next(struct str *s)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s->p;
	size_t more, i;
	uint32_t c;

	if (s->n == 0)
		return -1;
	if (p[0] < 0x80)
		more = 0;
	else if (p[0] >= 0xc2 && p[0] < 0xe0)
		more = 1;
	else if (p[0] >= 0xe0 && p[0] < 0xf0)
		more = 2;
	else if (p[0] >= 0xf0 && p[0] < 0xf5)
		more = 3;
	else
		return -1;
	if (s->n <= more)
		return -1;
	c = more ? p[0] & (0x3fu >> more) : p[0];
	for (i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -1;
	s->p += more + 1;
	s->n -= more + 1;
	return (int32_t)c;
}

bool
utf8_is_valid(struct str s)
{
	while (s.n) {
		s = str_from(s, utf8_ascii(s));
		if (s.n && utf8_next(&s) < 0)
			return false;
	}
	return true;
}

int
utf8_add(struct buf *out, uint32_t c)
{
	char b[4];
	size_t n;

	if (c < 0x80) {
		b[0] = (char)c;
		n = 1;
	} else if (c < 0x800) {
		b[0] = (char)(0xc0 | c >> 6);
		b[1] = (char)(0x80 | (c & 0x3f));
		n = 2;
	} else if (c < 0x10000) {
		b[0] = (char)(0xe0 | c >> 12);
		b[1] = (char)(0x80 | (c >> 6 & 0x3f));
		b[2] = (char)(0x80 | (c & 0x3f));
		n = 3;
	} else {
		b[0] = (char)(0xf0 | c >> 18);
		b[1] = (char)(0x80 | (c >> 12 & 0x3f));
		b[2] = (char)(0x80 | (c >> 6 & 0x3f));
		b[3] = (char)(0x80 | (c & 0x3f));
		n = 4;
	}
	return buf_add(out, b, n);
}

bool
utf8_is_ascii(struct str s)
{
	return utf8_ascii(s) == s.n;
}
