/* SPDX-License-Identifier: ISC */
#include "mail/imf.h"
#include "session.h"

enum { QUOTED_MAX = 1000 };

/* Bytes from the start that need no look, eight at a time: printable ASCII
 * without '"' and '\\'. */
static size_t
count_plain(struct str s)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
	uint64_t v, quote, slash;
	size_t i;

	for (i = 0; i + 8 <= s.n; i += 8) {
		memcpy(&v, s.p + i, 8);
		quote = v ^ ones * '"';
		slash = v ^ ones * '\\';
		/* A byte borrows if it is 0 (below ' '): a wrong "not plain"
		 * beside it costs nothing but time. */
		if (((v - ones * ' ') | (v + ones) | (quote - ones) |
		     (slash - ones) | v) &
		    tops)
			break;
	}
	return i;
}

/* How many bytes need a backslash; -1: not as a quoted string. */
static int
count_quoted(struct str s)
{
	bool odd = false;
	int n = 0;
	size_t i;

	if (s.n > QUOTED_MAX)
		return -1;
	for (i = count_plain(s); i < s.n; i++) {
		odd |= (unsigned char)s.p[i] - 0x20u > 0x5eu;
		n += s.p[i] == '"' || s.p[i] == '\\';
	}
	return odd ? -1 : n;
}

static void
put_literal(struct buf *b, struct str s)
{
	char *p, *end;

	buf_add_byte(b, '{');
	buf_add_u64(b, s.n);
	buf_add_c(b, "}\r\n");
	if (buf_add_str(b, s) < 0 || s.n == 0)
		return;
	end = b->p + b->n;
	p = end - s.n;
	while ((p = memchr(p, '\0', (size_t)(end - p))))
		*p = (char)0x80; /* RFC 3501 9: no NUL in CHAR8 */
}

void
imap_put_string(struct buf *b, struct str s)
{
	int quoted = count_quoted(s);
	size_t i;
	char *to;

	if (quoted < 0) {
		put_literal(b, s);
		return;
	}
	to = buf_reserve(b, s.n + (size_t)quoted + 2);
	if (!to)
		return;
	*to++ = '"';
	if (quoted == 0 && s.n) {
		memcpy(to, s.p, s.n);
		to += s.n;
	} else {
		for (i = 0; i < s.n; i++) {
			if (s.p[i] == '"' || s.p[i] == '\\')
				*to++ = '\\';
			*to++ = s.p[i];
		}
	}
	*to = '"';
	b->n += s.n + (size_t)quoted + 2;
}

void
imap_put_nstring(struct buf *b, struct str s)
{
	if (s.p)
		imap_put_string(b, s);
	else
		buf_add_c(b, "NIL");
}

void
imap_put_mailbox(struct buf *b, struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' ||
		    (unsigned char)s.p[i] > '~' || strchr("(){%*\"\\]", s.p[i]))
			break;
	if (s.n == 0 || i < s.n || str_ieq(s, STR("NIL")))
		imap_put_string(b, s);
	else
		buf_add_str(b, s);
}

void
imap_put_range(struct buf *b, uint32_t lo, uint32_t hi)
{
	buf_add_u64(b, lo);
	if (hi == lo)
		return;
	buf_add_byte(b, ':');
	buf_add_u64(b, hi);
}

void
imap_set_text_init(struct imap_set_text *t)
{
	*t = (struct imap_set_text){ 0 };
	buf_init(&t->text, IMAP_REPLY_MAX / 2 - 1000);
}

void
imap_set_text_fini(struct imap_set_text *t)
{
	buf_fini(&t->text);
}

static void
put_last(struct imap_set_text *t)
{
	if (!t->lo)
		return;
	if (t->text.n)
		buf_add_byte(&t->text, ',');
	imap_put_range(&t->text, t->lo, t->hi);
}

void
imap_set_text_add(struct imap_set_text *t, uint32_t lo, uint32_t hi)
{
	if (!t->lo || lo != t->hi + 1) {
		put_last(t);
		t->lo = lo;
	}
	t->hi = hi;
}

struct str
imap_set_text_end(struct imap_set_text *t)
{
	put_last(t);
	t->lo = 0;
	return buf_overflown(&t->text) ? STR_NULL : str_of(buf_cstr(&t->text));
}

static void
put_2(char *to, int64_t v)
{
	to[0] = (char)('0' + v / 10);
	to[1] = (char)('0' + v % 10);
}

void
imap_put_date_time(struct buf *b, int64_t t)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char text[] = "\"dd-Mon-yyyy hh:mm:ss +0000\"";
	int64_t day, sec, era, doe, yoe, doy, mp, year;

	/* Years of four digits (RFC 3501 9). */
	if (t < imf_days(0, 1, 1) * 86400 || t >= imf_days(10000, 1, 1) * 86400)
		t = 0;
	day = t / 86400 - (t % 86400 < 0);
	sec = t - day * 86400;
	/* Howard Hinnant's formula, back from imf_days(). */
	day += 719468;
	era = (day >= 0 ? day : day - 146096) / 146097;
	doe = day - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	year = yoe + era * 400 + (mp >= 10);
	put_2(text + 1, doy - (153 * mp + 2) / 5 + 1);
	memcpy(text + 4, months + 3 * ((mp + 2) % 12), 3);
	put_2(text + 8, year / 100);
	put_2(text + 10, year % 100);
	put_2(text + 13, sec / 3600);
	put_2(text + 16, sec / 60 % 60);
	put_2(text + 19, sec % 60);
	buf_add(b, text, sizeof(text) - 1);
}
