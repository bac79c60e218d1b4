/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "penalty.h"

enum { MAX_MS = 15000 };
#define EXEMPT STR("127.0.0.0/8, [::1]/128")

static struct penalties p;
static uint64_t now;

static int
setup(void **state)
{
	(void)state;
	now = 1000000;
	penalties_init(&p);
	assert_int_equal(penalties_configure(&p, MAX_MS, EXEMPT), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	penalties_fini(&p);
	return 0;
}

/* One whole try; the milliseconds it waited, or -1 if it was refused. */
static int64_t
attempt(const char *client, const char *user, const char *password, bool right)
{
	uint64_t digest = penalty_digest(&p, str_of(user), str_of(password));
	struct penalty_try t;
	uint64_t began = now;
	int64_t next;

	switch (penalty_enter(&p, &t, str_of(client), str_of(user), now)) {
	case PENALTY_REFUSED:
		return -1;
	case PENALTY_PARKED:
		assert_null(penalty_due(&p, now));
		next = penalty_next(&p, now);
		assert_true(next > 0);
		assert_null(penalty_due(&p, now + (uint64_t)next - 1));
		now += (uint64_t)next;
		assert_ptr_equal(penalty_due(&p, now), &t);
		break;
	case PENALTY_GO:
		break;
	}
	penalty_leave(&p, &t, right ? PENALTY_RIGHT : PENALTY_WRONG, digest,
		      now);
	return (int64_t)(now - began);
}

/* n wrong passwords, all different. */
static void
guess(const char *client, const char *user, unsigned n)
{
	static unsigned count;
	char password[32];

	while (n--) {
		snprintf(password, sizeof(password), "guess %u", count++);
		attempt(client, user, password, false);
	}
}

static void
test_doubling(void **state)
{
	static const int64_t want[] = { 0, 0, 2000, 4000, 8000, 15000, 15000 };
	char password[8], user[8];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		snprintf(password, sizeof(password), "%zu", i);
		snprintf(user, sizeof(user), "u%zu", i);
		assert_int_equal(attempt("192.0.2.1", user, password, false),
				 want[i]);
	}
	/* A right one waits as long as a wrong one; then all is forgiven. */
	assert_int_equal(attempt("192.0.2.1", "me", "right", true), 15000);
	assert_int_equal(attempt("192.0.2.1", "me", "right", true), 0);
	assert_int_equal(attempt("192.0.2.1", "u1", "again", false), 0);
}

static void
test_time_spent_typing_counts(void **state)
{
	(void)state;
	guess("192.0.2.1", "u", 4); /* 8 s from the last answer on */
	now += 5000;
	assert_int_equal(attempt("192.0.2.1", "w", "x", false), 3000);
	now += 60000;
	assert_int_equal(attempt("192.0.2.1", "w", "y", false), 0);
}

static void
test_silence(void **state)
{
	(void)state;
	guess("192.0.2.1", "u", 9);
	now += PENALTY_FORGET_MS - 1;
	guess("192.0.2.1", "u", 1);
	now += 1000;
	assert_int_equal(attempt("192.0.2.1", "u", "x", false), 14000);
	now += PENALTY_FORGET_MS;
	assert_int_equal(attempt("192.0.2.1", "u", "y", false), 0);
	assert_int_equal(attempt("192.0.2.1", "u", "z", false), 0);
}

static void
test_same_password(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 50; i++)
		assert_int_equal(attempt("192.0.2.1", "u", "stale", false), 0);
	/* The same of another user is another guess. */
	assert_int_equal(attempt("192.0.2.1", "v", "stale", false), 0);
	assert_int_equal(attempt("192.0.2.1", "w", "stale", false), 2000);
	/* Older than the last few: it counts again. */
	guess("192.0.2.1", "u", PENALTY_RECENT);
	attempt("192.0.2.1", "u", "stale", false);
	assert_int_equal(attempt("192.0.2.1", "u", "stale", false), MAX_MS);
}

