/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

#include "net/line.h"

/* RFC 5321 2.3.8: only CR LF ends a line; limit 8 here. */
static void
test_rows(void **state)
{
	static const struct {
		struct str in;
		enum line_result want;
		const char *line;
		size_t used;
	} rows[] = {
		{ { "", 0 }, LINE_MORE, "", 0 },
		{ { "ab", 2 }, LINE_MORE, "", 0 },
		{ { "ab\r", 3 }, LINE_MORE, "", 0 },
		{ { "ab\r\n", 4 }, LINE_OK, "ab", 4 },
		{ { "\r\n", 2 }, LINE_OK, "", 2 },
		{ { "ab\r\ncd\r\n", 8 }, LINE_OK, "ab", 4 },
		{ { "ab\n", 3 }, LINE_BARE, "", 3 },
		{ { "\n", 1 }, LINE_BARE, "", 1 },
		{ { "ab\rc\r\n", 6 }, LINE_BARE, "", 3 },
		{ { "ab\rc", 4 }, LINE_BARE, "", 3 },
		{ { "ab\r\r\n", 5 }, LINE_BARE, "", 3 },
		{ { "ab\nc\r\n", 6 }, LINE_BARE, "", 3 },
		{ { "a\0b\r\n", 5 }, LINE_NUL, "a\0b", 5 },
		{ { "123456\r\n", 8 }, LINE_OK, "123456", 8 },
		{ { "1234567\r\n", 9 }, LINE_TOO_LONG, "", 0 },
		{ { "1234567\r", 8 }, LINE_TOO_LONG, "", 0 },
		{ { "12345678", 8 }, LINE_TOO_LONG, "", 0 },
		{ { "12345678\n", 9 }, LINE_TOO_LONG, "", 0 },
		{ { "1234567", 7 }, LINE_MORE, "", 0 },
	};
	struct str line;
	size_t i, used;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum line_result rc = line_get(rows[i].in, 8, &line, &used);

		if (rc != rows[i].want || used != rows[i].used)
			fail_msg("row %zu: %d, used %zu", i, rc, used);
		if (rc == LINE_OK)
			assert_true(str_eq(line, str_of(rows[i].line)));
		if (rc == LINE_NUL)
			assert_int_equal(line.n, 3);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
