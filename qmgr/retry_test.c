/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "retry.h"

static const uint64_t S = 1000000;

static void
test_next_try(void **state)
{
	static const struct {
		uint64_t arrival, now, want; /* seconds */
	} rows[] = {
		{ 1000, 1000, 1300 }, { 1000, 1200, 1500 },
		{ 1000, 1400, 1800 }, { 1000, 9000, 13000 },
		{ 1000, 999, 1299 }, /* clock set back */
	};
	const struct retry_rule r = { 300 * S, 4000 * S };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(retry_next_try(&r, rows[i].arrival * S,
						rows[i].now * S),
				 rows[i].want * S);
}

static void
test_expired(void **state)
{
	(void)state;
	assert_false(retry_expired(100 * S, 10 * S, 110 * S));
	assert_true(retry_expired(100 * S, 10 * S, 111 * S));
	assert_false(retry_expired(100 * S, 10 * S, 5 * S));
}

static void
test_delay(void **state)
{
	static const struct {
		uint64_t us;
		const char *want;
	} rows[] = {
		{ 0, "0" },
		{ 4000, "0" },
		{ 50000, "0.05" },
		{ 100000, "0.1" },
		{ 120000, "0.12" },
		{ 1000000, "1" },
		{ 1234000, "1.2" },
		{ 9960000, "10" },
		{ 9940000, "9.9" },
		{ 59400000, "59" },
		{ 5 * 3600 * 1000000ull, "18000" },
	};
	char out[DELAY_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(retry_delay(rows[i].us, out), rows[i].want);
}

static void
test_worker_pause(void **state)
{
	(void)state;
	assert_int_equal(retry_worker_pause_s(0), 0);
	assert_int_equal(retry_worker_pause_s(1), 1);
	assert_int_equal(retry_worker_pause_s(3), 4);
	assert_int_equal(retry_worker_pause_s(6), 32);
	assert_int_equal(retry_worker_pause_s(7), 60);
	assert_int_equal(retry_worker_pause_s(1000), 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_try),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_worker_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
