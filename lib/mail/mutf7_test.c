/* SPDX-License-Identifier: ISC */
#include "base/unit.h"
#include "mail/mutf7.h"
#include "mail/utf8.h"

/* RFC 3501 5.1.3 */
static void
test_both_ways(void **state)
{
	static const struct {
		const char *mutf7, *utf8;
	} rows[] = {
		{ "", "" },
		{ "INBOX", "INBOX" },
		{ "a&-b", "a&b" },
		{ "&-&-", "&&" },
		{ "Entw&APw-rfe", "Entw\xc3\xbcrfe" },
		{ "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
		  "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
		  "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
		{ "&2Dzf9A-", "\xf0\x9f\x8f\xb4" },
	};
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 200);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&b);
		assert_int_equal(mutf7_decode(&b, str_of(rows[i].mutf7)), 0);
		assert_string_equal(buf_cstr(&b), rows[i].utf8);
		buf_reset(&b);
		assert_int_equal(mutf7_encode(&b, str_of(rows[i].utf8)), 0);
		assert_string_equal(buf_cstr(&b), rows[i].mutf7);
	}
	buf_fini(&b);
}

static void
test_refused(void **state)
{
	static const char *const rows[] = {
		"&",	    "a&b",
		"&Jjo",	    "&Jjo!",
		"&AGE-",    "&U,BTFw-&ZeVnLIqe-", /* two shifts in a row */
		"&2Dw-",    "&3cI-",
		"&AAA-",    /* half a pair, NUL */
		"&U,BTFx-", /* bits left over */
		"\x7f",	    "a\tb",
		"\xc3\xbc", "&APw",
		"&JjoA-",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (mutf7_is_valid(str_of(rows[i])))
			fail_msg("%s was taken", rows[i]);
}

static void
test_utf8(void **state)
{
	static const char *const bad[] = {
		"\x80",		"\xc0\x80",	    "\xe0\x80\x80",
		"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff",
		"\xc3",		"\xe2\x82"
	};
	struct str s = STR("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
	size_t i;

	(void)state;
	assert_int_equal(utf8_next(&s), 'a');
	assert_int_equal(utf8_next(&s), 0xfc);
	assert_int_equal(utf8_next(&s), 0x20ac);
	assert_int_equal(utf8_next(&s), 0x1f600);
	assert_int_equal(s.n, 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_is_valid(str_of(bad[i])));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
