/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "complain.h"

static const struct stat none;

static void
once_for_each_state(void **state)
{
	struct stat st = { .st_dev = 1, .st_ino = 2, .st_size = 3 };
	struct complaints c = { 0 };

	(void)state;
	assert_true(complain(&c, STR("a"), &st, 5));
	assert_false(complain(&c, STR("a"), &st, 30005));
	assert_true(complain(&c, STR("b"), &st, 30005));
	/* It was read. */
	st.st_atim.tv_sec = 9;
	assert_false(complain(&c, STR("a"), &st, 60005));
	/* It was changed, and replaced. */
	st.st_mtim.tv_nsec = 1;
	assert_true(complain(&c, STR("a"), &st, 60006));
	st.st_size = 4;
	assert_true(complain(&c, STR("a"), &st, 60007));
	st.st_ino = 5;
	assert_true(complain(&c, STR("a"), &st, 60008));
	assert_false(complain(&c, STR("a"), &st, 60008));
	/* It cannot be seen any more. */
	assert_true(complain(&c, STR("a"), &none, 60009));
	assert_false(complain(&c, STR("a"), &none, 60009));
	assert_false(complain(&c, STR("a"), &none, 60008 + COMPLAIN_AGAIN_MS));
	assert_true(complain(&c, STR("a"), &none, 60009 + COMPLAIN_AGAIN_MS));
	complain_no_more(&c, STR("a"));
	complain_no_more(&c, STR("a"));
	assert_true(complain(&c, STR("a"), &none, 60010 + COMPLAIN_AGAIN_MS));
	complaints_fini(&c);
}

static void
they_are_not_more_and_more(void **state)
{
	struct complaints c = { 0 };
	char key[20];
	int i;

	(void)state;
	for (i = 0; i < 3 * COMPLAIN_MAX; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		assert_true(complain(&c, str_of(key), &none, 1));
	}
	assert_int_equal(c.by_key.n, COMPLAIN_MAX);
	/* Old ones make room. */
	assert_true(complain(&c, STR("new"), &none, 1 + COMPLAIN_AGAIN_MS));
	assert_int_equal(c.by_key.n, 1);
	complaints_fini(&c);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(once_for_each_state),
		cmocka_unit_test(they_are_not_more_and_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
