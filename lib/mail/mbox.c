/* SPDX-License-Identifier: ISC */
#include "mail/mbox.h"

#include <time.h>

/* As MAILDIR_FLAG() of store/maildir.h for upper-case letters. */
#define FLAG(letter) (1ull << ((letter) - 'A'))

/* --- From_ ---------------------------------------------------------------- */

/* 0-based place of a three-letter name in a list of them; -1. */
static int
name_of(struct str word, const char *names)
{
	ptrdiff_t i;

	if (word.n != 3)
		return -1;
	i = str_search(str_of(names), word);
	return i >= 0 && i % 3 == 0 ? (int)(i / 3) : -1;
}

static bool
number(struct str s, unsigned max, int *out)
{
	uint64_t v;

	if (str_u64(s, max, &v) < 0)
		return false;
	*out = (int)v;
	return true;
}

/* hh:mm[:ss] */
static bool
clock_of(struct str word, struct tm *tm)
{
	struct str hour, min;

	if (!str_cut(&word, ':', &hour) || !number(hour, 23, &tm->tm_hour))
		return false;
	if (!str_cut(&word, ':', &min))
		return number(word, 59, &tm->tm_min);
	return number(min, 59, &tm->tm_min) && number(word, 60, &tm->tm_sec);
}

/* "+0100": seconds east of UTC. */
static bool
zone_of(struct str word, int64_t *east)
{
	int v;

	if (word.n != 5 || (word.p[0] != '+' && word.p[0] != '-') ||
	    !number(str_from(word, 1), 9999, &v))
		return false;
	*east = (v / 100 * 60 + v % 100) * 60;
	if (word.p[0] == '-')
		*east = -*east;
	return true;
}

/* "Mmm dd hh:mm[:ss] [zone] yyyy [zone]" */
static bool
date_of(struct str rest, int64_t *t)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { .tm_mon = -1 };
	struct str word;
	int64_t east = 0;
	int year = 0, words;

	if (str_token(&rest, " ", &word))
		tm.tm_mon = name_of(word, months);
	if (tm.tm_mon < 0 || !str_token(&rest, " ", &word) ||
	    !number(word, 31, &tm.tm_mday) || tm.tm_mday == 0 ||
	    !str_token(&rest, " ", &word) || !clock_of(word, &tm))
		return false;
	for (words = 0; words < 3 && str_token(&rest, " \t\r", &word); words++)
		if (!zone_of(word, &east) && word.n == 4 && !year)
			(void)!number(word, 9999, &year);
	if (year < 1900 || str_token(&rest, " \t\r", &word))
		return false;
	tm.tm_year = year - 1900;
	*t = (int64_t)timegm(&tm) - east;
	return true;
}

bool
mbox_from_line(struct str line, int64_t *t)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	struct str rest, word;

	if (!str_starts(line, STR("From ")) || line.n > MBOX_LINE_MAX)
		return false;
	/* The address may have anything in it: the date says what it is. */
	rest = str_from(line, 5);
	while (str_token(&rest, " \t", &word))
		if (name_of(word, days) >= 0 && date_of(rest, t))
			return true;
	return false;
}

/* --- headers -------------------------------------------------------------- */

static uint32_t
u32_of(struct str s)
{
	uint64_t v;

	return str_u64(str_trim(s), UINT32_MAX - 1, &v) < 0 ? 0 : (uint32_t)v;
}

static void
add_keywords(struct str value, struct buf *keywords)
{
	struct str word;

	while (str_token(&value, " \t\r\n", &word)) {
		buf_add_str(keywords, word);
		buf_add_byte(keywords, ' ');
	}
}

static void
status(struct str value, struct mbox_info *info)
{
	size_t i;

	for (i = 0; i < value.n; i++)
		if (value.p[i] == 'R')
			info->flags |= FLAG('S');
		else if (value.p[i] == 'O')
			info->old = true;
}

static void
x_status(struct str value, struct mbox_info *info)
{
	static const char from[] = "AFDT", to[] = "RFTD";
	const char *at;
	size_t i;

	for (i = 0; i < value.n; i++)
		if (value.p[i] && (at = strchr(from, value.p[i])))
			info->flags |= FLAG(to[at - from]);
}

/* "<uidvalidity> <last uid> <keyword>..." */
static void
base(struct str value, struct mbox_info *info)
{
	struct str word;

	if (str_token(&value, " \t\r", &word))
		info->uidvalidity = u32_of(word);
	if (str_token(&value, " \t\r", &word))
		info->last_uid = u32_of(word);
}

bool
mbox_header_line(struct str line, enum mbox_field *last, struct mbox_info *info,
		 struct buf *keywords)
{
	struct str name, value = line;
	int64_t length;

	if (line.n && (line.p[0] == ' ' || line.p[0] == '\t')) {
		if (*last == MBOX_KEYWORDS)
			add_keywords(line, keywords);
		return *last != MBOX_NONE;
	}
	*last = MBOX_NONE;
	if (!str_cut(&value, ':', &name))
		return false;
	if (str_ieq(name, STR("Status"))) {
		status(value, info);
	} else if (str_ieq(name, STR("X-Status"))) {
		x_status(value, info);
	} else if (str_ieq(name, STR("X-UID"))) {
		info->uid = u32_of(value);
	} else if (str_ieq(name, STR("X-IMAPbase"))) {
		base(value, info);
	} else if (str_ieq(name, STR("X-IMAP"))) {
		base(value, info);
		info->internal = true;
	} else if (str_ieq(name, STR("Content-Length"))) {
		length = -1;
		if (str_u64(str_trim(value), INT64_MAX, (uint64_t *)&length) ==
		    0)
			info->length = length;
	} else if (str_ieq(name, STR("X-Keywords"))) {
		add_keywords(value, keywords);
		*last = MBOX_KEYWORDS;
		return true;
	} else {
		return false;
	}
	*last = MBOX_OTHER;
	return true;
}
