/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/users_app.h"

/* 32 bytes of digest, 16 of salt; the same with 7 of salt. */
#define HASH        \
	"{SSHA256}" \
	"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"
#define SHORT "{SSHA256}AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUm"

static void
show(char *out, size_t size, const char *line)
{
	struct users_app a;
	struct err err;
	int rc = users_app_parse(str_of(line), &a, &err);

	if (rc > 0)
		snprintf(out, size, "nothing");
	else if (rc < 0)
		snprintf(out, size, "bad: %s", err.text);
	else
		snprintf(out, size, "%.*s|%.*s|%u|%lld|%zu", STR_FMT(a.user),
			 STR_FMT(a.name), a.services, (long long)a.expires,
			 a.salt_n);
}

static void
test_lines(void **state)
{
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{ "all fields", "a@b:my phone:imap,smtp:1900000000:" HASH,
		  "a@b|my phone|5|1900000000|16" },
		{ "all services, for ever", "joe:x:::" HASH, "joe|x|7|-1|16" },
		{ "pop3", "joe:x:pop3:0:" HASH, "joe|x|2|0|16" },
		{ "comment", "#joe:x:::" HASH, "nothing" },
		{ "empty", "", "nothing" },
		{ "blanks", " \t", "nothing" },
		{ "CR", "joe:x:::" HASH "\r",
		  "bad: a CR at the end of the line" },
		{ "fields missing", "joe:x::" HASH,
		  "bad: want user:name:services:expires:password" },
		{ "bad user", "../joe:x:::" HASH,
		  "bad: this cannot be a user's name" },
		{ "no name", "joe::::" HASH,
		  "bad: this cannot be an app password's name" },
		{ "blank in front", "joe: x:::" HASH,
		  "bad: this cannot be an app password's name" },
		{ "control", "joe:x\001:::" HASH,
		  "bad: this cannot be an app password's name" },
		{ "not UTF-8", "joe:x\377:::" HASH,
		  "bad: this cannot be an app password's name" },
		{ "UTF-8", "joe:\303\244:::" HASH, "joe|\303\244|7|-1|16" },
		{ "a comma is not all services", "joe:x:,::" HASH,
		  "bad: services: want imap, pop3, smtp" },
		{ "other service", "joe:x:imap,ftp::" HASH,
		  "bad: services: want imap, pop3, smtp" },
		{ "bad time", "joe:x::soon:" HASH,
		  "bad: expires: want seconds since 1970" },
		{ "negative time", "joe:x::-1:" HASH,
		  "bad: expires: want seconds since 1970" },
		{ "plain text", "joe:x:::secret",
		  "bad: want a password of the scheme {SSHA256}" },
		{ "crypt", "joe:x:::{CRYPT}$6$a$b",
		  "bad: want a password of the scheme {SSHA256}" },
		{ "short salt", "joe:x:::" SHORT,
		  "bad: the password is not a well-formed {SSHA256} hash" },
		{ "more after it", "joe:x:::" HASH ":",
		  "bad: the password is not a well-formed {SSHA256} hash" },
	};
	char got[400];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		show(got, sizeof(got), rows[i].in);
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name, got);
	}
}

static void
test_format(void **state)
{
	static const char *const lines[] = {
		"a@b:my phone:imap,smtp:1900000000:" HASH,
		"joe:x:::" HASH,
		"joe:x:pop3:0:" HASH,
	};
	struct users_app a;
	struct err err;
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		buf_init(&b, 200);
		assert_int_equal(users_app_parse(str_of(lines[i]), &a, &err),
				 0);
		assert_int_equal(users_app_format(&b, &a), 0);
		assert_string_equal(buf_cstr(&b), lines[i]);
		buf_fini(&b);
	}
	buf_init(&b, 50);
	assert_int_equal(users_app_format(&b, &a), -1);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
