/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <time.h>

#include "session.h"

enum { QUOTED_MAX = 1000 };

static bool
can_be_quoted(struct str s)
{
	size_t i;

	if (s.n > QUOTED_MAX)
		return false;
	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] > '~')
			return false;
	return true;
}

void
imap_put_string(struct buf *b, struct str s)
{
	size_t i;

	if (!can_be_quoted(s)) {
		buf_addf(b, "{%zu}\r\n", s.n);
		for (i = 0; i < s.n; i++) /* RFC 3501 9: no NUL in CHAR8 */
			buf_add_byte(b, s.p[i] ? s.p[i] : (char)0x80);
		return;
	}
	buf_add_byte(b, '"');
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_byte(b, '\\');
		buf_add_byte(b, s.p[i]);
	}
	buf_add_byte(b, '"');
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

void
imap_put_date_time(struct buf *b, int64_t t)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t when = (time_t)t;
	struct tm tm;

	if (!gmtime_r(&when, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099) {
		when = 0;
		gmtime_r(&when, &tm);
	}
	buf_addf(b, "\"%02d-%.3s-%04d %02d:%02d:%02d +0000\"", tm.tm_mday,
		 months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
		 tm.tm_min, tm.tm_sec);
}
