/* SPDX-License-Identifier: ISC */
/* Much at a time, and orders that meet each other. */
#include "testbed.h"

/* A message to n recipients with addresses of len bytes. */
static void
commit_many(struct world *w, uint32_t tag, uint32_t n, int len)
{
	struct msg_commit m = { .flags = COMMIT_STREAMED,
				.nrcpts = n,
				.sender = STR("a@b.c"),
				.rcpts.elem = &msg_rcpt_in_def };
	struct msg_stream begin = { 0 };
	struct msg_rcpt_in r = { 0 };
	struct msg_rcpts to;
	char address[ADDRESS_MAX];
	uint32_t i = 0, part;
	struct buf b;

	chan_send(w->rx, tag, &msg_stream_def, &begin);
	UNTIL(w, w->pipe >= 0);
	buf_init(&b, 65536);
	while (i < n) {
		buf_reset(&b);
		for (part = 0; i < n && b.n < 15000; i++, part++) {
			snprintf(address, sizeof(address), "v%0*u@x", len, i);
			r.address = str_of(address);
			assert_int_equal(
				msg_list_add(&b, &msg_rcpt_in_def, &r, NULL),
				0);
		}
		to.rcpts = msg_list_of(&b, part, &msg_rcpt_in_def);
		chan_send(w->rx, tag, &msg_rcpts_def, &to);
		loop_turn(&w->loop, false);
	}
	close(w->pipe);
	w->pipe = -1;
	chan_send(w->rx, tag, &msg_commit_def, &m);
	buf_fini(&b);
}

/* 10,000 recipients, twice: more than a channel holds at a time. */
static void
test_list_many(void **state)
{
	struct world *w = *state;

	w->fate = FATE_TEMP;
	commit_many(w, 1, 10000, 450);
	UNTIL(w, w->ndelivered == 10000 && w->q.nactive == 0);
	commit_many(w, 2, 10000, 450);
	UNTIL(w, w->ndelivered == 20000 && w->q.nactive == 0);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->done.status, 0);
	assert_int_equal(w->done.count, 2);
	assert_int_equal(w->nrow_rcpts, 20000);
	assert_string_equal(w->row_text, "as the test wants");
	/* A ctl that reads no more does not stay in memory. */
	chan_pause(w->admin);
	chan_send(w->admin, 9, &msg_queue_def,
		  &(struct msg_queue){ .verb = QUEUE_LIST, .id = STR("ALL") });
	UNTIL(w, !list_empty(&w->q.listings));
}

/* Nor do many of one asker run at a time. */
static void
test_list_often(void **state)
{
	struct msg_queue m = { .verb = QUEUE_LIST, .id = STR("ALL") };
	struct world *w = *state;
	uint32_t i;

	w->fate = FATE_TEMP;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	chan_close(w->admin);
	w->admin = join(w, CH_SUBMITD_QMGR, &admin_ops);
	for (i = 0; i < 50; i++)
		chan_send(w->admin, i + 1, &msg_queue_def, &m);
	UNTIL(w, w->ndone > 0);
	assert_int_equal(w->done.status, 75);
	UNTIL(w, w->ndone == 50);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->done.status, 0);
}

/* A wish that something else has overtaken does not come back later. */
static void
test_wish_is_over(void **state)
{
	struct msg_queue m = { .verb = QUEUE_FLUSH, .id = STR("ALL") };
	char path[200], away[200];
	struct world *w = *state;

	w->fate = FATE_TEMP;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	queue_path(w, w->stored[0], path, sizeof(path));
	snprintf(away, sizeof(away), "%s/away", w->dir);
	assert_int_equal(truncate(path, 900), 0);
	chan_send(w->admin, 1, &msg_queue_def, &m);
	m.verb = QUEUE_HOLD;
	chan_send(w->admin, 2, &msg_queue_def, &m);
	UNTIL(w, w->ndone == 2 && w->q.nactive == 0);
	order(w, QUEUE_LIST, "ALL");
	assert_string_equal(w->row_reason, "damaged queue file");
	assert_int_equal(
		message_find(&w->q, strtoull(w->stored[0], NULL, 16))->wish,
		WISH_NONE);
}

