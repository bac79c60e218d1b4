/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "base/unit.h"
#include "brake.h"

static void
pauses_grow(void **state)
{
	static const unsigned want[] = { 0, 1, 2, 4, 8, 16, 32, 60, 60 };
	struct str a = STR("alice"), b = STR("bob");
	struct brake brake = { 0 };
	uint64_t now = 5000;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_int_equal(brake_note(&brake, a, true, 3, now), want[i]);
		assert_int_equal(brake_wait(&brake, a, now), 1000 * want[i]);
		now += 1000ull * want[i];
		assert_int_equal(brake_wait(&brake, a, now), 0);
	}
	/* Not another user's affair. */
	assert_int_equal(brake_wait(&brake, b, now - 1), 0);
	assert_int_equal(brake_note(&brake, b, true, 3, now), 0);
	/* A good end, or a long life, ends the row. */
	assert_int_equal(brake_note(&brake, b, false, 3, now), 0);
	assert_int_equal(brake_note(&brake, b, true, 3, now), 0);
	assert_int_equal(brake_note(&brake, a, true, BRAKE_LIFE_MS, now), 0);
	assert_int_equal(brake_note(&brake, a, true, 3, now), 0);
	assert_int_equal(brake_note(&brake, a, true, 3, now), 1);
	brake_fini(&brake);
}

static void
old_ones_are_forgotten(void **state)
{
	struct brake brake = { 0 };
	char key[20];
	int i;

	(void)state;
	for (i = 0; i < BRAKE_MANY; i++) {
		snprintf(key, sizeof(key), "user%d", i);
		brake_note(&brake, str_of(key), true, 1, 1000);
	}
	assert_int_equal(brake.by_key.n, BRAKE_MANY);
	brake_note(&brake, STR("x"), true, 1, 1000 + BRAKE_FORGET_MS);
	assert_int_equal(brake.by_key.n, BRAKE_MANY + 1);
	brake_note(&brake, STR("y"), true, 1, 1001 + BRAKE_FORGET_MS);
	assert_int_equal(brake.by_key.n, 2);
	brake_fini(&brake);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_grow),
		cmocka_unit_test(old_ones_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
