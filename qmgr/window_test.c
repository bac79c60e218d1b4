/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "window.h"

static void
test_parse(void **state)
{
	static const struct {
		const char *in;
		int rc;
		double base;
		enum feedback_by by;
	} rows[] = {
		{ "1", 0, 1, BY_NOTHING },
		{ "0", 0, 0, BY_NOTHING },
		{ "0.25", 0, 0.25, BY_NOTHING },
		{ "1/8", 0, 0.125, BY_NOTHING },
		{ " 1 / 4 ", 0, 0.25, BY_NOTHING },
		{ "1/concurrency", 0, 1, BY_WINDOW },
		{ "0.5 / sqrt_concurrency", 0, 0.5, BY_SQRT },
		{ "2", -1 },
		{ "3/2", -1 },
		{ "2/concurrency", -1 },
		{ "1/0", -1 },
		{ "", -1 },
		{ "-1", -1 },
		{ "1/", -1 },
		{ "/concurrency", -1 },
		{ "1/window", -1 },
		{ "1.2.3", -1 },
		{ ".5", -1 },
		{ "1000000000000000", -1 },
	};
	struct feedback f;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (feedback_parse(str_of(rows[i].in), &f) != rows[i].rc)
			fail_msg("%s", rows[i].in);
		if (rows[i].rc < 0)
			continue;
		assert_int_equal((int)(f.base * 1000),
				 (int)(rows[i].base * 1000));
		assert_int_equal(f.by, rows[i].by);
	}
}

/*
 * Steps: "+" a delivery that reached the destination, "-" one that did not.
 * What follows from SCHEDULER_README: success takes effect at the end of its
 * cycle, failure at the start.
 */
static void
test_window(void **state)
{
	static const struct {
		const char *name, *positive, *negative;
		unsigned initial, limit, cohorts, busy;
		const char *steps;
		unsigned want; /* 0: dead */
	} rows[] = {
		{ "as it begins", "1", "1", 5, 20, 1, 5, "", 5 },
		{ "one by one", "1", "1", 5, 20, 1, 20, "+++", 8 },
		{ "the limit", "1", "1", 5, 7, 1, 20, "+++++", 7 },
		{ "no limit", "1", "1", 5, 0, 1, 50, "++++++++++", 15 },
		{ "above the limit", "1", "1", 9, 7, 1, 9, "", 7 },
		{ "not far above what runs", "1", "1", 5, 20, 1, 2, "+++++",
		  7 },
		{ "down at once", "1", "1", 5, 20, 10, 5, "-", 4 },
		{ "never below one", "1", "1", 3, 20, 100, 3, "------", 1 },
		{ "a cohort", "1", "1", 5, 20, 1, 5, "----", 0 },
		{ "not yet", "1", "1", 5, 20, 1, 5, "---", 2 },
		{ "one success in between", "1", "1", 5, 20, 1, 5, "---+---",
		  0 },
		{ "success forgives", "1", "1", 5, 20, 1, 5, "--+--", 2 },
		{ "one delivery at a time", "1", "1", 1, 1, 1, 1, "-", 0 },
		{ "two cohorts", "1", "1", 1, 1, 2, 1, "-", 1 },
		{ "and the second", "1", "1", 1, 1, 2, 1, "--", 0 },
		{ "never dead", "1", "1", 2, 20, 0, 2, "----------", 1 },
		{ "a window of successes", "1/concurrency", "1", 5, 20, 1, 5,
		  "++++", 5 },
		{ "is one more", "1/concurrency", "1", 5, 20, 1, 5, "+++++",
		  6 },
		{ "and one more of that", "1/concurrency", "1", 5, 20, 1, 6,
		  "++++++++++", 6 },
		{ "complete", "1/concurrency", "1", 5, 20, 1, 6, "+++++++++++",
		  7 },
		{ "the root", "1/sqrt_concurrency", "1", 4, 20, 1, 4, "+", 4 },
		{ "of four", "1/sqrt_concurrency", "1", 4, 20, 1, 4, "++", 5 },
		{ "a part falls at the start", "1", "1/concurrency", 5, 20, 10,
		  5, "-", 4 },
		{ "and stays so long", "1", "1/concurrency", 5, 20, 10, 5,
		  "----", 4 },
		{ "till the next cycle", "1", "1/concurrency", 5, 20, 10, 5,
		  "-----", 3 },
		{ "an eighth", "1/8", "1", 5, 20, 1, 5, "+++++++", 5 },
		{ "eight eighths", "1/8", "1", 5, 20, 1, 5, "++++++++", 6 },
		{ "falling begins anew", "1/8", "1", 5, 20, 10, 5, "+++++++-+",
		  4 },
		{ "no feedback at all", "0", "0", 5, 20, 10, 5, "+-+-+-", 5 },
	};
	struct window_rule r;
	struct window w;
	const char *p;
	size_t i;
	bool dead;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = (struct window_rule){
			.initial = rows[i].initial,
			.limit = rows[i].limit,
			.cohorts = rows[i].cohorts,
		};
		assert_int_equal(
			feedback_parse(str_of(rows[i].positive), &r.positive),
			0);
		assert_int_equal(
			feedback_parse(str_of(rows[i].negative), &r.negative),
			0);
		window_reset(&w, &r, 0);
		dead = false;
		for (p = rows[i].steps; *p && !dead; p++)
			if (*p == '+')
				window_success(&w, &r, rows[i].busy);
			else
				dead = window_failure(&w, &r);
		if ((dead ? 0 : w.n) != rows[i].want)
			fail_msg("%s: %u, not %u", rows[i].name, dead ? 0 : w.n,
				 rows[i].want);
	}
}

static void
test_back(void **state)
{
	const struct window_rule r = { .initial = 5, .limit = 20 };
	struct window w;

	(void)state;
	window_reset(&w, &r, 3);
	assert_int_equal(w.n, 3);
	window_reset(&w, &r, 30);
	assert_int_equal(w.n, 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