static void
test_memory(void **state)
{
	struct world *w = *state;
	size_t most = 0;
	uint32_t i;

	w->fate = FATE_TEMP;
	for (i = 0; i < 100; i++)
		commit(w, i + 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 100 && w->q.nactive == 0);
	/* All are due at once; each takes some 200 bytes. */
	w->fate = FATE_OK;
	w->q.set.memory = 1000;
	chan_send(w->admin, 1, &msg_queue_def,
		  &(struct msg_queue){ .verb = QUEUE_FLUSH, .id = STR("ALL") });
	while (w->ndelivered < 200) {
		loop_turn(&w->loop, true);
		if (w->q.nactive - w->q.nsent > most)
			most = w->q.nactive - w->q.nsent;
	}
	assert_true(most < 30);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->q.active_bytes, 0);
}

/* Idle processes give their places to all who wait, at once. */
static void
test_places(void **state)
{
	struct world *w = *state;

	w->q.set.targets_max = 3;
	commit(w, 1, "a@b.c", "la lb lc");
	UNTIL(w, w->ndelivered == 3 && w->q.nopen == 3 && w->q.nsent == 0);
	w->fate = FATE_WAIT;
	commit(w, 2, "a@b.c", "ld le lf lg");
	UNTIL(w, w->nopened == 6);
	assert_int_equal(w->q.nopen, 3);
}

/* Deleted is gone, even if qmgr dies the next moment. */
static void
test_delete_is_final(void **state)
{
	struct world *w = *state;
	char path[200];

	w->q.set.active_max = 0;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->nstored == 1);
	queue_path(w, w->stored[0], path, sizeof(path));
	assert_int_equal(access(path, F_OK), 0);
	order(w, QUEUE_DELETE, "ALL");
	assert_int_equal(w->done.count, 1);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(w->ndelivered, 0);
}

static void
test_space(void **state)
{
	struct world *w = *state;

	w->q.set.minfree = UINT64_MAX;
	w->q.up.ticks = 0;
	upkeep_tick(&w->q);
	UNTIL(w, w->pressure == 1);
	/* A reload without the limit ends what it began. */
	w->q.set.minfree = 0;
	w->q.up.ticks = 0;
	upkeep_tick(&w->q);
	UNTIL(w, w->pressure == 0);
}

static void
test_drain_is_quick(void **state)
{
	struct world *w = *state;
	bool drained = false;
	uint64_t begun;

	w->q.set.minfree = 1;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 1 && w->q.by_id.n == 0);
	/* Measuring the space is what ends last. */
	w->q.up.tidying = true;
	w->q.up.ticks = 0;
	upkeep_tick(&w->q);
	begun = clock_mono_ms();
	qmgr_drain(&w->q, set_flag, &drained);
	UNTIL(w, drained);
	assert_true(clock_mono_ms() - begun < 3900);
}

/* What could not be synced closes the door until the disk is well again. */
static void
test_broken_disk(void **state)
{
	struct world *w = *state;

	w->q.up.ticks = 1; /* the disk is tried every five seconds */
	qmgr_disk_failed(&w->q);
	UNTIL(w, w->pressure == 1);
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->nrefused == 1);
	assert_int_equal(w->refused_code, 451);
	w->q.up.ticks = 0; /* its turn to try the disk */
	upkeep_tick(&w->q);
	UNTIL(w, w->pressure == 0);
	commit(w, 2, "a@b.c", "v1@x");
	UNTIL(w, w->nstored == 1 && w->ndelivered == 1);
}

/* A result that cannot be written is kept; the message is not sent again
 * meanwhile, and not lost. */
static void
test_result_is_kept(void **state)
{
	char path[200], away[200];
	struct world *w = *state;

	lose_result(w, FATE_TEMP, path, away);
	order(w, QUEUE_FLUSH, "ALL");
	assert_int_equal(w->done.count, 1);
	message_mark_round(&w->q); /* not yet its time */
	/* The report of the failure is on disk, but no message yet. */
	assert_int_equal(w->q.by_id.n, 1);
	assert_int_equal(rename(away, path), 0);
	LIST_OF(w->q.stuck.next, struct active, link)->retry_ms = 0;
	UNTIL(w, w->ndelivered == 2 && w->q.nactive == 0);
	assert_int_equal(w->q.by_id.n, 2);
	/* Now it is on disk: one has failed, the other waits, as the report
	 * does. */
	stop(w);
	w->fate = FATE_OK;
	start(w);
	assert_int_equal(w->q.by_id.n, 2);
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->ndelivered == 4 && w->q.by_id.n == 0);
	assert_int_equal(w->maybe, 3);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_broken_disk),  T(test_result_is_kept),
		T(test_list_many),    T(test_list_often),
		T(test_wish_is_over), T(test_memory),
		T(test_places),	      T(test_delete_is_final),
		T(test_space),	      T(test_drain_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
