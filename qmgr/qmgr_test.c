/* SPDX-License-Identifier: ISC */
/* Messages in and out; deaths, restarts, orders. */
#include "testbed.h"

enum { BODIES = 200000 };

static void
test_deliver(void **state)
{
	struct world *w = *state;

	commit(w, 1, "a@b.c", "v1@x v2@x luser");
	UNTIL(w, w->nstored == 1 && w->ndelivered == 3);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->nopened, 2);
	assert_int_equal(w->maybe, 0);
	assert_int_equal(w->pressure, 0);
}

static void
test_many(void **state)
{
	struct world *w = *state;
	uint32_t i;

	for (i = 0; i < 400; i++)
		commit(w, i + 1, "a@b.c", "v1@x");
	UNTIL(w, w->nstored == 400 && w->ndelivered == 400);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->nopened, 1);
	assert_int_equal(w->q.nactive, 0);
	assert_int_equal(w->q.active_bytes, 0);
}

static void
test_errors(void **state)
{
	struct world *w = *state;

	/* None can be delivered: refused before commit. */
	commit(w, 1, "a@b.c", "x@x y@x");
	UNTIL(w, w->nrefused == 1);
	assert_int_equal(w->refused_code, 550);
	assert_string_equal(w->refused_dsn, "5.1.1");
	/* Some: the sender is told. */
	commit(w, 2, "vsender@x", "v1@x x@x");
	UNTIL(w, w->ndelivered == 2 && w->q.by_id.n == 0);
	assert_string_equal(w->last_path, "vsender@x/");
	/* Discarded: taken, nothing is kept. */
	commit(w, 3, "a@b.c", "d@x");
	UNTIL(w, w->nstored == 2);
	assert_int_equal(w->q.by_id.n, 0);
	w->router_temp = true;
	commit(w, 4, "a@b.c", "v1@x");
	UNTIL(w, w->nrefused == 2);
	assert_int_equal(w->refused_code, 451);
}

static void
test_admin(void **state)
{
	struct world *w = *state;

	w->fate = FATE_TEMP;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->rows_state, QUEUE_DEFERRED);
	assert_string_equal(w->row_text, "as the test wants");
	order(w, QUEUE_SHOW, w->stored[0]);
	assert_int_equal(w->shown, 11 + 7);
	order(w, QUEUE_FLUSH, "ALL");
	assert_int_equal(w->done.count, 1);
	UNTIL(w, w->ndelivered == 2 && w->q.nactive == 0);
	order(w, QUEUE_HOLD, w->stored[0]);
	assert_int_equal(w->done.count, 1);
	order(w, QUEUE_FLUSH, "ALL");
	assert_int_equal(w->done.count, 0);
	order(w, QUEUE_LIST, w->stored[0]);
	assert_int_equal(w->rows_state, QUEUE_HELD);
	/* It is on hold after a restart as well. */
	stop(w);
	start(w);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->rows_state, QUEUE_HELD);
	w->fate = FATE_OK;
	order(w, QUEUE_RELEASE, w->stored[0]);
	UNTIL(w, w->ndelivered == 3 && w->q.by_id.n == 0);
	assert_int_equal(w->maybe, 2); /* the flush, and after the restart */
	order(w, QUEUE_DELETE, w->stored[0]);
	assert_int_equal(w->done.status, 1);
	w->fate = FATE_TEMP;
	commit(w, 2, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 4 && w->q.nactive == 0);
	order(w, QUEUE_DELETE, "ALL");
	UNTIL(w, w->q.by_id.n == 0);
}

/* What submitd may have for the users of this host. */
static void
test_users_orders(void **state)
{
	struct world *w = *state;
	struct chan *administrator = w->admin;

	w->fate = FATE_TEMP;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	w->admin = join(w, CH_SUBMITD_QMGR, &admin_ops);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->done.status, 0);
	assert_int_equal(w->nrows, 1);
	order(w, QUEUE_SHOW, w->stored[0]);
	assert_int_equal(w->done.status, 77);
	assert_int_equal(w->shown, 0);
	order(w, QUEUE_HOLD, "ALL");
	assert_int_equal(w->done.status, 77);
	order(w, QUEUE_RELEASE, "ALL");
	assert_int_equal(w->done.status, 77);
	order(w, QUEUE_DELETE, "ALL");
	assert_int_equal(w->done.status, 77);
	order(w, (enum queue_verb)0, "ALL");
	assert_int_equal(w->done.status, 77);
	assert_int_equal(w->q.by_id.n, 1);
	order(w, QUEUE_FLUSH, w->stored[0]);
	assert_int_equal(w->done.count, 1);
	UNTIL(w, w->ndelivered == 2 && w->q.nactive == 0);
	chan_close(w->admin);
	w->admin = administrator;
}

