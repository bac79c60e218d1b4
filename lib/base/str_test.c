/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/str.h"

static void
test_compare(void **state)
{
	static const struct {
		struct str a, b;
		int cmp, icmp; /* signs */
	} rows[] = {
		{ { "", 0 }, { NULL, 0 }, 0, 0 },
		{ { "a", 1 }, { "a", 1 }, 0, 0 },
		{ { "a", 1 }, { "A", 1 }, 1, 0 },
		{ { "a", 1 }, { "ab", 2 }, -1, -1 },
		{ { "b", 1 }, { "ab", 2 }, 1, 1 },
		{ { "a\0b", 3 }, { "a\0c", 3 }, -1, -1 },
		{ { "\xff", 1 }, { "a", 1 }, 1, 1 },
		{ { "[", 1 }, { "{", 1 }, -1, -1 },	  /* not letters */
		{ { "\xc4", 1 }, { "\xe4", 1 }, -1, -1 }, /* ASCII only */
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int c = str_cmp(rows[i].a, rows[i].b);
		int ic = str_icmp(rows[i].a, rows[i].b);

		assert_int_equal((c > 0) - (c < 0), rows[i].cmp);
		assert_int_equal((ic > 0) - (ic < 0), rows[i].icmp);
		assert_int_equal(str_eq(rows[i].a, rows[i].b),
				 rows[i].cmp == 0);
		assert_int_equal(str_ieq(rows[i].a, rows[i].b),
				 rows[i].icmp == 0);
	}
}

static void
test_ends(void **state)
{
	struct str s = STR("Hello");

	(void)state;
	assert_true(str_starts(s, STR("He")));
	assert_false(str_starts(s, STR("he")));
	assert_true(str_istarts(s, STR("hE")));
	assert_false(str_starts(s, STR("Hello!")));
	assert_true(str_starts(s, STR("")));
	assert_true(str_ends(s, STR("lo")));
	assert_false(str_ends(s, STR("LO")));
	assert_true(str_iends(s, STR("LO")));
	assert_false(str_ends(STR("o"), STR("lo")));
	assert_true(str_ends(STR_NULL, STR("")));
}

static void
test_find(void **state)
{
	(void)state;
	assert_int_equal(str_find(STR("abcb"), 'b'), 1);
	assert_int_equal(str_rfind(STR("abcb"), 'b'), 3);
	assert_int_equal(str_find(STR("abc"), 'x'), -1);
	assert_int_equal(str_find(STR_NULL, 'x'), -1);
	assert_int_equal(str_rfind(STR_NULL, 'x'), -1);
	assert_int_equal(str_find(STR("a\0b"), 'b'), 2);
	assert_int_equal(str_search(STR("ababc"), STR("abc")), 2);
	assert_int_equal(str_search(STR("ab"), STR("abc")), -1);
	assert_int_equal(str_search(STR("ab"), STR("")), 0);
	assert_int_equal(str_search(STR_NULL, STR("a")), -1);
}

static void
test_parts(void **state)
{
	struct str s = STR("abc"), before = STR("old");

	(void)state;
	assert_true(str_eq(str_from(s, 1), STR("bc")));
	assert_int_equal(str_from(s, 9).n, 0);
	assert_true(str_eq(str_head(s, 2), STR("ab")));
	assert_true(str_eq(str_head(s, 9), s));
	assert_int_equal(str_from(STR_NULL, 3).n, 0);
	assert_true(str_eq(str_trim(STR(" \t\r\n a b \n")), STR("a b")));
	assert_int_equal(str_trim(STR("  ")).n, 0);
	s = STR("key=a=b");
	assert_true(str_cut(&s, '=', &before));
	assert_true(str_eq(before, STR("key")));
	assert_true(str_eq(s, STR("a=b")));
	assert_false(str_cut(&s, '!', &before));
	assert_true(str_eq(s, STR("a=b")));
	assert_true(str_eq(before, STR("key")));
}

static void
test_tokens(void **state)
{
	static const struct {
		struct str in;
		const char *want;
	} rows[] = {
		{ { "", 0 }, "" },
		{ { " , ", 3 }, "" },
		{ { "a", 1 }, "a|" },
		{ { ",a b,,c ", 8 }, "a|b|c|" },
		{ { "a\0b c", 5 }, "a?b|c|" }, /* NUL separates nothing */
	};
	char got[100];
	size_t i, k, n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str rest = rows[i].in, tok;

		n = 0;
		while (str_token(&rest, ", ", &tok)) {
			for (k = 0; k < tok.n; k++)
				got[n++] = tok.p[k] ? tok.p[k] : '?';
			got[n++] = '|';
		}
		got[n] = '\0';
		assert_string_equal(got, rows[i].want);
	}
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *in;
		uint64_t max;
		int rc;
		uint64_t want;
	} rows[] = {
		{ "0", 10, 0, 0 },
		{ "10", 10, 0, 10 },
		{ "11", 10, -1, 0 },
		{ "007", 10, 0, 7 },
		{ "", 10, -1, 0 },
		{ "+1", 10, -1, 0 },
		{ "-1", 10, -1, 0 },
		{ " 1", 10, -1, 0 },
		{ "1x", 10, -1, 0 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, -1, 0 },
		{ "99999999999999999999999", UINT64_MAX, -1, 0 },
	};
	uint64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		v = 0;
		assert_int_equal(str_u64(str_of(rows[i].in), rows[i].max, &v),
				 rows[i].rc);
		assert_int_equal(v, rows[i].want);
	}
}

static void
test_copy(void **state)
{
	char dst[4] = "zzz";

	(void)state;
	assert_true(str_copy(dst, sizeof(dst), STR("abc")));
	assert_string_equal(dst, "abc");
	assert_false(str_copy(dst, sizeof(dst), STR("abcd")));
	assert_string_equal(dst, "");
	assert_false(str_copy(dst, sizeof(dst), STR("a\0b")));
	assert_string_equal(dst, "");
	assert_true(str_copy(dst, sizeof(dst), STR_NULL));
	assert_string_equal(dst, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_find),	cmocka_unit_test(test_parts),
		cmocka_unit_test(test_tokens),	cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
