/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/last_use.h"

static const struct last_use alice = {
	.user = { "alice@example.org", 17 },
	.name = { "phone", 5 },
	.time = 1800000000,
	.service = LAST_USE_IMAP,
	.client = { "2001:db8::1", 11 },
};

static void
test_record(void **state)
{
	uint8_t r[LAST_USE_SIZE];
	struct last_use u = { .time = 1 };
	char big[300];
	size_t i;

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_true(last_use_encode(r, &alice));
	assert_true(last_use_decode(r, &u));
	assert_true(str_eq(u.user, alice.user) && str_eq(u.name, alice.name) &&
		    str_eq(u.client, alice.client));
	assert_int_equal(u.time, alice.time);
	assert_string_equal(last_use_service_name(u.service), "imap");
	assert_string_equal(last_use_service_name(99), "other");
	/* Torn anywhere: no record. */
	for (i = 0; i < sizeof(r); i++) {
		r[i] ^= 0x40;
		assert_false(last_use_decode(r, &u));
		r[i] ^= 0x40;
	}
	memset(r, 0, sizeof(r));
	assert_false(last_use_decode(r, &u));
	/* The longest, and one more. */
	u = (struct last_use){ .user = str_mem(big, LAST_USE_USER_MAX),
			       .name = str_mem(big, LAST_USE_NAME_MAX),
			       .client = str_mem(big, LAST_USE_CLIENT_MAX) };
	assert_true(last_use_encode(r, &u));
	assert_true(last_use_decode(r, &u));
	assert_int_equal(u.client.n, LAST_USE_CLIENT_MAX);
	u.name = str_mem(big, LAST_USE_NAME_MAX + 1);
	assert_false(last_use_encode(r, &u));
	u.name = STR("");
	u.user = str_mem(big, 256);
	assert_false(last_use_encode(r, &u));
}

static void
put(uint8_t *bucket, size_t n, struct last_use *u)
{
	unsigned way = last_use_way(bucket, n, u);

	assert_true(way < LAST_USE_WAYS);
	assert_true(last_use_encode(bucket + (size_t)way * LAST_USE_SIZE, u));
}

static void
test_bucket(void **state)
{
	uint8_t b[LAST_USE_BUCKET] = { 0 };
	struct last_use u = alice, got;
	char name[16];
	unsigned i;

	(void)state;
	/* Nothing there yet: an empty file. */
	assert_int_equal(last_use_way(b, 0, &u), 0);
	assert_false(last_use_find(b, 0, u.user, u.name, &got));
	for (i = 0; i < LAST_USE_WAYS + 1; i++) {
		snprintf(name, sizeof(name), "%u", i);
		u.name = str_of(name);
		u.time = 1000 + i;
		put(b, sizeof(b), &u);
		/* Again, later: the same record. */
		u.time += 100;
		put(b, sizeof(b), &u);
	}
	/* The oldest one has made room. */
	assert_false(last_use_find(b, sizeof(b), u.user, STR("0"), &got));
	for (i = 1; i < LAST_USE_WAYS + 1; i++) {
		snprintf(name, sizeof(name), "%u", i);
		assert_true(last_use_find(b, sizeof(b), u.user, str_of(name),
					  &got));
		assert_int_equal(got.time, 1100 + i);
	}
	/* A short read ends within a record. */
	assert_false(last_use_find(b, LAST_USE_SIZE - 1, u.user, u.name, &got));
	assert_false(last_use_find(b, sizeof(b), STR("bob"), u.name, &got));
}

static void
test_offset(void **state)
{
	static const struct {
		struct str user, name;
	} rows[] = {
		{ { "a", 1 }, { "", 0 } },
		{ { "alice@example.org", 17 }, { "phone", 5 } },
		{ { "", 0 }, { "", 0 } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		uint64_t at = last_use_offset(rows[i].user, rows[i].name);

		assert_int_equal(at % LAST_USE_BUCKET, 0);
		assert_true(at / LAST_USE_BUCKET < LAST_USE_BUCKETS);
	}
	assert_int_not_equal(last_use_offset(STR("a"), STR("b")),
			     last_use_offset(STR("a"), STR("c")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