static void
test_failed(void **state)
{
	struct world *w = *state;

	w->fate = FATE_PERM;
	commit(w, 1, "vsender@x", "v1@x lnobody");
	/* The report fails as well, and so does what the postmaster gets of
	 * it; that is the end. */
	UNTIL(w, w->ndelivered == 3 && w->q.by_id.n == 0);
	assert_string_equal(w->last_path, "vpost@x/");
}

static void
test_restart(void **state)
{
	struct world *w = *state;

	w->fate = FATE_WAIT;
	commit(w, 1, "a@b.c", "v1@x");
	commit(w, 2, "a@b.c", "v2@x");
	UNTIL(w, w->nstored == 2 && w->q.nsent == 2);
	stop(w); /* as kill -9 does, the answers never come */
	w->fate = FATE_OK;
	start(w);
	UNTIL(w, w->ndelivered == 2 && w->q.by_id.n == 0);
	assert_int_equal(w->maybe, 2);
}

/* The clock was a year fast when the next try was written down. */
static void
test_clock_was_wrong(void **state)
{
	const uint64_t now = clock_wall_us();
	struct spool_found f = {
		.head = { .id = 0x6b0000000000, .nrcpts = 1 },
		.msg = { .seq = 1, .state = QFILE_ACTIVE },
	};
	struct world *w = *state;

	f.msg.next_try_us = now + 1000000;
	assert_int_equal(message_found(&w->q, &f), 0);
	assert_true(message_find(&w->q, f.head.id)->due.key ==
		    f.msg.next_try_us);
	f.head.id++;
	f.msg.next_try_us = now + 31536000000000;
	assert_int_equal(message_found(&w->q, &f), 0);
	assert_in_range(message_find(&w->q, f.head.id)->due.key, now,
			now + w->q.set.retry.max_us + 60000000);
}

static void
test_worker_dies(void **state)
{
	struct world *w = *state;

	w->fate = FATE_DIE;
	w->killer = "killer@b.c";
	commit(w, 1, "good@b.c", "v1@x");
	commit(w, 2, "killer@b.c", "v1@x");
	commit(w, 3, "good@b.c", "v1@x");
	UNTIL(w, w->nstored == 3 && w->ndelivered >= 2 && w->q.nactive == 0);
	assert_int_equal(w->q.by_id.n, 1);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->rows_state, QUEUE_HELD);
	assert_string_equal(w->row_reason, "delivery processes died of it");
}

/* Send a body of n bytes as a stream; lie: the CRC is wrong. */
static void
stream(struct world *w, uint32_t tag, size_t n, bool lie, const char *rcpt,
       size_t header)
{
	struct msg_stream begin = { .size = n };
	struct msg_rcpt_in r = { .address = str_of(rcpt) };
	struct msg_commit m = { .flags = COMMIT_STREAMED,
				.nrcpts = 1,
				.sender = STR("a@b.c"),
				.rcpts.elem = &msg_rcpt_in_def };
	char part[10000], *text = calloc(1, header);
	struct msg_header h;
	struct msg_rcpts to;
	size_t done = 0, k;
	struct buf b;

	memset(text, 'h', header);
	buf_init(&b, 4096);
	assert_int_equal(msg_list_add(&b, &msg_rcpt_in_def, &r, NULL), 0);
	to.rcpts = msg_list_of(&b, 1, &msg_rcpt_in_def);
	chan_send(w->rx, tag, &msg_stream_def, &begin);
	UNTIL(w, w->pipe >= 0);
	chan_send(w->rx, tag, &msg_rcpts_def, &to);
	for (k = 0; k < header; k += h.header.n) {
		h.header = str_mem(text + k, header - k < HEADER_PART_MAX
						     ? header - k
						     : HEADER_PART_MAX);
		chan_send(w->rx, tag, &msg_header_def, &h);
	}
	while (done < n) {
		k = n - done < sizeof(part) ? n - done : sizeof(part);
		memset(part, 'a' + (int)(done / sizeof(part) % 26), k);
		assert_int_equal(write(w->pipe, part, k), k);
		m.body_crc = enc_crc32c(m.body_crc, part, k);
		done += k;
		loop_turn(&w->loop, false);
	}
	close(w->pipe);
	w->pipe = -1;
	m.body_len = n;
	m.body_crc ^= lie;
	m.header_len = (uint32_t)header;
	chan_send(w->rx, tag, &msg_commit_def, &m);
	buf_fini(&b);
	free(text);
}

