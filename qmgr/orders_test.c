/* SPDX-License-Identifier: ISC */
/* Orders by selection, requeue and change. */
#include "selection.h"
#include "testbed.h"

/* --- tests that a selection makes ----------------------------------------- */

static void
test_address(void **state)
{
	static const struct {
		const char *pattern, *address;
		bool want;
	} rows[] = {
		{ "a@b.c", "a@b.c", true },
		{ "A@B.c", "a@b.C", true },
		{ "a@b.c", "aa@b.c", false },
		{ "@b.c", "x@b.c", true },
		{ "@b.c", "x@sub.b.c", false },
		{ "@b.c", "x@bb.c", false },
		{ "@b.c", "", false },
		{ "a@", "a@b.c", true },
		{ "a@", "aa@b.c", false },
		{ "a@", "a@b@c", false },
		{ "<>", "", true },
		{ "<>", "a@b.c", false },
		{ "root", "root", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (selection_address(str_of(rows[i].pattern),
				      str_of(rows[i].address)) != rows[i].want)
			fail_msg("%s %s", rows[i].pattern, rows[i].address);
}

static void
test_site(void **state)
{
	static const struct {
		const char *site;
		uint8_t type;
		const char *transport, *where, *address;
		bool want;
	} rows[] = {
		{ "b.c", RCPT_REMOTE, "smtp", "b.c", "a@b.c", true },
		{ "B.C", RCPT_REMOTE, "smtp", "[relay]:25", "a@b.c", true },
		{ "[relay]:25", RCPT_REMOTE, "smtp", "[relay]:25", "a@b.c",
		  true },
		{ "smtp:[relay]:25", RCPT_REMOTE, "smtp", "[relay]:25", "a@b.c",
		  true },
		{ "slow:[relay]:25", RCPT_REMOTE, "smtp", "[relay]:25", "a@b.c",
		  false },
		{ "[relay]", RCPT_REMOTE, "smtp", "[relay]:25", "a@b.c",
		  false },
		{ "b.c", RCPT_VIRTUAL, "", "b.c/a/", "a@b.c", true },
		{ "b.c/a/", RCPT_VIRTUAL, "", "b.c/a/", "a@b.c", false },
		{ "smtp:", RCPT_REMOTE, "smtp", "", "a@b.c", true },
	};
	struct msg_rcpt r = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r.type = rows[i].type;
		r.transport = str_of(rows[i].transport);
		r.where = str_of(rows[i].where);
		r.address = str_of(rows[i].address);
		if (selection_site(str_of(rows[i].site), &r) != rows[i].want)
			fail_msg("%s %s", rows[i].site, rows[i].where);
	}
}

/* --- orders --------------------------------------------------------------- */

/* Messages that wait, from and to each of the pairs. */
static void
defer(struct world *w, const char *const pairs[][2], unsigned n)
{
	unsigned i, had = w->nstored;

	w->fate = FATE_TEMP;
	for (i = 0; i < n; i++) {
		commit(w, i + 1, pairs[i][0], pairs[i][1]);
		UNTIL(w, w->nstored == had + i + 1 && w->q.nactive == 0);
	}
}

static void
ask(struct world *w, struct msg_queue m)
{
	unsigned before = w->ndone;

	w->nrows = 0;
	chan_send(w->admin, 1, &msg_queue_def, &m);
	UNTIL(w, w->ndone > before);
}

static void
test_select(void **state)
{
	static const char *const pairs[][2] = {
		{ "a@b.c", "v1@x" },
		{ "a@b.c", "v2@y v3@x" },
		{ "", "v4@y" },
		{ "o@B.C", "v5@z" },
	};
	const struct {
		struct msg_queue m;
		unsigned want;
	} rows[] = {
		{ { .sender = STR("a@b.c") }, 2 },
		{ { .sender = STR("@b.c") }, 3 },
		{ { .sender = STR("<>") }, 1 },
		{ { .site = STR("x") }, 2 },
		{ { .site = STR("y"), .sender = STR("@b.c") }, 1 },
		{ { .rcpt = STR("v3@x") }, 1 },
		{ { .rcpt = STR("@q") }, 0 },
		{ { .older_us = clock_wall_us() + 10000000 }, 4 },
		{ { .older_us = clock_wall_us() - 100000000 }, 0 },
		{ { .younger_us = clock_wall_us() - 100000000 }, 4 },
		{ { .younger_us = clock_wall_us() + 10000000 }, 0 },
		{ { .larger = 18 }, 4 },
		{ { .larger = 19 }, 0 },
		{ { .smaller = 18 }, 0 },
		{ { .smaller = 19 }, 4 },
		{ { .states = 1 << QUEUE_DEFERRED }, 3 },
		{ { .states = 1 << QUEUE_HELD }, 1 },
		{ { .states = 1 << QUEUE_ACTIVE }, 0 },
		{ { .states = 15, .site = STR("z") }, 1 },
	};
	struct world *w = *state;
	size_t i;

	defer(w, pairs, 4);
	order(w, QUEUE_HOLD, w->stored[3]);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct msg_queue m = rows[i].m;

		m.verb = QUEUE_LIST;
		m.id = STR("ALL");
		ask(w, m);
		if (w->nrows != rows[i].want || w->done.count != w->nrows)
			fail_msg("row %zu: %u, %u", i, w->nrows, w->done.count);
	}
	ask(w, (struct msg_queue){ .verb = QUEUE_DELETE,
				   .id = STR("ALL"),
				   .site = STR("x") });
	assert_int_equal(w->done.count, 2);
	UNTIL(w, w->q.by_id.n == 2);
	order(w, QUEUE_LIST, w->stored[0]);
	assert_int_equal(w->done.status, 1);
}

