/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "match.h"

static char file[] = "/tmp/match_test.XXXXXX";

static int
setup(void **state)
{
	static const char text[] = "# names\none.test,\n  two.test\n\n"
				   "!three.test inline:{four.test=1}\n";
	int fd = mkstemp(file);

	(void)state;
	if (fd < 0 || write(fd, text, sizeof(text) - 1) < 0)
		return -1;
	return close(fd);
}

static int
teardown(void **state)
{
	(void)state;
	return unlink(file);
}

static void
test_rows(void **state)
{
	static const struct {
		const char *list, *name;
		int want;
	} rows[] = {
		{ "", "a.test", 0 },
		{ "a.test", "a.test", 1 },
		{ "a.test", "A.TEST", 1 },
		{ "a.test", "b.a.test", 0 },
		{ "x, a.test", "a.test", 1 },
		{ "!a.test, static:all", "a.test", 0 },
		{ "!a.test, static:all", "b.test", 1 },
		{ "!!a.test", "a.test", 1 },
		{ "inline:{a.test=1}", "a.test", 1 },
		{ "!inline:{a.test=1} a.test", "a.test", 0 },
		{ "[::1]", "[::1]", 1 },
		{ "/FILE", "one.test", 1 },
		{ "/FILE", "two.test", 1 },
		{ "/FILE three.test", "three.test", 0 },
		{ "/FILE", "four.test", 1 },
		{ "/FILE", "five.test", 0 },
		{ "!/FILE one.test", "one.test", 0 },
		{ "!/FILE", "three.test", 1 },
		{ "hash:/nowhere/x a.test", "a.test", -1 },
		{ "a.test hash:/nowhere/x", "a.test", 1 },
	};
	struct table_set *set = table_set_new();
	struct match_list m;
	struct pool pool;
	char list[300];
	struct err err;
	size_t i;
	int rc;

	(void)state;
	pool_init(&pool, 1 << 20);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *at = strstr(rows[i].list, "/FILE");

		snprintf(list, sizeof(list), "%s", rows[i].list);
		if (at)
			snprintf(list, sizeof(list), "%.*s%s%s",
				 (int)(at - rows[i].list), rows[i].list, file,
				 at + 5);
		if (match_open(&m, str_of(list), set, &pool, &err) < 0)
			fail_msg("%s: %s", list, err.text);
		rc = match_has(&m, str_of(rows[i].name), &err);
		if (rc != rows[i].want)
			fail_msg("%s in %s: %d", rows[i].name, list, rc);
		match_close(&m);
	}
	assert_int_equal(match_open(&m, STR("a !"), set, &pool, &err), -1);
	assert_int_equal(match_open(&m, STR("a x:y"), set, &pool, &err), -1);
	assert_int_equal(match_open(&m, STR("/nowhere/x"), set, &pool, &err),
			 -1);
	pool_fini(&pool);
	table_set_free(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
