/* SPDX-License-Identifier: ISC */
#include "base/unit.h"
#include "store/netname.h"

/* RFC 5198 2, RFC 9051 5.1 */
static void
test_normalize(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "cafe\xcc\x81", "caf\xc3\xa9" },
		{ "A\xcc\x8a\xcc\xa3", "\xe1\xba\xa0\xcc\x8a" },
		{ "\xe2\x84\xab", "\xc3\x85" }, /* ANGSTROM SIGN */
		{ "\xe1\x84\x80\xe1\x85\xa1", "\xea\xb0\x80" }, /* Hangul */
		{ "\xf0\x9f\x90\x8e", "\xf0\x9f\x90\x8e" },
		{ "\xef\xac\x81",
		  "\xef\xac\x81" }, /* no NFKC: a ligature stays */
		{ "a\xe2\x80\xa8z", NULL },
		{ "\xe2\x80\xa9", NULL },
		{ "\xc3", NULL },
		{ "\xed\xa0\x80", NULL },
		{ "\xc0\xaf", NULL },
	};
	struct buf b, small;
	size_t i;

	(void)state;
	buf_init(&b, 100);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&b);
		if (!rows[i].want) {
			assert_int_equal(
				netname_normalize(&b, str_of(rows[i].in)), -1);
			assert_int_equal(b.n, 0);
			continue;
		}
		assert_int_equal(netname_normalize(&b, str_of(rows[i].in)), 0);
		assert_string_equal(buf_cstr(&b), rows[i].want);
	}
	buf_init(&small, 3);
	assert_int_equal(netname_normalize(&small, STR("\xc3\xa9\xc3\xa9")),
			 -1);
	assert_int_equal(small.n, 0);
	buf_fini(&small);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normalize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