/* Several by name; one that is not there is said, the others are done. */
static void
test_ids(void **state)
{
	static const char *const pairs[][2] = { { "a@b.c", "v1@x" },
						{ "a@b.c", "v2@x" },
						{ "a@b.c", "v3@x" } };
	static const struct msg_def *const e = &msg_queue_id_def;
	struct msg_queue m = { .verb = QUEUE_HOLD };
	struct msg_queue_id id;
	struct world *w = *state;
	struct buf b;
	unsigned i;

	defer(w, pairs, 3);
	buf_init(&b, 4096);
	for (i = 0; i < 3; i++) {
		id.id = str_of(w->stored[i % 2]); /* one twice */
		assert_int_equal(msg_list_add(&b, e, &id, NULL), 0);
	}
	m.ids = msg_list_of(&b, 3, e);
	ask(w, m);
	assert_int_equal(w->done.status, 0);
	assert_int_equal(w->done.count, 2);
	id.id = STR("6B0000000000");
	assert_int_equal(msg_list_add(&b, e, &id, NULL), 0);
	m.ids = msg_list_of(&b, 4, e);
	m.verb = QUEUE_RELEASE;
	ask(w, m);
	assert_int_equal(w->done.status, 1);
	assert_int_equal(w->done.count, 2);
	assert_string_equal(w->done_text, "6B0000000000: no such message");
	order(w, QUEUE_RELEASE, w->stored[2]);
	assert_int_equal(w->done.status, 1);
	assert_string_equal(w->done_text, "it is not on hold");
	buf_fini(&b);
}

/* One asker cannot have any number of walks over the queue. */
static void
test_too_many(void **state)
{
	static const char *const pairs[][2] = { { "a@b.c", "v1@x" } };
	const struct msg_queue m = { .verb = QUEUE_FLUSH,
				     .id = STR("ALL"),
				     .site = STR("nowhere") };
	struct world *w = *state;
	unsigned i, before;

	defer(w, pairs, 1);
	chan_close(w->admin);
	w->admin = join(w, CH_SUBMITD_QMGR, &admin_ops);
	before = w->ndone;
	for (i = 0; i < 9; i++)
		chan_send(w->admin, i + 1, &msg_queue_def, &m);
	UNTIL(w, w->ndone > before);
	assert_int_equal(w->done.status, 75);
	UNTIL(w, w->ndone == before + 9);
	assert_int_equal(w->done.status, 0);
	ask(w, m);
	assert_int_equal(w->done.status, 0);
}

/* --- requeue -------------------------------------------------------------- */

static void
test_requeue(void **state)
{
	static const char *const pairs[][2] = { { "a@b.c", "v1@x valias@x" } };
	struct world *w = *state;

	w->alias = "vold@x";
	defer(w, pairs, 1);
	order(w, QUEUE_LIST, "ALL");
	assert_string_equal(w->row_rcpts, "v1@x vold@x");
	/* router cannot say: nothing has changed. */
	w->router_temp = true;
	order(w, QUEUE_REQUEUE, "ALL");
	assert_int_equal(w->done.status, 75);
	order(w, QUEUE_LIST, "ALL");
	assert_string_equal(w->row_rcpts, "v1@x vold@x");
	w->router_temp = false;
	w->alias = "vnew@x";
	order(w, QUEUE_REQUEUE, w->stored[0]);
	assert_int_equal(w->done.status, 0);
	assert_int_equal(w->done.count, 1);
	UNTIL(w, w->ndelivered == 4 && w->q.nactive == 0);
	order(w, QUEUE_LIST, "ALL");
	assert_string_equal(w->row_rcpts, "v1@x vnew@x");
	/* So it is after a restart; held ones go, too. */
	order(w, QUEUE_HOLD, "ALL");
	stop(w);
	start(w);
	order(w, QUEUE_LIST, "ALL");
	assert_string_equal(w->row_rcpts, "v1@x vnew@x");
	w->fate = FATE_OK;
	order(w, QUEUE_REQUEUE, "ALL");
	UNTIL(w, w->ndelivered == 6 && w->q.by_id.n == 0);
	assert_string_equal(w->last_path, "vnew@x/");
}

/* Who has it does not get it again. */
static void
test_requeue_done(void **state)
{
	struct world *w = *state;

	w->alias = "lnobody";
	w->q.reports->soft_bounce = true;
	commit(w, 1, "a@b.c", "v1@x valias@x");
	UNTIL(w, w->nstored == 1 && w->q.nactive == 0);
	w->alias = "v1@x";
	order(w, QUEUE_REQUEUE, "ALL");
	assert_int_equal(w->done.status, 1);
	w->alias = "v2@x";
	order(w, QUEUE_REQUEUE, "ALL");
	assert_int_equal(w->done.status, 0);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->ndelivered, 2);
	assert_string_equal(w->last_path, "v2@x/");
}

