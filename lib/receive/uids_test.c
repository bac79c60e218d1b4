/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "receive/uids.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

static void
test_limits(void **state)
{
	struct uids us = { 0 };
	struct uid_use *u = uids_enter(&us, 1000, 1), *v;
	uint64_t now = 1;
	int i;

	(void)state;
	assert_non_null(u);
	v = uids_enter(&us, 1001, 1);
	assert_ptr_not_equal(u, v);
	assert_ptr_equal(uids_enter(&us, 1000, 1), u);
	assert_int_equal(u->connections, 2);
	/* three a minute */
	for (i = 0; i < 3; i++)
		assert_true(uids_message(u, 3, 0, now));
	assert_false(uids_message(u, 3, 0, now + MINUTE - 1));
	assert_true(uids_message(v, 3, 0, now));
	now += MINUTE;
	assert_true(uids_message(u, 3, 0, now));
	/* five an hour: four were */
	assert_true(uids_message(u, 3, 5, now));
	assert_false(uids_message(u, 3, 5, now));
	assert_false(uids_message(u, 3, 5, now + MINUTE));
	assert_true(uids_message(u, 3, 5, now + HOUR));
	assert_true(uids_message(u, 0, 0, now + HOUR));
	/* A user who leaves is not forgotten before the hour is over. */
	uids_leave(v);
	assert_int_equal(v->connections, 0);
	assert_ptr_equal(uids_enter(&us, 1001, now), v);
	assert_int_equal(v->hour, 1);
	uids_fini(&us);
}

static void
test_many(void **state)
{
	struct uids us = { 0 };
	struct uid_use *u;
	uint32_t i;

	(void)state;
	for (i = 0; i < UIDS_MAX; i++) {
		u = uids_enter(&us, i, 1);
		assert_non_null(u);
		assert_true(uids_message(u, 1, 1, 1));
		if (i > 0)
			uids_leave(u);
	}
	assert_null(uids_enter(&us, UIDS_MAX, 1));
	assert_non_null(uids_enter(&us, 7, 1));
	/* Later there is room, but not of those who are connected. */
	for (i = UIDS_MAX; i < 2 * UIDS_MAX - 2; i++)
		assert_non_null(uids_enter(&us, i, 2 * HOUR));
	assert_null(uids_enter(&us, 3 * UIDS_MAX, 2 * HOUR));
	assert_int_equal(us.map.n, UIDS_MAX);
	uids_fini(&us);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
