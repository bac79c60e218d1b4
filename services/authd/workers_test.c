/* SPDX-License-Identifier: ISC */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "workers.h"

/* A job that notes when it ran, and that it came back. */
struct job {
	struct work work; /* must be first */
	int *order, *next;
	int id;
	bool ran;
	unsigned *back;
	struct gate *gate; /* of the job that keeps the thread busy */
};

struct gate {
	sem_t entered, open;
};

static void
gate_init(struct gate *g)
{
	assert_int_equal(sem_init(&g->entered, 0, 0), 0);
	assert_int_equal(sem_init(&g->open, 0, 0), 0);
}

static void
gate_fini(struct gate *g)
{
	(void)sem_destroy(&g->entered);
	(void)sem_destroy(&g->open);
}

static void
run(struct work *w)
{
	struct job *j = (struct job *)(void *)w;

	/* One thread runs them all. */
	if (j->gate) {
		(void)sem_post(&j->gate->entered);
		(void)sem_wait(&j->gate->open);
	} else {
		j->order[(*j->next)++] = j->id;
	}
	j->ran = true;
}

static void
done(struct work *w)
{
	struct job *j = (struct job *)(void *)w;

	(*j->back)++;
}

static void
wait_for(struct loop *l, const unsigned *back, unsigned n)
{
	while (*back < n)
		loop_turn(l, true);
}

/* A queue of many and a queue of few are served in turn, and a queue takes no
 * more than its share. */
static void
test_turns(void **state)
{
	struct work_queue many, few;
	struct workers *p;
	struct job jobs[9];
	int order[9], next = 0, i;
	unsigned back = 0;
	struct gate gate;
	struct loop l;
	struct err err;

	(void)state;
	gate_init(&gate);
	assert_int_equal(loop_init(&l, &err), 0);
	p = workers_new(&l, 1, 12, &err);
	assert_non_null(p);
	work_queue_open(p, &many);
	assert_int_equal(work_queue_share(p), 12);
	work_queue_open(p, &few);
	assert_int_equal(work_queue_share(p), 6);
	for (i = 0; i < 9; i++)
		jobs[i] = (struct job){ .work = { .run = run, .done = done },
					.order = order,
					.next = &next,
					.id = i,
					.back = &back };
	jobs[0].gate = &gate;
	assert_int_equal(work_submit(p, &many, &jobs[0].work), 0);
	(void)sem_wait(&gate.entered);
	for (i = 1; i <= 6; i++)
		assert_int_equal(work_submit(p, &many, &jobs[i].work), 0);
	assert_int_equal(work_submit(p, &many, &jobs[7].work), -1);
	assert_int_equal(work_submit(p, &few, &jobs[7].work), 0);
	assert_int_equal(work_submit(p, &few, &jobs[8].work), 0);
	(void)sem_post(&gate.open);
	wait_for(&l, &back, 9);
	assert_int_equal(order[0], 1);
	assert_int_equal(order[1], 7);
	assert_int_equal(order[2], 2);
	assert_int_equal(order[3], 8);
	assert_int_equal(order[7], 6);
	work_queue_close(p, &many);
	work_queue_close(p, &few);
	workers_free(p);
	loop_fini(&l);
	gate_fini(&gate);
}

/* What waits in a queue that is closed comes back without having run. */
static void
test_close(void **state)
{
	struct work_queue q, other;
	struct job jobs[4];
	int order[4], next = 0, i;
	unsigned back = 0;
	struct workers *p;
	struct gate gate;
	struct loop l;
	struct err err;

	(void)state;
	gate_init(&gate);
	assert_int_equal(loop_init(&l, &err), 0);
	p = workers_new(&l, 1, 12, &err);
	assert_non_null(p);
	work_queue_open(p, &q);
	work_queue_open(p, &other);
	for (i = 0; i < 4; i++) {
		jobs[i] = (struct job){ .work = { .run = run, .done = done },
					.order = order,
					.next = &next,
					.id = i,
					.back = &back,
					.gate = i ? NULL : &gate };
		assert_int_equal(
			work_submit(p, i == 3 ? &other : &q, &jobs[i].work), 0);
		if (i == 0)
			(void)sem_wait(&gate.entered);
	}
	work_queue_close(p, &q);
	assert_int_equal(back, 2);
	assert_false(jobs[1].ran || jobs[2].ran);
	(void)sem_post(&gate.open);
	wait_for(&l, &back, 4);
	assert_true(jobs[0].ran && jobs[3].ran);
	work_queue_close(p, &other);
	workers_free(p);
	loop_fini(&l);
	gate_fini(&gate);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
