/* SPDX-License-Identifier: ISC */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/date.h"

static bool
plain_zone(const char *zone)
{
	size_t n = zone ? strspn(zone, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789+-")
			: 0;

	return n > 0 && n <= 10 && zone[n] == '\0';
}

const char *
date_format_tm(char text[DATE_TEXT_MAX], const struct tm *tm)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	long off = labs(tm->tm_gmtoff) / 60; /* minutes: RFC 5322 has no more */
	bool zone = plain_zone(tm->tm_zone);

	snprintf(text, DATE_TEXT_MAX,
		 "%.3s, %d %.3s %04d %02d:%02d:%02d %c%02ld%02ld%s%s%s",
		 days + 3 * (tm->tm_wday % 7), tm->tm_mday,
		 months + 3 * (tm->tm_mon % 12), tm->tm_year + 1900,
		 tm->tm_hour, tm->tm_min, tm->tm_sec,
		 tm->tm_gmtoff < 0 ? '-' : '+', off / 60 % 100, off % 60,
		 zone ? " (" : "", zone ? tm->tm_zone : "", zone ? ")" : "");
	return text;
}

const char *
date_format(char text[DATE_TEXT_MAX], time_t when)
{
	struct tm tm;

	if (!localtime_r(&when, &tm))
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70, .tm_wday = 4 };
	return date_format_tm(text, &tm);
}