static void
test_clients(void **state)
{
	static const struct {
		const char *name, *one, *other;
		bool same;
	} rows[] = {
		{ "neighbours", "192.0.2.1", "192.0.2.2", false },
		{ "mapped", "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "one /64", "2001:db8::1", "2001:db8::ffff:2", true },
		{ "two /64", "2001:db8::1", "2001:db8:0:1::1", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		guess(rows[i].one, "x", 2);
		guess(rows[i].one, "y", 2);
		if ((attempt(rows[i].other, "z", "p", false) > 0) !=
		    rows[i].same)
			fail_msg("%s", rows[i].name);
		now += PENALTY_FORGET_MS;
	}
}

/* However much one guesses, others do not wait, and not the victim's phone. */
static void
test_others(void **state)
{
	(void)state;
	assert_int_equal(attempt("198.51.100.7", "victim", "right", true), 0);
	guess("192.0.2.1", "other", 1000);
	guess("192.0.2.1", "victim", 1000);
	assert_int_equal(attempt("198.51.100.7", "victim", "right", true), 0);
	assert_int_equal(attempt("198.51.100.8", "somebody", "right", true), 0);
	/* From where the victim never was, a little. */
	assert_int_equal(attempt("198.51.100.9", "victim", "right", true),
			 PENALTY_USER_MAX_MS);
	assert_int_equal(attempt("198.51.100.9", "victim", "right", true), 0);
}

/* Behind one address: guesses at others do not slow who is known there, and
 * to be known gives nobody free guesses. */
static void
test_neighbours(void **state)
{
	(void)state;
	assert_int_equal(attempt("192.0.2.1", "me", "right", true), 0);
	guess("192.0.2.1", "other", 10);
	assert_int_equal(attempt("192.0.2.1", "me", "right", true), 0);
	/* That success has not set the others' guesses back. */
	assert_true(attempt("192.0.2.1", "other", "p", false) > 10000);
	guess("192.0.2.1", "me", 6);
	assert_int_equal(attempt("192.0.2.1", "me", "right", true), MAX_MS);
	assert_int_equal(attempt("192.0.2.1", "me", "right", true), 0);
}

static void
test_exceptions(void **state)
{
	static const char *const clients[] = { "127.0.0.1", "::1", "", "what" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
		guess(clients[i], "a", 20);
		assert_int_equal(attempt(clients[i], "b", "right", true), 0);
		assert_int_equal(attempt(clients[i], "a", "right", true),
				 PENALTY_USER_MAX_MS);
		assert_int_equal(attempt(clients[i], "a", "right", true), 0);
		now += PENALTY_FORGET_MS;
	}
	/* Known at an exception: guesses from elsewhere change nothing. */
	guess("192.0.2.1", "a", 20);
	assert_int_equal(attempt("127.0.0.1", "a", "right", true), 0);
	/* Exceptions are a parameter. */
	assert_int_equal(penalties_configure(&p, MAX_MS, STR("")), 0);
	guess("127.0.0.2", "a", 6);
	assert_int_equal(attempt("127.0.0.2", "c", "x", false), MAX_MS);
	assert_int_equal(penalties_configure(&p, MAX_MS, STR("10/8 ::/0")), 1);
	assert_int_equal(p.nexempt, 1);
}

/* In parallel: one at a time, each its delay after the other's answer. */
static void
test_serial(void **state)
{
	struct penalty_try t[PENALTY_PARKED_MAX + PENALTY_FREE + 1], *due;
	struct str who = STR("192.0.2.1"), user = STR("u");
	uint64_t last = 0;
	unsigned i, n = 0;

	(void)state;
	for (i = 0; i < PENALTY_FREE + PENALTY_PARKED_MAX; i++)
		assert_int_equal(penalty_enter(&p, &t[i], who, user, now),
				 i < PENALTY_FREE ? PENALTY_GO
						  : PENALTY_PARKED);
	assert_int_equal(penalty_enter(&p, &t[i], who, user, now),
			 PENALTY_REFUSED);
	assert_int_equal(penalty_next(&p, now), -1);
	for (i = 0; i < PENALTY_FREE; i++) {
		penalty_leave(&p, &t[i], PENALTY_WRONG, 0, now);
		assert_null(penalty_due(&p, now));
	}
	for (; n < PENALTY_PARKED_MAX; n++) {
		assert_true(penalty_next(&p, now) >= MAX_MS - 1);
		last = now;
		now += (uint64_t)penalty_next(&p, now);
		due = penalty_due(&p, now);
		assert_ptr_equal(due, &t[PENALTY_FREE + n]);
		assert_true(now - last >= MAX_MS);
		/* The next one waits for this one's answer first. */
		assert_null(penalty_due(&p, now + 100000));
		now += 10;
		penalty_leave(&p, due, PENALTY_WRONG, 0, now);
	}
	assert_int_equal(penalty_next(&p, now), -1);
	assert_int_equal(p.parked, 0);
}

/* Who would wait for longer than the asker does is told so at once. */
static void
test_no_hopeless_wait(void **state)
{
	struct penalty_try t[3];
	struct str who = STR("192.0.2.1"), user = STR("u");

	(void)state;
	guess("192.0.2.1", "u", 9);
	assert_int_equal(penalty_enter(&p, &t[0], who, user, now),
			 PENALTY_PARKED);
	assert_int_equal(penalty_enter(&p, &t[1], who, user, now),
			 PENALTY_REFUSED);
	penalty_cancel(&p, &t[1], now); /* nothing */
	assert_int_equal(p.parked, 1);
	penalty_cancel(&p, &t[0], now);
	assert_int_equal(p.parked, 0);
	assert_int_equal(penalty_next(&p, now), -1);
	/* Giving up has not shortened anything. */
	assert_int_equal(attempt("192.0.2.1", "u", "x", false), MAX_MS);
}

/* A success lets out at once who waits behind it. */
static void
test_success_releases(void **state)
{
	struct penalty_try t[4], *due;
	struct str who = STR("192.0.2.1");
	unsigned i;

	(void)state;
	guess("192.0.2.1", "x", 1); /* one at a time from now on */
	for (i = 0; i < 4; i++)
		assert_int_equal(penalty_enter(&p, &t[i], who, STR("u"), now),
				 i ? PENALTY_PARKED : PENALTY_GO);
	penalty_leave(&p, &t[0], PENALTY_RIGHT, 0, now);
	for (i = 1; i < 4; i++) {
		due = penalty_due(&p, now);
		assert_ptr_equal(due, &t[i]);
	}
	for (i = 1; i < 4; i++)
		penalty_leave(&p, &t[i], PENALTY_UNDECIDED, 0, now);
}

/* One that waits for its user's sake, while another of the same client is
 * being looked at for longer than that. */
static void
test_overtaken(void **state)
{
	struct penalty_try slow, quick;
	struct str who = STR("192.0.2.1");

	(void)state;
	guess("192.0.2.7", "victim", 6);
	guess("192.0.2.1", "x", 1); /* one at a time from now on */
	assert_int_equal(penalty_enter(&p, &slow, who, STR("victim"), now),
			 PENALTY_PARKED);
	assert_int_equal(penalty_enter(&p, &quick, who, STR("y"), now),
			 PENALTY_GO);
	assert_int_equal(penalty_next(&p, now), -1);
	now += PENALTY_USER_MAX_MS;
	assert_null(penalty_due(&p, now));
	penalty_leave(&p, &quick, PENALTY_UNDECIDED, 0, now);
	assert_ptr_equal(penalty_due(&p, now), &slow);
	penalty_leave(&p, &slow, PENALTY_UNDECIDED, 0, now);
}

/* Whoever may go at once is none of those who wait, however many do. */
static void
test_full_house(void **state)
{
	static struct penalty_try t[PENALTY_PARKED_ALL];
	struct penalty_try more;
	char client[32];
	unsigned i;

	(void)state;
	for (i = 0; p.parked < PENALTY_PARKED_ALL; i++) {
		snprintf(client, sizeof(client), "10.0.0.%u", i / 4);
		if (i % 4 == 0)
			guess(client, client, 2);
		assert_int_equal(
			penalty_enter(&p, &t[i], str_of(client), STR("u"), now),
			PENALTY_PARKED);
	}
	assert_int_equal(attempt("192.0.2.1", "me", "wrong", false), 0);
	assert_int_equal(attempt("192.0.2.1", "me", "right", true), 0);
	/* One more would have to wait. */
	attempt("192.0.2.2", "b", "wrong", false);
	attempt("192.0.2.2", "b", "wrong again", false);
	assert_int_equal(
		penalty_enter(&p, &more, STR("192.0.2.2"), STR("b"), now),
		PENALTY_REFUSED);
	for (i = 0; i < PENALTY_PARKED_ALL; i++)
		penalty_cancel(&p, &t[i], now);
	assert_int_equal(p.parked, 0);
}

static void
test_off(void **state)
{
	struct penalty_try t;

	(void)state;
	guess("192.0.2.1", "u", 9);
	assert_int_equal(penalty_enter(&p, &t, STR("192.0.2.1"), STR("u"), now),
			 PENALTY_PARKED);
	assert_int_equal(penalties_configure(&p, 0, EXEMPT), 0);
	assert_ptr_equal(penalty_due(&p, now), &t);
	penalty_leave(&p, &t, PENALTY_WRONG, 1, now);
	assert_int_equal(attempt("192.0.2.1", "u", "x", false), 0);
	assert_int_equal(penalties_configure(&p, MAX_MS, EXEMPT), 0);
	assert_int_equal(attempt("192.0.2.1", "u", "z", false),
			 PENALTY_USER_MAX_MS);
	assert_int_equal(attempt("192.0.2.1", "u", "y", false), MAX_MS);
}

static void
test_bounded(void **state)
{
	struct penalty_try first, last, more;
	char client[32];
	unsigned i;

	(void)state;
	p.records_max = 64;
	assert_int_equal(
		penalty_enter(&p, &first, STR("192.0.2.1"), STR("first"), now),
		PENALTY_GO);
	for (i = 0; i < 10000; i++) {
		snprintf(client, sizeof(client), "10.0.%u.%u", i / 250,
			 i % 250);
		attempt(client, client, "x", false);
		attempt("127.0.0.1", client, "x", false);
	}
	for (i = 0; i < PENALTY_KINDS; i++)
		assert_true(p.tables[i].map.n <= 64);
	/* What is in use is not thrown out. */
	penalty_leave(&p, &first, PENALTY_WRONG, 0, now);
	assert_int_equal(attempt("192.0.2.1", "v", "y", false), 0);
	assert_int_equal(attempt("192.0.2.1", "v", "z", false), 2000);
	/* All are in use. */
	p.records_max = 1;
	penalties_fini(&p);
	penalties_init(&p);
	(void)penalties_configure(&p, MAX_MS, EXEMPT);
	p.records_max = 1;
	assert_int_equal(
		penalty_enter(&p, &last, STR("192.0.2.1"), STR("u"), now),
		PENALTY_GO);
	assert_int_equal(
		penalty_enter(&p, &more, STR("192.0.2.2"), STR("u"), now),
		PENALTY_REFUSED);
	assert_int_equal(
		penalty_enter(&p, &more, STR("192.0.2.1"), STR("v"), now),
		PENALTY_REFUSED);
	penalty_leave(&p, &last, PENALTY_RIGHT, 0, now);
}

/* Any order of events: nobody is lost, counts stay within their limits. */
static void
test_random_walk(void **state)
{
	enum { N = 200 };
	static struct penalty_try t[N];
	static bool busy[N], parked[N];
	unsigned seed = 1, step, i, waiting;
	struct penalty_try *due;
	char client[32], user[8];

	(void)state;
	for (step = 0; step < 200000; step++) {
		seed = seed * 1103515245u + 12345u;
		i = (seed >> 8) % N;
		now += (seed >> 20) % 50;
		snprintf(client, sizeof(client), "192.0.2.%u", (seed >> 3) % 7);
		snprintf(user, sizeof(user), "%u", (seed >> 5) % 11);
		if (busy[i])
			penalty_leave(&p, &t[i], seed % 3, seed % 17, now);
		else if (parked[i] && seed % 5 == 0)
			penalty_cancel(&p, &t[i], now);
		else if (!parked[i])
			switch (penalty_enter(&p, &t[i], str_of(client),
					      str_of(user), now)) {
			case PENALTY_GO:
				busy[i] = true;
				continue;
			case PENALTY_PARKED:
				parked[i] = true;
				continue;
			case PENALTY_REFUSED:
				continue;
			}
		if (busy[i] || !t[i].gate)
			busy[i] = parked[i] = false;
		while ((due = penalty_due(&p, now))) {
			assert_true(parked[due - t]);
			parked[due - t] = false;
			busy[due - t] = true;
		}
		for (i = waiting = 0; i < N; i++)
			waiting += parked[i];
		assert_int_equal(waiting, p.parked);
	}
	for (i = 0; i < N; i++)
		if (busy[i] || parked[i])
			penalty_cancel(&p, &t[i], now);
	assert_int_equal(p.parked, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_doubling),	  T(test_time_spent_typing_counts),
		T(test_silence),	  T(test_same_password),
		T(test_clients),	  T(test_others),
		T(test_neighbours),	  T(test_exceptions),
		T(test_serial),		  T(test_no_hopeless_wait),
		T(test_success_releases), T(test_overtaken),
		T(test_full_house),	  T(test_off),
		T(test_bounded),	  T(test_random_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
