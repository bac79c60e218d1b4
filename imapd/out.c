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
imap_put_flags(struct buf *b, uint8_t flags, bool recent)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} rows[] = { { IMAP_ANSWERED, "\\Answered " },
		     { IMAP_FLAGGED, "\\Flagged " },
		     { IMAP_DELETED, "\\Deleted " },
		     { IMAP_SEEN, "\\Seen " },
		     { IMAP_DRAFT, "\\Draft " } };
	size_t i, start = b->n;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (flags & rows[i].flag)
			buf_add_c(b, rows[i].name);
	if (recent)
		buf_add_c(b, "\\Recent ");
	if (b->n > start)
		b->n--;
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
