/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/date.h"
#include "mail/reply.h"

static void
test_reply(void **state)
{
	static const struct {
		unsigned code;
		const char *dsn, *text, *want;
	} rows[] = {
		{ 250, "2.0.0", "Ok", "250 2.0.0 Ok\r\n" },
		{ 354, NULL, "go on", "354 go on\r\n" },
		{ 250, NULL, "a\nb\nc", "250-a\r\n250-b\r\n250 c\r\n" },
		{ 214, "2.0.0", "a\nb", "214-2.0.0 a\r\n214 2.0.0 b\r\n" },
		/* nothing may end a line but the end of the line */
		{ 550, "5.0.0", "a\rb\x7f\xff", "550 5.0.0 a?b??\r\n" },
	};
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&b);
		assert_int_equal(reply_format(&b, rows[i].code, rows[i].dsn,
					      str_of(rows[i].text)),
				 0);
		assert_string_equal(buf_cstr(&b), rows[i].want);
	}
	buf_fini(&b);
}

/* RFC 5321 4.5.3.1.5: at most 512 octets a line. */
static void
test_long(void **state)
{
	char text[2000];
	struct buf b;

	(void)state;
	buf_init(&b, 4000);
	memset(text, 'x', sizeof(text));
	text[1000] = '\n';
	assert_int_equal(
		reply_format(&b, 250, "2.0.0", str_mem(text, sizeof(text))), 0);
	assert_int_equal(b.n, 2 * REPLY_LINE_MAX);
	assert_true(str_ends(buf_str(&b), STR("\r\n")));
	buf_fini(&b);
	buf_init(&b, 100);
	assert_int_equal(
		reply_format(&b, 250, "2.0.0", str_mem(text, sizeof(text))),
		-1);
	buf_fini(&b);
}

static void
test_date(void **state)
{
	char text[DATE_TEXT_MAX];
	struct tm tm = { .tm_year = 126,
			 .tm_mon = 10,
			 .tm_mday = 2,
			 .tm_hour = 3,
			 .tm_min = 4,
			 .tm_sec = 5,
			 .tm_wday = 1,
			 .tm_gmtoff = -12600,
			 .tm_zone = "NST" };

	(void)state;
	assert_string_equal(date_format_tm(text, &tm),
			    "Mon, 2 Nov 2026 03:04:05 -0330 (NST)");
	tm.tm_gmtoff = 20700;
	tm.tm_zone = "+0545";
	assert_string_equal(date_format_tm(text, &tm),
			    "Mon, 2 Nov 2026 03:04:05 +0545 (+0545)");
	tm.tm_zone = "a) b";
	assert_string_equal(date_format_tm(text, &tm),
			    "Mon, 2 Nov 2026 03:04:05 +0545");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reply),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
