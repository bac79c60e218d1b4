/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/users_file.h"

#define HASH "$6$saltsalt$abcdefghijklmnop"

static void
show(char *out, size_t size, struct str line)
{
	struct users_line u;
	struct err err;
	int rc = users_line_parse(line, &u, &err);

	if (rc > 0)
		snprintf(out, size, "nothing");
	else if (rc < 0)
		snprintf(out, size, "bad: %s", err.text);
	else
		snprintf(out, size, "%.*s|%.*s|%ld|%ld|%.*s|%.*s",
			 STR_FMT(u.user), STR_FMT(u.hash),
			 u.uid == USERS_NO_ID ? -1L : (long)u.uid,
			 u.gid == USERS_NO_ID ? -1L : (long)u.gid,
			 STR_FMT(u.home), STR_FMT(u.extra));
}

static void
test_lines(void **state)
{
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{ "comment", "# hello", "nothing" },
		{ "empty", "", "nothing" },
		{ "blank", "  \t", "nothing" },
		{ "whole",
		  "a@b.test:{CRYPT}" HASH ":500:501:g:/home/a:/bin/sh:x=1",
		  "a@b.test|" HASH "|500|501|/home/a|x=1" },
		{ "bare hash", "a:" HASH, "a|" HASH "|-1|-1||" },
		{ "lower-case scheme",
		  "a:{crypt}" HASH "::::/m/a::", "a|" HASH "|-1|-1|/m/a|" },
		{ "sha512", "a:{SHA512-CRYPT}" HASH, "a|" HASH "|-1|-1||" },
		{ "bcrypt", "a:{BLF-CRYPT}$2b$05$abcdefghijklmnopqrstuu",
		  "a|$2b$05$abcdefghijklmnopqrstuu|-1|-1||" },
		{ "colon in extra", "a:" HASH "::::::proxy=y host=[::1]:143",
		  "a|" HASH "|-1|-1||proxy=y host=[::1]:143" },
		{ "locked", "a:!:1:1::/h", "a||1|1|/h|" },
		{ "locked hash", "a:*" HASH ":1:1::/h", "a||1|1|/h|" },
		{ "no password field", "a", "a||-1|-1||" },
		{ "plain", "a:{PLAIN}secret",
		  "bad: the password is plain text: want a crypt(3) hash" },
		{ "cleartext", "a:{CLEARTEXT}secret",
		  "bad: the password is plain text: want a crypt(3) hash" },
		{ "other scheme", "a:{MD5}secret",
		  "bad: unknown password scheme: want {CRYPT}" },
		{ "unclosed scheme", "a:{CRYPT" HASH,
		  "bad: unknown password scheme: want {CRYPT}" },
		{ "bare word", "a:secret",
		  "bad: the password is not a crypt(3) hash that begins "
		  "with \"$\"" },
		{ "DES", "a:{CRYPT}abJnggxhB/yWI",
		  "bad: the password is not a crypt(3) hash that begins "
		  "with \"$\"" },
		{ "blank in hash", "a:$6$salt sa$abc",
		  "bad: the password is not a well-formed crypt(3) hash" },
		{ "short hash", "a:$6$",
		  "bad: the password is not a well-formed crypt(3) hash" },
		{ "uid not a number", "a:" HASH ":x:1",
		  "bad: uid: want a number" },
		{ "uid -1", "a:" HASH ":4294967295:1",
		  "bad: uid: want a number" },
		{ "uid alone",
		  "a:" HASH ":5:", "bad: uid without gid, or gid without uid" },
		{ "home relative", "a:" HASH ":::g:home",
		  "bad: home: want an absolute path" },
		{ "home dots", "a:" HASH ":::g:/a/../b",
		  "bad: home: \".\" and \"..\" may not stand in it" },
		{ "home dot dir is fine", "a:" HASH ":::g:/a/.b",
		  "a|" HASH "|-1|-1|/a/.b|" },
		{ "slash", "../a:" HASH, "bad: this cannot be a user's name" },
		{ "no name", ":" HASH, "bad: this cannot be a user's name" },
		{ "CR", "a:" HASH "\r", "bad: a CR at the end of the line" },
	};
	char got[400];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		show(got, sizeof(got), str_of(rows[i].in));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got %s, want %s", rows[i].name, got,
				 rows[i].want);
	}
}

static void
test_names(void **state)
{
	static const struct {
		const char *in;
		bool want;
	} rows[] = {
		{ "alice", true },
		{ "alice@posthouse.test", true },
		{ "a.b+c@x-y.test", true },
		{ "j\xc3\xb6rg@x.test", true },
		{ "", false },
		{ "@x.test", false },
		{ "a@", false },
		{ "a@b@c", false },
		{ ".a@x.test", false },
		{ "a@.x", false },
		{ "a/b@x.test", false },
		{ "a@../x", false },
		{ "a b@x.test", false },
		{ "a:b@x.test", false },
		{ "a\"b@x.test", false },
		{ "a>b@x.test", false },
		{ "a\x7f@x.test", false },
		{ "a\xc3@x.test", false },
		{ "a\xc0\xae@x", false },
		{ "a\n@x.test", false },
	};
	char longest[USERS_NAME_MAX + 1];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (users_name_ok(str_of(rows[i].in)) != rows[i].want)
			fail_msg("%s", rows[i].in);
	memset(longest, 'a', sizeof(longest));
	assert_true(users_name_ok(str_mem(longest, USERS_NAME_MAX)));
	assert_false(users_name_ok(str_mem(longest, USERS_NAME_MAX + 1)));
	assert_false(users_name_ok(str_mem("a\0b", 3)));
}

static void
test_passwd_and_extra(void **state)
{
	struct users_line u;
	struct err err;

	(void)state;
	assert_int_equal(
		users_passwd_parse(
			STR("joe:x:1000:1001:Joe,,,:/home/joe:/bin/bash"), &u,
			&err),
		0);
	assert_int_equal(u.uid, 1000);
	assert_int_equal(u.gid, 1001);
	assert_int_equal(u.hash.n, 0);
	assert_true(str_eq(u.home, STR("/home/joe")));
	assert_int_equal(users_passwd_parse(STR("joe:x:::::"), &u, &err), -1);

	assert_int_equal(
		users_line_parse(STR("a:" HASH "::::::one=1 mail=x=y two"), &u,
				 &err),
		0);
	assert_true(str_eq(users_line_extra(&u, "mail"), STR("x=y")));
	assert_null(users_line_extra(&u, "two").p);
	assert_null(users_line_extra(&u, "on").p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_passwd_and_extra),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
