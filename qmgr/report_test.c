/* SPDX-License-Identifier: ISC */
/* Reports that are made later: while router is away, while the disk fails,
 * while qmgr stops; and large ones. */
#include "testbed.h"

/* The parent's slots cannot be written, then the process dies: the report that
 * nobody names is removed, and made anew. */
static void
test_unconfirmed(void **state)
{
	char path[200], away[200];
	struct world *w = *state;

	lose_result(w, FATE_PERM, path, away);
	stop(w);
	assert_int_equal(rename(away, path), 0);
	w->fate = FATE_OK;
	w->ndelivered = 0;
	start(w);
	assert_int_equal(w->q.by_id.n, 1);
	/* v1@x once more, and one report of the other. */
	UNTIL(w, w->ndelivered == 2 && w->q.by_id.n == 0);
	assert_string_equal(w->last_path, "vsender@x/");
}

/* Why one failed is known after a crash while others are still tried. */
static void
test_reason_kept(void **state)
{
	struct world *w = *state;
	struct qlog r = { 0 };
	struct str log;
	struct err err;
	uint64_t id;
	char *mem;

	w->fate = FATE_WAIT;
	commit(w, 1, "vsender@x", "v1@x lnobody");
	UNTIL(w, w->nstored == 1 && w->q.nsent == 1);
	assert_true(qid_parse(str_of(w->stored[0]), &id));
	UNTIL(w, message_find(&w->q, id)->active->ndirty);
	UNTIL(w, !message_find(&w->q, id)->active->ndirty);
	assert_int_equal(spool_log_read(w->q.spool, id, &mem, &log, &err), 0);
	assert_true(qlog_next(id, &log, &r));
	assert_int_equal(r.rcpt, 1);
	assert_true(str_eq(qlog_split(r.text).text, STR("no such user")));
	free(mem);
	assert_true(message_find(&w->q, id)->has_log);
}

static void
test_router_away(void **state)
{
	struct world *w = *state;

	w->fate = FATE_PERM;
	commit(w, 1, "vsender@x", "v1@x");
	UNTIL(w, w->nstored == 1);
	w->router_temp = true;
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	assert_int_equal(w->q.by_id.n, 1);
	/* Not delivered again, but reported, also after a restart. */
	stop(w);
	w->router_temp = false;
	w->fate = FATE_OK;
	start(w);
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->ndelivered == 2 && w->q.by_id.n == 0);
	assert_string_equal(w->last_path, "vsender@x/");
}

/* All of it is delivered, but who wants to know cannot be told now. */
static void
test_router_away_after_success(void **state)
{
	struct world *w = *state;

	commit(w, 1, "vsender@x", "vlist@x");
	UNTIL(w, w->nstored == 1);
	w->router_temp = true;
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	assert_int_equal(w->q.by_id.n, 1);
	stop(w);
	w->router_temp = false;
	start(w);
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->ndelivered == 2 && w->q.by_id.n == 0);
	assert_string_equal(w->last_path, "vsender@x/");
}

static void
test_drain(void **state)
{
	struct world *w = *state;
	bool drained = false;

	w->fate = FATE_PERM;
	commit(w, 1, "vsender@x", "v1@x");
	UNTIL(w, w->nstored == 1);
	w->router_mute = true;
	UNTIL(w, !list_empty(&w->q.reporting));
	qmgr_drain(&w->q, set_flag, &drained);
	UNTIL(w, drained);
	stop(w);
	w->router_mute = false;
	w->fate = FATE_OK;
	w->ndelivered = 0;
	start(w);
	UNTIL(w, w->ndelivered == 1 && w->q.by_id.n == 0);
	assert_string_equal(w->last_path, "vsender@x/");
}

/* The body stands in a file of its own; nothing is left of it. */
static void
test_large(void **state)
{
	struct world *w = *state;
	char to[300 * 12] = "";
	int i;

	for (i = 0; i < 300; i++)
		snprintf(to + strlen(to), 12, "v%d@x ", i);
	w->fate = FATE_PERM;
	commit(w, 1, "vsender@x", to);
	UNTIL(w, w->ndelivered == 300);
	w->fate = FATE_OK;
	UNTIL(w, w->ndelivered == 301 && w->q.by_id.n == 0);
	assert_string_equal(w->last_path, "vsender@x/");
	assert_true(w->last_body > COMMIT_INLINE_MAX);
}

/* Two reports of one message, and one more later. */
static void
test_generations(void **state)
{
	struct world *w = *state;

	w->params = "notify_classes = bounce 2bounce\n"
		    "delay_warning_time = 0\n"
		    "soft_bounce = 0\n";
	stop(w);
	start(w);
	w->fate = FATE_TEMP;
	commit(w, 1, "vsender@x", "v1@x lnobody");
	/* The copy, the report, and the message itself wait. */
	UNTIL(w, w->ndelivered == 3 && w->q.nactive == 0);
	assert_int_equal(w->q.by_id.n, 3);
	stop(w);
	start(w);
	assert_int_equal(w->q.by_id.n, 3);
	w->fate = FATE_PERM;
	order(w, QUEUE_FLUSH, w->stored[0]);
	UNTIL(w, w->q.nactive == 0 && w->ndelivered >= 6);
	w->fate = FATE_OK;
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->q.by_id.n == 0);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_unconfirmed), T(test_reason_kept),
		T(test_router_away), T(test_router_away_after_success),
		T(test_drain),	     T(test_large),
		T(test_generations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
