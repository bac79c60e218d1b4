/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <time.h>

#include "base/unit.h"
#include "format.h"

static const struct log_sender smtpd = { "posthouse", "smtpd", 42, false };
static const struct log_sender alone = { "dovecot", "imapd", 42, true };
static const uint64_t noon = 1795348800u * 1000000ull + 7; /* 2026-11-22 */

static void
lines(void **state)
{
	static const struct {
		struct log_record r;
		const char *text, *json;
	} rows[] = {
		{ { LOG_INFO_, { "A1", 2 }, { "from=<a>", 8 } },
		  "Nov 22 12:00:00 h posthouse/smtpd[42]: A1: from=<a>\n",
		  "{\"time\":\"2026-11-22T12:00:00.000007Z\",\"instance\":"
		  "\"posthouse\",\"program\":\"smtpd\",\"pid\":42,\"level\":"
		  "\"info\",\"queue_id\":\"A1\",\"message\":\"from=<a>\"}\n" },
		{ { LOG_WARN_, { "", 0 }, { "a\nb\"\\", 5 } },
		  "Nov 22 12:00:00 h posthouse/smtpd[42]: warning: a?b\"\\\n",
		  "{\"time\":\"2026-11-22T12:00:00.000007Z\",\"instance\":"
		  "\"posthouse\",\"program\":\"smtpd\",\"pid\":42,\"level\":"
		  "\"warning\",\"message\":\"a\\u000ab\\\"\\\\\"}\n" },
		{ { LOG_ERROR_, { "", 0 }, { "\xc3\xa4\xff", 3 } },
		  "Nov 22 12:00:00 h posthouse/smtpd[42]: error: "
		  "\xc3\xa4\xff\n",
		  "{\"time\":\"2026-11-22T12:00:00.000007Z\",\"instance\":"
		  "\"posthouse\",\"program\":\"smtpd\",\"pid\":42,\"level\":"
		  "\"error\",\"message\":\"\xc3\xa4\xef\xbf\xbd\"}\n" },
	};
	struct buf out;
	size_t i;

	(void)state;
	buf_init(&out, 4096);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&out);
		format_text(&out, &smtpd, &rows[i].r, noon, "h");
		assert_string_equal(buf_cstr(&out), rows[i].text);
		buf_reset(&out);
		format_json(&out, &smtpd, &rows[i].r, noon);
		assert_string_equal(buf_cstr(&out), rows[i].json);
	}
	buf_reset(&out);
	format_syslog(&out, &smtpd, &rows[1].r, noon);
	assert_string_equal(buf_cstr(&out), "<20>Nov 22 12:00:00 posthouse/"
					    "smtpd[42]: warning: a?b\"\\");
	buf_reset(&out);
	format_text(&out, &alone, &rows[1].r, noon, "h");
	assert_string_equal(
		buf_cstr(&out),
		"Nov 22 12:00:00 h dovecot[42]: warning: a?b\"\\\n");
	buf_fini(&out);
}

static void
records(void **state)
{
	char two[] = "\x05\0\1\2IDx" /* info, id "ID", text "x" */
		     "\x02\0\2\0";   /* warning, nothing */
	struct str s = str_mem(two, sizeof(two) - 1);
	struct log_record r;
	bool malformed;

	(void)state;
	assert_true(format_next(&s, &r, &malformed));
	assert_true(str_eq(r.id, STR("ID")) && str_eq(r.text, STR("x")));
	assert_true(format_next(&s, &r, &malformed));
	assert_int_equal(r.level, LOG_WARN_);
	assert_false(format_next(&s, &r, &malformed));
	assert_false(malformed);
	two[0] = 99; /* longer than the frame */
	s = str_mem(two, sizeof(two) - 1);
	assert_false(format_next(&s, &r, &malformed));
	assert_true(malformed);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(records),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
