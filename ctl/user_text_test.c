/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/users_file.h"
#include "user_text.h"

enum { TEXT_MAX = 1000 };

static void
test_users(void **state)
{
	static const struct {
		const char *name, *text, *user, *line, *want;
	} rows[] = {
		{ "into nothing", "", "a", "a:1", "a:1\n" },
		{ "at the end", "# x\nb:2\n", "a", "a:1", "# x\nb:2\na:1\n" },
		{ "no LF before", "b:2", "a", "a:1", "b:2\na:1\n" },
		{ "in its place", "a:0\nb:2\n", "A", "a:1", "a:1\nb:2\n" },
		{ "twice", "a:0\nb:2\na:9\n", "a", "a:1", "a:1\nb:2\n" },
		{ "away", "a:0\nb:2\nA:3\n", "a", NULL, "b:2\n" },
		{ "away, not there", "aa:0\n#a:1\n", "a", NULL,
		  "aa:0\n#a:1\n" },
	};
	struct buf out;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&out, TEXT_MAX);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&out);
		assert_int_equal(users_text_set(str_of(rows[i].text),
						str_of(rows[i].user),
						str_of(rows[i].line), &out,
						&err),
				 0);
		if (!str_eq(buf_str(&out), str_of(rows[i].want)))
			fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
	}
	buf_fini(&out);
}

static void
test_password(void **state)
{
	static const struct {
		const char *line, *keys, *want;
	} rows[] = {
		{ "a:old:1:2:g:/h:/s:x=y:z", "", "a:new:1:2:g:/h:/s:x=y:z" },
		{ "a:old", "", "a:new:" },
		{ "a", "", "a:new:" },
		{ "a::::::", "", "a:new:::::" },
		{ "a:old", "scram_sha_1=k", "a:new::::::scram_sha_1=k" },
		{ "a:old:1:2:::", "scram_sha_1=k",
		  "a:new:1:2::::scram_sha_1=k" },
		{ "a:old::::/h::scram_sha_1=old x=y scram_sha_256=old",
		  "scram_sha_1=k", "a:new::::/h::x=y scram_sha_1=k" },
		{ "a:old::::/h::scram_sha_1=old", "", "a:new::::/h::" },
	};
	struct buf out;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&out, TEXT_MAX);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&out);
		assert_int_equal(
			users_line_password(str_of(rows[i].line), STR("new"),
					    str_of(rows[i].keys), &out, &err),
			0);
		assert_string_equal(buf_cstr(&out), rows[i].want);
	}
	buf_fini(&out);
}

static void
test_secret(void **state)
{
	struct str secret, line;
	struct buf out;
	struct err err;

	(void)state;
	buf_init(&out, TEXT_MAX);
	assert_int_equal(users_text_secret(STR("a:1\n"), &out, &err), 0);
	line = buf_str(&out);
	assert_true(str_ends(line, STR("\n")));
	line.n--;
	assert_true(users_line_secret(line, &secret));
	buf_reset(&out);
	assert_int_equal(
		users_text_secret(
			STR("a:1\n#secret:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
			    "AAAAAAAA=\n"),
			&out, &err),
		0);
	assert_int_equal(out.n, 0);
	buf_fini(&out);
}

static void
test_map(void **state)
{
	static const struct {
		const char *name, *text, *key, *value, *want;
	} rows[] = {
		{ "into nothing", "", "a@x", "x/a/", "a@x x/a/\n" },
		{ "at the end", "# a@x z\nb@x\tx/b/", "a@x", "x/a/",
		  "# a@x z\nb@x\tx/b/\na@x x/a/\n" },
		{ "in its place", "b@x 1\nA@x  2\nc@x 3\n", "a@x", "x/a/",
		  "b@x 1\na@x x/a/\nc@x 3\n" },
		{ "with continuation", "a@x\n\t2\n  3\n# c\nb@x 1\n", "a@x",
		  "n", "a@x n\n# c\nb@x 1\n" },
		{ "away", "b@x 1\na@x\n 2\n\nc@x 3\n", "a@x", NULL,
		  "b@x 1\n\nc@x 3\n" },
		{ "a continuation is no key", "b@x 1\n a@x 2\n", "a@x", NULL,
		  "b@x 1\n a@x 2\n" },
	};
	struct str value;
	struct buf out;
	struct err err;
	size_t i;

	(void)state;
	buf_init(&out, TEXT_MAX);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&out);
		assert_int_equal(
			map_text_set(str_of(rows[i].text), str_of(rows[i].key),
				     str_of(rows[i].value), &out, &err),
			0);
		if (!str_eq(buf_str(&out), str_of(rows[i].want)))
			fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
	}
	buf_fini(&out);
	assert_true(
		map_text_find(STR("b 1\nA@x  x/a/ \n"), STR("a@x"), &value));
	assert_true(str_eq(value, STR("x/a/")));
	assert_false(map_text_find(STR("#a@x 1\n"), STR("a@x"), &value));
}

static void
test_limit(void **state)
{
	struct buf out;
	struct err err;

	(void)state;
	buf_init(&out, 10);
	assert_int_equal(users_text_set(STR("a:123\nb:456\n"), STR("c"),
					STR("c:7"), &out, &err),
			 -1);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_users),  cmocka_unit_test(test_password),
		cmocka_unit_test(test_secret), cmocka_unit_test(test_map),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
