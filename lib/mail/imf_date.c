/* SPDX-License-Identifier: ISC */
#include "mail/imf.h"

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* Days of the proleptic Gregorian calendar (Howard Hinnant's formula). */
int64_t
imf_days(int year, int month, int day)
{
	int64_t y = month <= 2 ? (int64_t)year - 1 : year, era, yoe, doy, doe;

	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

int
imf_month(struct str name)
{
	int i;

	if (name.n < 3)
		return 0;
	for (i = 0; i < 12; i++)
		if (str_ieq(str_head(name, 3), str_mem(months + i * 3, 3)))
			return i + 1;
	return 0;
}

static int
number(struct str s, int max)
{
	uint64_t v;

	return str_u64(s, (uint64_t)max, &v) < 0 ? -1 : (int)v;
}

/* RFC 5322 4.3 */
static int
year_of(struct str s)
{
	int y = number(s, 9999);

	if (y < 0 || s.n < 2)
		return -1;
	if (s.n == 2)
		return y < 50 ? y + 2000 : y + 1900;
	return s.n == 3 ? y + 1900 : y;
}

/* Seconds east of Greenwich. */
static int
zone_of(struct str s)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = { { "EST", -5 }, { "EDT", -4 }, { "CST", -6 },
		      { "CDT", -5 }, { "MST", -7 }, { "MDT", -6 },
		      { "PST", -8 }, { "PDT", -7 } };
	size_t i;
	int v;

	if (s.n == 5 && (s.p[0] == '+' || s.p[0] == '-')) {
		v = number(str_from(s, 1), 9999);
		if (v < 0)
			return 0;
		v = v / 100 * 3600 + v % 100 * 60;
		return s.p[0] == '-' ? -v : v;
	}
	for (i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (str_ieq(s, str_of(zones[i].name)))
			return zones[i].hours * 3600;
	return 0;
}

/* HH:MM[:SS]; the seconds, or -1. */
static int
time_of(struct str s)
{
	struct str h, m;
	int hour, minute, second = 0;

	if (!str_cut(&s, ':', &h))
		return -1;
	if (str_cut(&s, ':', &m))
		second = number(s, 60);
	else
		m = s;
	hour = number(h, 23);
	minute = number(m, 59);
	if (hour < 0 || minute < 0 || second < 0)
		return -1;
	return hour * 3600 + minute * 60 + second;
}

int
imf_date(struct str value, int64_t *day, int64_t *moment)
{
	struct str rest = value, tok;
	int mday, month, year, secs;

	/* The name of the day, with or without its comma. */
	if (!str_token(&rest, " \t\r\n,", &tok))
		return -1;
	if (tok.p[0] < '0' || tok.p[0] > '9')
		if (!str_token(&rest, " \t\r\n,", &tok))
			return -1;
	mday = number(tok, 31);
	if (!str_token(&rest, " \t\r\n", &tok))
		return -1;
	month = imf_month(tok);
	if (!str_token(&rest, " \t\r\n", &tok))
		return -1;
	year = year_of(tok);
	if (mday < 1 || month < 1 || year < 0)
		return -1;
	*day = imf_days(year, month, mday);
	secs = str_token(&rest, " \t\r\n", &tok) ? time_of(tok) : 0;
	*moment = *day * 86400 + (secs > 0 ? secs : 0);
	if (str_token(&rest, " \t\r\n", &tok))
		*moment -= zone_of(tok);
	return 0;
}