static void
test_stream(void **state)
{
	struct world *w = *state;

	stream(w, 7, BODIES, false, "v1@x", 100);
	UNTIL(w, w->nstored == 1 && w->ndelivered == 1);
	assert_int_equal(w->last_body, BODIES);
	UNTIL(w, w->q.by_id.n == 0);
	stream(w, 8, BODIES, true, "v1@x", 100);
	UNTIL(w, w->nrefused == 1);
	assert_int_equal(w->refused_code, 451);
	stream(w, 9, BODIES, false, "x@x", 100);
	UNTIL(w, w->nrefused == 2);
	assert_int_equal(w->refused_code, 550);
	/* A header block too large for a frame goes into the body's file. */
	stream(w, 10, 1000, false, "v1@x", 100000);
	UNTIL(w, w->nstored == 2 && w->ndelivered == 2);
	assert_int_equal(w->last_body, 101000);
	UNTIL(w, w->q.nintakes == 0);
}

static void
test_stream_deferred(void **state)
{
	struct world *w = *state;

	w->fate = FATE_TEMP;
	stream(w, 7, BODIES, false, "v1@x", 100);
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	stop(w);
	w->fate = FATE_OK;
	start(w);
	order(w, QUEUE_SHOW, w->stored[0]);
	assert_int_equal(w->shown, BODIES + 100);
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->ndelivered == 2 && w->q.by_id.n == 0);
	assert_int_equal(w->last_body, BODIES);
}

/* The clock was ten days ahead: nothing waits until then. */
static void
test_clock_back(void **state)
{
	uint64_t now = clock_wall_us(), ahead = now + 864000000000, id;
	struct world *w = *state;
	struct message *m;

	w->fate = FATE_TEMP;
	clock_fix_wall_us(ahead);
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	assert_true(qid_parse(str_of(w->stored[0]), &id));
	m = message_find(&w->q, id);
	assert_true(m->due.key > ahead);
	clock_fix_wall_us(now);
	message_schedule(&w->q);
	assert_in_range(m->due.key, now, now + settings.retry.max_us);
	clock_fix_wall_us(0);
}

/* Large messages to a host that takes its time are not all that is done. */
static void
test_stream_backlog(void **state)
{
	struct world *w = *state;
	uint64_t id;
	unsigned i;

	w->q.set.big_max = 10;
	w->q.set.site.window.initial = w->q.set.site.window.limit = 1;
	w->remote.fate = FATE_WAIT;
	for (i = 0; i < 16; i++)
		stream(w, 100 + i, 1000, false, "r1@x.test", 100);
	UNTIL(w, w->nstored == 16 && w->remote.nwait == 1);
	w->fate = FATE_TEMP;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 1 && w->nstored == 17);
	assert_true(qid_parse(str_of(w->stored[16]), &id));
	UNTIL(w, message_find(&w->q, id)->state == MESSAGE_DEFERRED);
	w->fate = FATE_OK;
	order(w, QUEUE_FLUSH, w->stored[16]);
	UNTIL(w, w->ndelivered == 2);
	w->remote.fate = FATE_OK;
	while (w->remote.nwait)
		answer_one(w, FATE_OK);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->q.nactive + w->q.nbig + w->q.active_bytes, 0);
}

