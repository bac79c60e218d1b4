/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/users_file.h"

#define HASH "$6$saltsalt$abcdefghijklmnop"
/* RFC 7677 3, RFC 5802 5: the password "pencil". */
#define KEYS256                                         \
	"4096,W22ZaJ0SNY7soEsUEjb6gQ==,"                \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define KEYS1                                                 \
	"4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=," \
	"D+CSWLOshSulAsxiupA+qs2/fTE="
#define B64_36 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

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
		  "bad: the password is plain text: want a crypt(3) hash "
		  "or SCRAM keys" },
		{ "cleartext", "a:{CLEARTEXT}secret",
		  "bad: the password is plain text: want a crypt(3) hash "
		  "or SCRAM keys" },
		{ "other scheme", "a:{MD5}secret",
		  "bad: unknown password scheme: want {CRYPT}, {SCRAM-SHA-256} "
		  "or {SCRAM-SHA-1}" },
		{ "unclosed scheme", "a:{CRYPT" HASH,
		  "bad: unknown password scheme: want {CRYPT}, {SCRAM-SHA-256} "
		  "or {SCRAM-SHA-1}" },
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
		{ "SCRAM", "a:{SCRAM-SHA-256}" KEYS256,
		  "a|" KEYS256 "|-1|-1||" },
		{ "SCRAM, lower case", "a:{scram-sha-1}" KEYS1,
		  "a|" KEYS1 "|-1|-1||" },
		{ "locked SCRAM", "a:{SCRAM-SHA-1}!" KEYS1, "a||-1|-1||" },
		{ "SCRAM without a scheme", "a:" KEYS1,
		  "bad: the password is not a crypt(3) hash that begins "
		  "with \"$\"" },
		{ "keys of the other hash", "a:{SCRAM-SHA-256}" KEYS1,
		  "bad: SCRAM keys: a key is not as long as its hash, in "
		  "base64" },
		{ "three parts",
		  "a:{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,"
		  "6dlGYMOdZcOPutkcNY8U2g7vK9Y=",
		  "bad: SCRAM keys: want ITERATIONS,SALT,STOREDKEY,SERVERKEY" },
		{ "five parts", "a:{SCRAM-SHA-1}" KEYS1 ",x",
		  "bad: SCRAM keys: a key is not as long as its hash, in "
		  "base64" },
		{ "too cheap",
		  "a:{SCRAM-SHA-1}4095,QSXCR+Q6sek8bf92,"
		  "6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
		  "bad: SCRAM keys: want 4096 to 1000000 iterations" },
		{ "too dear",
		  "a:{SCRAM-SHA-1}1000001,QSXCR+Q6sek8bf92,"
		  "6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
		  "bad: SCRAM keys: want 4096 to 1000000 iterations" },
		{ "short salt",
		  "a:{SCRAM-SHA-1}4096,QSXCRw==,"
		  "6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
		  "bad: SCRAM keys: want 8 to 32 bytes of salt, in base64" },
		{ "long salt",
		  "a:{SCRAM-SHA-1}4096," B64_36 ","
		  "6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
		  "bad: SCRAM keys: want 8 to 32 bytes of salt, in base64" },
		{ "salt not base64",
		  "a:{SCRAM-SHA-1}4096,QSX!R+Q6sek8bf92,"
		  "6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
		  "bad: SCRAM keys: want 8 to 32 bytes of salt, in base64" },
		{ "keys beside a hash",
		  "a:" HASH "::::::scram_sha_256=" KEYS256
		  " scram_sha_1=" KEYS1,
		  "a|" HASH "|-1|-1||scram_sha_256=" KEYS256
		  " scram_sha_1=" KEYS1 },
		{ "bad keys beside a hash",
		  "a:" HASH "::::::scram_sha_256=" KEYS1,
		  "bad: SCRAM keys: a key is not as long as its hash, in "
		  "base64" },
		{ "twice the same kind",
		  "a:{SCRAM-SHA-1}" KEYS1 "::::::scram_sha_1=" KEYS1,
		  "bad: the same kind of SCRAM keys twice" },
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

static void
test_scram(void **state)
{
	static const struct {
		const char *name, *line;
		size_t salt1, salt256; /* 0: none */
	} rows[] = {
		{ "hash alone", "a:" HASH, 0, 0 },
		{ "256", "a:{SCRAM-SHA-256}" KEYS256, 0, 16 },
		{ "1", "a:{SCRAM-SHA-1}" KEYS1, 12, 0 },
		{ "both",
		  "a:{SCRAM-SHA-256}" KEYS256 "::::::x scram_sha_1=" KEYS1, 12,
		  16 },
		{ "hash and both",
		  "a:" HASH "::::::scram_sha_256=" KEYS256
		  " scram_sha_1=" KEYS1,
		  12, 16 },
		{ "locked", "a:!" HASH "::::::scram_sha_1=" KEYS1, 0, 0 },
		{ "empty", "a:::::::scram_sha_1=" KEYS1, 0, 0 },
	};
	struct users_scram s;
	struct users_line u;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].name);
		assert_int_equal(
			users_line_parse(str_of(rows[i].line), &u, &err), 0);
		s.salt_n = 0;
		assert_int_equal(users_line_scram(&u, USERS_SCRAM_SHA_1, &s),
				 rows[i].salt1 != 0);
		assert_int_equal(s.salt_n, rows[i].salt1);
		s.salt_n = 0;
		assert_int_equal(users_line_scram(&u, USERS_SCRAM_SHA_256, &s),
				 rows[i].salt256 != 0);
		assert_int_equal(s.salt_n, rows[i].salt256);
	}
}

static void
test_secret(void **state)
{
	struct str secret;

	(void)state;
	assert_true(users_line_secret(STR("#secret:" B64_36), &secret));
	assert_true(str_eq(secret, STR(B64_36)));
	assert_false(users_line_secret(STR("# secret:" B64_36), &secret));
	assert_false(
		users_line_secret(STR("#secret:QSXCR+Q6sek8bf92"), &secret));
	assert_false(users_line_secret(STR("#secret:" B64_36 " "), &secret));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_scram),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_passwd_and_extra),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
