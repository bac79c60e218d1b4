/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/path.h"

/* want: the envelope form; NULL: refused; "8": refused as not ASCII. */
struct row {
	const char *in, *want;
	unsigned flags;
	const char *marks; /* r source route, l literal, % routing, 8 UTF-8 */
};

static const struct row rows[] = {
	{ "<alice@own.test>", "alice@own.test", 0, "" },
	{ "<Alice@Own.Test>", "Alice@Own.Test", 0, "" },
	{ "<>", "", PATH_NULL_OK, "" },
	{ "<>", NULL, 0, "" },
	{ "< >", NULL, PATH_NULL_OK, "" },
	{ "<postmaster>", "postmaster", 0, "" },
	{ " <a@b.test>", "a@b.test", 0, "" },
	{ " <a@b.test>", NULL, PATH_STRICT, "" },
	{ "a@b.test", "a@b.test", 0, "" },
	{ "a@b.test", NULL, PATH_STRICT, "" },
	{ "<a@b.test", NULL, 0, "" },
	{ "<a@b.test>x", NULL, 0, "" },
	{ "<a@b.test> SIZE=1", "a@b.test", 0, "" },
	{ "<a b@b.test>", NULL, 0, "" },
	{ "<a@>", NULL, 0, "" },
	{ "<@b.test>", NULL, 0, "" },
	{ "<a@b..test>", NULL, 0, "" },
	{ "<a@.test>", NULL, 0, "" },
	{ "<a@b.test.>", NULL, 0, "" },
	{ "<a@-b.test>", NULL, 0, "" },
	{ "<a@b-.test>", NULL, 0, "" },
	{ "<a@b_c.test>", "a@b_c.test", 0, "" },
	{ "<a@b@c.test>", NULL, 0, "" },
	/* RFC 5321 4.1.2 Quoted-string: undone where needless */
	{ "<\"alice\"@b.test>", "alice@b.test", 0, "" },
	{ "<\"a b\"@b.test>", "\"a b\"@b.test", 0, "" },
	{ "<\"a\\b\"@b.test>", "ab@b.test", 0, "" },
	{ "<\"a\\\"b\"@b.test>", "\"a\\\"b\"@b.test", 0, "" },
	{ "<\"a\\\\b\"@b.test>", "\"a\\\\b\"@b.test", 0, "" },
	{ "<\"a@b\"@c.test>", "\"a@b\"@c.test", 0, "%" },
	{ "<\"a.b\"@c.test>", "a.b@c.test", 0, "" },
	{ "<a..b@c.test>", "\"a..b\"@c.test", 0, "" },
	{ "<.a@c.test>", "\".a\"@c.test", 0, "" },
	{ "<\"\"@c.test>", NULL, 0, "" },
	{ "<\"a@c.test>", NULL, 0, "" },
	{ "<\"a\\", NULL, 0, "" },
	{ "<\"a\tb\"@c.test>", NULL, 0, "" },
	/* appendix C: source routes are ignored */
	{ "<@a.test:u@b.test>", "u@b.test", 0, "r" },
	{ "<@a.test,@c.test:u@b.test>", "u@b.test", 0, "r" },
	{ "<@a.test,c.test:u@b.test>", NULL, 0, "" },
	{ "<@a.test:>", NULL, 0, "" },
	/* plain characters of a local part, but noticed */
	{ "<u%a.test@b.test>", "u%a.test@b.test", 0, "%" },
	{ "<a.test!u@b.test>", "a.test!u@b.test", 0, "%" },
	{ "<a.test!u>", "a.test!u", 0, "%" },
	/* 4.1.3 address literals */
	{ "<u@[192.0.2.1]>", "u@[192.0.2.1]", 0, "l" },
	{ "<u@[IPv6:2001:db8::1]>", "u@[IPv6:2001:db8::1]", 0, "l" },
	{ "<u@[2001:db8::1]>", NULL, 0, "" },
	{ "<u@[192.0.2.256]>", NULL, 0, "" },
	{ "<u@[x-tag:y]>", NULL, 0, "" },
	{ "<u@[192.0.2.1>", NULL, 0, "" },
	/* RFC 6531: not without SMTPUTF8 */
	{ "<\xc3\xa9@b.test>", "8", 0, "" },
	{ "<a\xc3\xa9@b.test>", "8", 0, "" },
	{ "<\"\xc3\xa9\"@b.test>", "8", 0, "" },
	{ "<a@b\xc3\xa9.test>", "8", 0, "" },
	{ "<a\x7f@b.test>", "8", 0, "" },
	{ "<\xc3\xa9@b.test>", "\xc3\xa9@b.test", PATH_UTF8, "8" },
	{ "<\"\xc3\xa9\"@b.test>", "\xc3\xa9@b.test", PATH_UTF8, "8" },
	{ "<\"\xc3\xa9 a\"@b.test>", "\"\xc3\xa9 a\"@b.test", PATH_UTF8, "8" },
	{ "<a@b\xc3\xa9.\xe2\x82\xac>", "a@b\xc3\xa9.\xe2\x82\xac", PATH_UTF8,
	  "8" },
	{ "<a@b.test>", "a@b.test", PATH_UTF8, "" },
	{ "<\xc3@b.test>", NULL, PATH_UTF8, "" },
	{ "<\xc0\xaf@b.test>", NULL, PATH_UTF8, "" },
	{ "<\xed\xa0\x80@b.test>", NULL, PATH_UTF8, "" },
	{ "<\xc2\x85@b.test>", NULL, PATH_UTF8, "" },
	{ "<a@\xff>", NULL, PATH_UTF8, "" },
	{ "<a\x7f@b.test>", NULL, PATH_UTF8, "" },
	{ "", NULL, 0, "" },
	{ "<", NULL, 0, "" },
};