static void
test_stream_abort(void **state)
{
	struct world *w = *state;
	struct msg_stream begin = { 0 };
	struct msg_abort abort_msg = { 0 };

	chan_send(w->rx, 1, &msg_stream_def, &begin);
	UNTIL(w, w->pipe >= 0);
	assert_int_equal(write(w->pipe, "half", 4), 4);
	chan_send(w->rx, 1, &msg_abort_def, &abort_msg);
	UNTIL(w, w->q.nintakes == 0);
	close(w->pipe);
	w->pipe = -1;
	/* And with the receiver gone. */
	chan_send(w->rx, 2, &msg_stream_def, &begin);
	UNTIL(w, w->pipe >= 0);
	chan_close(w->rx);
	w->rx = NULL;
	/* The administrator is left. */
	UNTIL(w,
	      w->q.nintakes == 0 && w->q.receivers.next == w->q.receivers.prev);
	close(w->pipe);
	w->pipe = -1;
}

/* A request that is taken back at once does not stay in the count of those in
 * flight, on neither side. */
static void
test_stream_abort_credit(void **state)
{
	struct world *w = *state;
	struct msg_stream begin = { 0 };
	struct msg_abort abort_msg = { 0 };
	uint32_t tag;

	for (tag = 1; tag <= 2u * chan_row(w->rx)->inflight; tag++) {
		chan_send(w->rx, tag, &msg_stream_def, &begin);
		chan_send(w->rx, tag, &msg_abort_def, &abort_msg);
		if (tag % 100 == 0)
			UNTIL(w, chan_inflight(w->rx) == 0);
	}
	UNTIL(w, w->q.nintakes == 0 && chan_inflight(w->rx) == 0);
	if (w->pipe >= 0)
		close(w->pipe);
	w->pipe = -1;
	w->nrefused = 0;
	stream(w, tag, BODIES, false, "v1@x", 100);
	UNTIL(w, w->nstored == 1);
}

/* Parts without a COMMIT do not take all the memory. */
static void
test_stream_parts_limit(void **state)
{
	static char text[HEADER_PART_MAX];
	struct world *w = *state;
	struct msg_stream begin = { 0 };
	struct msg_header h = { str_mem(text, sizeof(text)) };
	struct msg_commit m = { .flags = COMMIT_STREAMED,
				.rcpts.elem = &msg_rcpt_in_def };
	uint32_t tag;
	int i;

	for (tag = 1; tag <= 20; tag++) {
		chan_send(w->rx, tag, &msg_stream_def, &begin);
		UNTIL(w, w->pipe >= 0);
		close(w->pipe);
		w->pipe = -1;
		for (i = 0; i < 4000000 / HEADER_PART_MAX; i++) {
			chan_send(w->rx, tag, &msg_header_def, &h);
			m.header_len = (uint32_t)(i + 1) * HEADER_PART_MAX;
			loop_turn(&w->loop, false);
		}
	}
	assert_in_range(w->q.held, INTAKE_HELD_MAX / 2, INTAKE_HELD_MAX);
	chan_send(w->rx, 20, &msg_commit_def, &m);
	UNTIL(w, w->nrefused == 1);
	assert_int_equal(w->refused_code, 451);
	chan_close(w->rx);
	w->rx = NULL;
	UNTIL(w, w->q.nintakes == 0);
	assert_int_equal(w->q.held, 0);
}

static void
test_drain(void **state)
{
	struct world *w = *state;
	bool drained = false;

	commit(w, 1, "a@b.c", "v1@x");
	commit(w, 2, "a@b.c", "v2@x");
	UNTIL(w, w->q.nintakes == 2);
	qmgr_drain(&w->q, set_flag, &drained);
	UNTIL(w, drained);
	/* What was taken was answered. */
	loop_turn(&w->loop, false);
	loop_turn(&w->loop, false);
	assert_int_equal(w->nstored, 2);
	stop(w);
	start(w);
	UNTIL(w, w->ndelivered == 2 && w->q.by_id.n == 0);
}

static void
test_lock(void **state)
{
	struct world *w = *state;
	struct qmgr other;
	struct err err;

	assert_int_equal(
		qmgr_init(&other, &w->loop, w->root, &settings, 0, &err), -1);
	assert_int_equal(err.class, ERR_TEMP);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_deliver),
		T(test_many),
		T(test_errors),
		T(test_admin),
		T(test_users_orders),
		T(test_failed),
		T(test_restart),
		T(test_clock_was_wrong),
		T(test_worker_dies),
		T(test_stream),
		T(test_stream_deferred),
		T(test_clock_back),
		T(test_stream_backlog),
		T(test_stream_abort),
		T(test_stream_abort_credit),
		T(test_stream_parts_limit),
		T(test_drain),
		T(test_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