/* An order for one that is being delivered, and an end in between. */
static void
test_requeue_busy(void **state)
{
	struct world *w = *state;
	struct msg_queue m = { .verb = QUEUE_REQUEUE, .id = STR("ALL") };

	w->fate = FATE_WAIT;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->nstored == 1 && w->deliver);
	order(w, QUEUE_REQUEUE, w->stored[0]);
	assert_int_equal(w->done.status, 1);
	stop(w);
	w->fate = FATE_TEMP;
	start(w);
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	/* Deleted while its envelope is changed. */
	chan_send(w->admin, 1, &msg_queue_def, &m);
	m.verb = QUEUE_DELETE;
	chan_send(w->admin, 2, &msg_queue_def, &m);
	UNTIL(w, w->ndone == 3 && w->q.by_id.n == 0);
	/* The end comes while router is asked. */
	commit(w, 2, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 2 && w->q.nactive == 0);
	m.verb = QUEUE_REQUEUE;
	chan_send(w->admin, 3, &msg_queue_def, &m);
	UNTIL(w, !list_empty(&w->q.rewrites));
	stop(w);
	start(w);
	order(w, QUEUE_LIST, "ALL");
	assert_string_equal(w->row_rcpts, "v1@x");
}

/* --- change --------------------------------------------------------------- */

static struct msg_list
rcpt_list(struct buf *b, const char *address)
{
	const struct msg_rcpt_in in = { .address = str_of(address) };

	if (!address)
		return (struct msg_list){ .elem = &msg_rcpt_in_def };
	assert_int_equal(msg_list_add(b, &msg_rcpt_in_def, &in, NULL), 0);
	return msg_list_of(b, 1, &msg_rcpt_in_def);
}

static void
change(struct world *w, struct msg_queue_change m, const char *drop,
       const char *add)
{
	unsigned before = w->ndone;
	struct buf a, d;

	buf_init(&a, 4096);
	buf_init(&d, 4096);
	m.id = str_of(w->stored[0]);
	m.drop = rcpt_list(&d, drop);
	m.add = rcpt_list(&a, add);
	chan_send(w->admin, 1, &msg_queue_change_def, &m);
	UNTIL(w, w->ndone > before);
	buf_fini(&a);
	buf_fini(&d);
}

static void
test_change(void **state)
{
	static const char *const pairs[][2] = { { "a@b.c", "v1@x v2@x" } };
	struct msg_queue_change m = { 0 };
	struct world *w = *state;

	defer(w, pairs, 1);
	order(w, QUEUE_HOLD, "ALL");
	change(w, m, "v3@x", NULL);
	assert_int_equal(w->done.status, 1);
	assert_string_equal(w->done_text, "v3@x is no recipient that is to do");
	change(w, m, "V1@x", "v4@x");
	assert_int_equal(w->done.status, 0);
	order(w, QUEUE_LIST, "ALL");
	assert_string_equal(w->row_rcpts, "v2@x v4@x");
	assert_int_equal(w->rows_state, QUEUE_HELD);
	order(w, QUEUE_SHOW, w->stored[0]);
	assert_int_equal(w->nattempts, 2);
	m.what = CHANGE_DROP_ALL;
	change(w, m, NULL, NULL);
	assert_int_equal(w->done.status, 1);
	/* One that was dropped may come again. */
	m.what |= CHANGE_SENDER;
	m.sender = STR("new@b.c");
	change(w, m, NULL, "v1@x");
	assert_int_equal(w->done.status, 0);
	ask(w, (struct msg_queue){ .verb = QUEUE_LIST,
				   .id = STR("ALL"),
				   .sender = STR("new@b.c") });
	assert_int_equal(w->nrows, 1);
	assert_string_equal(w->row_rcpts, "v1@x");
	w->ndelivered = 0;
	w->fate = FATE_OK;
	order(w, QUEUE_RELEASE, "ALL");
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->ndelivered, 1);
}

/* A message that ctl hands in, on hold. */
static void
test_import(void **state)
{
	struct msg_commit m = { .flags = COMMIT_HOLD | COMMIT_8BITMIME,
				.header = STR("Subject: x\n"),
				.body = STR("\nHello\n") };
	struct world *w = *state;
	struct buf b;

	buf_init(&b, 4096);
	m.rcpts = rcpt_list(&b, "v1@x");
	chan_send(w->admin, 1, &msg_commit_def, &m);
	UNTIL(w, w->nstored == 1);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->rows_state, QUEUE_HELD);
	assert_string_equal(w->row_reason, "held by the administrator");
	order(w, QUEUE_RELEASE, w->stored[0]);
	UNTIL(w, w->ndelivered == 1 && w->q.by_id.n == 0);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_site),
		cmocka_unit_test_setup_teardown(test_select, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_requeue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_requeue_done, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_requeue_busy, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_import, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
