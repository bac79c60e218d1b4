/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "app_passwords.h"
#include "last_use.h"
#include "memfile.h"

#include <openssl/evp.h>

enum { NOW = 1800000000 };

/* A line for this password. */
static void
add_line(struct buf *b, const char *head, const char *password)
{
	static uint8_t count;
	struct users_app a = { .services = USERS_APP_ALL,
			       .expires = UINT64_MAX,
			       .salt_n = 16 };
	uint8_t text[200];
	struct buf hash;
	size_t n = strlen(password);

	memset(a.salt, ++count, 16);
	memcpy(text, password, n);
	memcpy(text + n, a.salt, 16);
	assert_int_equal(
		EVP_Digest(text, n + 16, a.digest, NULL, EVP_sha256(), NULL),
		1);
	buf_init(&hash, 200);
	assert_int_equal(users_app_format(&hash, &a), 0);
	/* "::::{SSHA256}..." less its four colons, which head has. */
	buf_addf(b, "%s%s\n", head, buf_cstr(&hash) + 4);
	buf_fini(&hash);
}

static struct app_passwords *
load(struct buf *text)
{
	struct err err;
	struct app_passwords *t =
		app_passwords_new(memfile(buf_cstr(text), MEMFILE_SEALS), &err);

	assert_non_null(t);
	buf_fini(text);
	return t;
}

static const char *
try(const struct app_passwords *t, const char *user, unsigned service,
    uint64_t now, const char *password)
{
	static struct app_check c;

	app_passwords_collect(t, str_of(user), service, now, &c);
	return app_check_match(&c, str_of(password));
}

static void
test_check(void **state)
{
	static const struct {
		const char *name, *user;
		unsigned service;
		uint64_t now;
		const char *password, *want;
	} rows[] = {
		{ "good", "alice", USERS_APP_IMAP, NOW, "aaa", "phone" },
		{ "other one", "alice", USERS_APP_SMTP, NOW, "bbb", "send" },
		{ "other service", "alice", USERS_APP_IMAP, NOW, "bbb", NULL },
		{ "either", "alice", USERS_APP_ALL, NOW, "bbb", "send" },
		{ "last moment", "alice", USERS_APP_POP3, NOW + 9, "ccc",
		  "short" },
		{ "expired", "alice", USERS_APP_POP3, NOW + 10, "ccc", NULL },
		{ "wrong", "alice", USERS_APP_IMAP, NOW, "aab", NULL },
		{ "empty", "alice", USERS_APP_IMAP, NOW, "", NULL },
		{ "prefix", "alice", USERS_APP_IMAP, NOW, "aa", NULL },
		{ "longer", "alice", USERS_APP_IMAP, NOW, "aaaa", NULL },
		{ "another's", "bob", USERS_APP_IMAP, NOW, "aaa", NULL },
		{ "bob", "bob", USERS_APP_IMAP, NOW, "ddd", "bob's" },
		{ "nobody", "eve", USERS_APP_IMAP, NOW, "aaa", NULL },
		/* 64 bytes of a password are looked at, but not passed. */
		{ "long", "bob", USERS_APP_IMAP, NOW,
		  "0123456789012345678901234567890123456789"
		  "012345678901234567890123",
		  "long" },
		{ "too long", "bob", USERS_APP_IMAP, NOW,
		  "0123456789012345678901234567890123456789"
		  "0123456789012345678901234",
		  NULL },
	};
	struct app_passwords *t;
	const char *got;
	struct buf text;
	size_t i;

	(void)state;
	buf_init(&text, 10000);
	add_line(&text, "Alice:phone:imap,pop3::", "aaa");
	add_line(&text, "alice:send:smtp::", "bbb");
	add_line(&text, "alice:short::1800000010:", "ccc");
	buf_add_c(&text, "# a comment\nalice:bad line\n");
	add_line(&text, "bob:bob's:::", "ddd");
	add_line(&text, "bob:long:::",
		 "0123456789012345678901234567890123456789"
		 "012345678901234567890123");
	add_line(&text, "bob:long:::", "again"); /* the first one counts */
	t = load(&text);
	assert_int_equal(t->n, 5);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = try(t, rows[i].user, rows[i].service, rows[i].now,
			  rows[i].password);
		if ((got == NULL) != (rows[i].want == NULL) ||
		    (got && strcmp(got, rows[i].want) != 0))
			fail_msg("%s: %s", rows[i].name, got ? got : "none");
	}
	app_passwords_free(t);
	assert_null(try(NULL, "alice", USERS_APP_IMAP, NOW, "aaa"));
}

static void
test_limit(void **state)
{
	struct app_passwords *t;
	struct buf text;
	char head[64], word[16];
	unsigned i;

	(void)state;
	buf_init(&text, 100000);
	for (i = 0; i < USERS_APP_PER_USER + 3; i++) {
		snprintf(head, sizeof(head), "joe:n%u:::", i);
		snprintf(word, sizeof(word), "w%u", i);
		add_line(&text, head, word);
	}
	t = load(&text);
	assert_int_equal(t->n, USERS_APP_PER_USER);
	for (i = 0; i < USERS_APP_PER_USER + 3; i++) {
		snprintf(word, sizeof(word), "w%u", i);
		assert_int_equal(try(t, "joe", USERS_APP_IMAP, NOW, word) !=
					 NULL,
				 i < USERS_APP_PER_USER);
	}
	app_passwords_free(t);
}

static void
test_refused(void **state)
{
	struct err err;

	(void)state;
	assert_null(app_passwords_new(memfile("", 0), &err));
	assert_null(app_passwords_new(-1, &err));
}

/* The file of last logins, through a descriptor. */
static void
test_last_use(void **state)
{
	struct last_use u = { .user = STR("alice"),
			      .name = STR("phone"),
			      .time = NOW,
			      .service = LAST_USE_IMAP,
			      .client = STR("192.0.2.1") },
			got;
	int fd = memfile("", 0);
	uint8_t bucket[LAST_USE_BUCKET];
	ssize_t n;

	(void)state;
	assert_true(fd >= 0);
	last_use_note(-1, &u);
	last_use_note(fd, &u);
	u.time++;
	last_use_note(fd, &u);
	u.name = STR("");
	last_use_note(fd, &u);
	n = pread(fd, bucket, sizeof(bucket),
		  (off_t)last_use_offset(STR("alice"), STR("phone")));
	assert_true(n >= LAST_USE_SIZE);
	assert_true(last_use_find(bucket, (size_t)n, STR("alice"), STR("phone"),
				  &got));
	assert_int_equal(got.time, NOW + 1);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_last_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
