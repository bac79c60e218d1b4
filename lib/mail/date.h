/* SPDX-License-Identifier: ISC */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include <stdint.h>
#include <time.h>

/*
 * "Sun, 22 Nov 2026 02:14:02 +0000 (UTC)": RFC 5322 3.3 date-time in the
 * process's time zone, with the zone's name as a comment if it is plain
 * letters, digits, '+' or '-'.  The daemon has called tzset() before its jail.
 */
enum { DATE_TEXT_MAX = 64 };

const char *date_format(char text[DATE_TEXT_MAX], time_t when);
/* The same from broken-down local time (tm_gmtoff, tm_zone are used). */
const char *date_format_tm(char text[DATE_TEXT_MAX], const struct tm *tm);

#endif