static void
test_rows(void **state)
{
	struct str in;
	struct path p;
	enum path_result r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *w = &rows[i];

		print_message("%s\n", w->in);
		in = str_of(w->in);
		r = path_parse(&in, w->flags, &p, NULL);
		if (!w->want || strcmp(w->want, "8") == 0) {
			assert_int_equal(r,
					 w->want ? PATH_NOT_ASCII : PATH_BAD);
			continue;
		}
		assert_int_equal(r, PATH_OK);
		assert_string_equal(p.text, w->want);
		assert_int_equal(p.n, strlen(w->want));
		assert_int_equal(p.source_route, strchr(w->marks, 'r') != NULL);
		assert_int_equal(p.literal, strchr(w->marks, 'l') != NULL);
		assert_int_equal(p.routing, strchr(w->marks, '%') != NULL);
		assert_int_equal(p.utf8, strchr(w->marks, '8') != NULL);
	}
}

static void
test_parts(void **state)
{
	struct str in = STR("<\"a b\"@c.test>");
	struct path p;

	(void)state;
	assert_int_equal(path_parse(&in, 0, &p, NULL), PATH_OK);
	assert_true(str_eq(path_local(&p), STR("\"a b\"")));
	assert_true(str_eq(path_domain(&p), STR("c.test")));
	in = STR("<bob>");
	assert_int_equal(path_parse(&in, 0, &p, NULL), PATH_OK);
	assert_int_equal(path_domain(&p).n, 0);
	assert_int_equal(path_add_domain(&p, STR("own.test")), 0);
	assert_string_equal(p.text, "bob@own.test");
	assert_int_equal(path_add_domain(&p, STR("own.test")), -1);
}

/* Lengths at and beyond the limits. */
static void
test_limits(void **state)
{
	char text[1024];
	struct path p;
	struct str in;
	size_t n;

	(void)state;
	for (n = PATH_LOCAL_MAX - 2; n < PATH_LOCAL_MAX + 3; n++) {
		memset(text, 'x', sizeof(text));
		snprintf(text + n, sizeof(text) - n, "@b.test");
		in = str_of(text);
		assert_int_equal(path_parse(&in, 0, &p, NULL),
				 n <= PATH_LOCAL_MAX ? PATH_OK : PATH_BAD);
		/* The same in need of quotes. */
		memset(text, 'x', sizeof(text));
		text[0] = '"';
		text[1] = ' ';
		snprintf(text + n - 1, sizeof(text) - n, "\"@b.test");
		in = str_of(text);
		assert_int_equal(path_parse(&in, 0, &p, NULL),
				 n <= PATH_LOCAL_MAX ? PATH_OK : PATH_BAD);
	}
	memset(text, 'x', sizeof(text));
	for (n = 0; n < 5; n++)
		text[n * 51 + 50] = '.';
	assert_true(path_is_domain(str_mem(text, 254)));
	assert_false(path_is_domain(str_mem(text, 257)));
	memset(text, 'x', 64);
	assert_true(path_is_domain(str_mem(text, 63)));
	assert_false(path_is_domain(str_mem(text, 64)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
