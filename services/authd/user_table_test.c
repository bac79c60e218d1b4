/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memfile.h"
#include "user_table.h"
#include "verify.h"

/* crypt("secret") */
#define SHA512                                                         \
	"$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDe" \
	"hy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1"

static struct user_table *
load(const char *text)
{
	struct err err;
	struct user_table *t =
		user_table_new(TABLE_USERS, memfile(text, MEMFILE_SEALS), &err);

	if (!t)
		fail_msg("%s", err.text);
	return t;
}

static void
test_find(void **state)
{
	struct user_table *t = load("# users\n"
				    "Alice@Posthouse.test:$6$a$first\n"
				    "bad line here\n"
				    "plain:{PLAIN}x\n"
				    "unknown:$9z$scheme$hash\n"
				    "alice@posthouse.test:$6$a$second\n"
				    "last:$6$a$b");

	(void)state;
	assert_int_equal(t->by_name.n, 2);
	assert_non_null(user_table_find(t, STR("ALICE@posthouse.TEST")));
	assert_true(str_eq(
		user_table_find(t, STR("alice@posthouse.test"))->line.hash,
		STR("$6$a$first")));
	assert_non_null(user_table_find(t, STR("last")));
	assert_null(user_table_find(t, STR("plain")));
	assert_null(user_table_find(t, STR("unknown")));
	assert_null(user_table_find(t, STR("")));
	user_table_free(t);
}

static void
test_dummy(void **state)
{
	static const struct {
		const char *name, *text, *want;
	} rows[] = {
		{ "nobody", "", "$6$posthouse.nobody$" },
		{ "locked only", "a:!\n", "$6$posthouse.nobody$" },
		{ "majority",
		  "a:$6$sa$x\nb:$y$j9T$sb$x\nc:$y$j9T$sc$x\nd:$1$sd$x\n",
		  "$y$j9T$sb$" },
		{ "cost counts",
		  "a:$6$sa$x\nb:$6$rounds=9000$sb$x\nc:$6$rounds=9000$sc$x\n",
		  "$6$rounds=9000$sb$" },
		{ "bcrypt",
		  "a:$2b$05$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01"
		  "234\n",
		  "$2b$05$abcdefghijklmnopqrstuu" },
	};
	struct user_table *t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		t = load(rows[i].text);
		assert_non_null(t);
		print_message("%s\n", rows[i].name);
		assert_string_equal(t->dummy, rows[i].want);
		/* It must really be hashed with, and fit nothing. */
		assert_false(
			secret_matches(t->dummy_scheme, t->dummy, "secret"));
		assert_false(secret_matches(t->dummy_scheme, t->dummy, ""));
		user_table_free(t);
	}
}

static void
test_refused(void **state)
{
	struct err err;

	(void)state;
	assert_null(
		user_table_new(TABLE_USERS, memfile("a:$6$a$b\n", 0), &err));
	assert_string_equal(err.text, "users file: not sealed");
	assert_null(user_table_new(TABLE_USERS, -1, &err));
}

static void
test_hashes(void **state)
{
	static const struct {
		const char *name, *password, *hash;
		bool want;
	} rows[] = {
		{ "right", "secret", SHA512, true },
		{ "wrong", "Secret", SHA512, false },
		{ "longer", "secretx", SHA512, false },
		{ "empty", "", SHA512, false },
		{ "setting alone", "secret", "$6$saltsalt$", false },
		{ "no such scheme", "secret", "$zz$salt$hash", false },
		{ "failure token", "secret", "*0", false },
		{ "failure token as hash", "x", "*1", false },
		{ "no hash", "", "", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (secret_matches(USERS_CRYPT, rows[i].hash,
				   rows[i].password) != rows[i].want)
			fail_msg("%s", rows[i].name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_dummy),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
