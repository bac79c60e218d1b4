/* SPDX-License-Identifier: ISC */
/* Messages to other hosts: workers, destinations. */
#include "testbed.h"

static void
test_send(void **state)
{
	struct world *w = *state;

	commit(w, 1, "a@b.c", "ra@x.test rb@x.test rc@y.test v1@x");
	UNTIL(w, w->remote.nrcpts == 3 && w->ndelivered == 1);
	assert_int_equal(w->remote.nsent, 2);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->q.nactive, 0);
	assert_int_equal(w->q.active_bytes, 0);
}

/* What a host has taken is not sent again when qmgr is killed now. */
static void
test_sent_is_gone(void **state)
{
	struct world *w = *state;
	char path[200];
	struct stat st;
	uint64_t id;

	commit(w, 1, "a@b.c", "ra@x.test");
	UNTIL(w, w->nstored == 1 && w->q.by_id.n == 0);
	assert_true(qid_parse(str_of(w->stored[0]), &id));
	snprintf(path, sizeof(path), "%s/msg/%02x/%s", w->dir,
		 (unsigned)(id >> 8) & 255, w->stored[0]);
	assert_true(stat(path, &st) < 0 || st.st_size == 0);
}

static void
test_fail(void **state)
{
	struct world *w = *state;

	w->remote.fate = FATE_TEMP;
	commit(w, 1, "a@b.c", "ra@x.test");
	UNTIL(w, w->remote.nsent == 1 && w->q.nactive == 0);
	assert_int_equal(w->q.by_id.n, 1);
	w->remote.fate = FATE_OK;
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->remote.nsent, 2);
}

/* A message from a@b.c to n recipients of one host. */
static void
commit_to(struct world *w, uint32_t tag, const char *host, unsigned n)
{
	struct buf b;
	unsigned i;

	buf_init(&b, 65536);
	for (i = 0; i < n; i++)
		buf_addf(&b, "r%u@%s ", i, host);
	commit(w, tag, "a@b.c", buf_cstr(&b));
	buf_fini(&b);
}

/* count messages to it, all stored. */
static void
commit_some(struct world *w, const char *host, unsigned count)
{
	unsigned i, want = w->nstored + count;

	for (i = 0; i < count; i++)
		commit_to(w, 100 + w->nstored + i, host, 1);
	UNTIL(w, w->nstored == want);
}

static void
turn_for(struct world *w, unsigned ms)
{
	uint64_t end = clock_mono_ms() + ms;

	while (clock_mono_ms() < end) {
		loop_turn(&w->loop, false);
		usleep(1000);
	}
}

static struct site *
the_site(struct world *w, const char *host)
{
	return site_find(&w->q, STR("smtp"), str_of(host));
}

static void
test_group(void **state)
{
	struct world *w = *state;

	commit_to(w, 1, "x.test", 120);
	UNTIL(w, w->remote.nrcpts == 120);
	assert_int_equal(w->remote.nsent, 3);
	assert_int_equal(w->remote.most, 50);
	UNTIL(w, w->q.by_id.n == 0);
}

static void
test_window_grows(void **state)
{
	struct world *w = *state;

	w->remote.fate = FATE_WAIT;
	commit_some(w, "x.test", 40);
	UNTIL(w, w->remote.nwait == 5);
	turn_for(w, 20);
	assert_int_equal(w->remote.nwait, 5);
	answer_one(w, FATE_OK);
	UNTIL(w, w->remote.nwait == 6);
	while (w->remote.nsent < 39) {
		unsigned before = w->remote.nsent;

		answer_one(w, FATE_OK);
		UNTIL(w, w->remote.nsent > before);
		turn_for(w, 2);
	}
	assert_int_equal(the_site(w, "x.test")->window.n, 20);
	/* Both have their part. */
	assert_true(w->remote.of[0] > 10 && w->remote.of[1] > 10);
	w->remote.fate = FATE_OK;
	while (w->remote.nwait)
		answer_one(w, FATE_OK);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->q.nsent, 0);
	assert_int_equal(w->q.sites.nidle, 1);
}

static void
test_window_reload(void **state)
{
	struct world *w = *state;
	struct site *s;

	w->remote.fate = FATE_WAIT;
	commit_some(w, "x.test", 8);
	UNTIL(w, w->remote.nwait == 5);
	s = the_site(w, "x.test");
	w->q.set.site.window.limit = 2;
	sites_reload(&w->q);
	while (w->remote.nwait > 2)
		answer_one(w, FATE_OK);
	UNTIL(w, s->busy == 2);
	turn_for(w, 20);
	assert_int_equal(w->remote.nsent, 5);
	w->remote.fate = FATE_OK;
	while (w->remote.nwait)
		answer_one(w, FATE_OK);
	UNTIL(w, w->q.by_id.n == 0);
}

static void
test_limits(void **state)
{
	struct world *w = *state;

	smtp_client_start(&w->q, 1); /* what they get has an order */
	w->q.set.site.processes = 3;
	w->remote.fate = FATE_WAIT;
	commit_some(w, "x.test", 6);
	commit_some(w, "y.test", 2);
	UNTIL(w, w->remote.nwait == 3);
	turn_for(w, 20);
	assert_int_equal(w->remote.nwait, 3);
	w->remote.fate = FATE_OK;
	while (w->remote.nwait)
		answer_one(w, FATE_OK);
	UNTIL(w, w->q.by_id.n == 0);
	/* y does not wait till all of x have gone. */
	w->remote.order[w->remote.nsent] = '\0';
	assert_string_equal(w->remote.order, "xxxxyxyx");
}

static void
test_deferred_transport(void **state)
{
	struct world *w = *state;

	w->q.set.site.deferred = true;
	commit(w, 1, "a@b.c", "ra@x.test v1@x");
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	assert_int_equal(w->remote.nsent, 0);
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->remote.nsent, 1);
}

static void
test_rate_delay(void **state)
{
	struct world *w = *state;
	uint64_t begin = clock_mono_ms();

	w->q.set.site.rate_delay_ms = 40;
	w->q.set.site.window.limit = 1;
	commit_some(w, "x.test", 4);
	UNTIL(w, w->q.by_id.n == 0);
	assert_true(clock_mono_ms() - begin >= 120);
}

/* --- dead destinations ---------------------------------------------------- */

enum { HOUR = 1800000000 };

/* x.test has died of as many messages as its window takes. */
static void
kill_site(struct world *w, uint64_t min_us)
{
	w->q.set.retry.min_us = min_us;
	w->q.set.retry.max_us = 2 * min_us;
	w->remote.down = "x.test";
	commit_some(w, "x.test", 4);
	UNTIL(w, w->q.nactive == 0);
	assert_int_equal(the_site(w, "x.test")->state, SITE_DEAD);
	assert_string_equal(the_site(w, "x.test")->why, "4.4.1 connect to x");
}

static void
test_dead(void **state)
{
	struct world *w = *state;
	struct site *s;
	uint64_t begin;

	kill_site(w, 200000);
	s = the_site(w, "x.test");
	/* The first attempts may have been made before it died. */
	commit_some(w, "x.test", 20);
	UNTIL(w, w->q.nactive == 0);
	assert_true(w->remote.nsent < 16);
	assert_true(s->nparked >= 20);
	/* Others are as before. */
	commit_some(w, "y.test", 3);
	UNTIL(w, w->q.by_id.n == 24);
	/* It is asked less and less often, by one message a time. */
	w->remote.nsent = 0;
	begin = clock_mono_ms();
	UNTIL(w, w->remote.nsent == 4);
	assert_true(clock_mono_ms() - begin >= 2 * 400);
	assert_int_equal(w->q.by_id.n, 24);
	assert_int_equal(s->backoff_ms, 400);
	/* All wake when one has got through. */
	w->remote.down = NULL;
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(s->state, SITE_ALIVE);
	assert_int_equal(s->nparked + s->nwoken + s->ntodo + s->busy, 0);
}

/* Nothing of what is parked is read again and again. */
static void
test_parked_rest(void **state)
{
	struct world *w = *state;
	struct message *m;

	kill_site(w, HOUR);
	commit_some(w, "x.test", 2);
	UNTIL(w, w->q.nactive == 0);
	m = message_find(&w->q, strtoull(w->stored[4], NULL, 16));
	assert_ptr_equal(m->site, the_site(w, "x.test"));
	assert_int_equal(m->tries, 0);
	assert_int_equal(m->seq, 1);
	assert_true(m->due.key > clock_wall_us() + 3600000000);
	/* What is known of its host can be seen. */
	order(w, QUEUE_LIST, w->stored[5]);
	assert_int_equal(w->rows_state, QUEUE_DEFERRED);
	assert_string_equal(w->row_text, "delivery temporarily "
					 "suspended: connect to x");
	/* The administrator's wish counts, also for one. */
	w->remote.down = NULL;
	w->remote.nsent = 0;
	order(w, QUEUE_FLUSH, w->stored[5]);
	UNTIL(w, !message_find(&w->q, strtoull(w->stored[5], NULL, 16)));
}

static void
test_parked_orders(void **state)
{
	struct world *w = *state;

	kill_site(w, HOUR);
	commit_some(w, "x.test", 3);
	UNTIL(w, w->q.nactive == 0);
	order(w, QUEUE_DELETE, w->stored[4]);
	order(w, QUEUE_HOLD, w->stored[5]);
	UNTIL(w, w->q.by_id.n == 6);
	assert_int_equal(the_site(w, "x.test")->nparked, 5);
	order(w, QUEUE_RELEASE, w->stored[5]);
	UNTIL(w, the_site(w, "x.test")->nparked == 6);
	w->remote.down = NULL;
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->q.by_id.n == 0);
}

/* A message to a dead host and to one that lives. */
static void
test_two_sites(void **state)
{
	struct world *w = *state;

	kill_site(w, HOUR);
	w->remote.nsent = 0;
	commit(w, 1, "a@b.c", "ra@x.test rb@y.test");
	UNTIL(w, w->remote.nsent == 1 && w->q.nactive == 0);
	assert_string_equal(w->remote.nexthop, "y.test");
	w->remote.down = NULL;
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->q.by_id.n == 0);
}

/* What waits for a dead host is not kept for ever. */
static void
test_parked_expires(void **state)
{
	struct world *w = *state;

	kill_site(w, HOUR);
	w->q.reports->lifetime_us = 300000;
	w->remote.nsent = 0;
	commit_some(w, "x.test", 1);
	UNTIL(w, w->q.nactive == 0);
	assert_int_equal(w->remote.nsent, 0);
	order(w, QUEUE_LIST, w->stored[4]);
	assert_int_equal(w->rows_state, QUEUE_DEFERRED);
	/* It is returned, and so is what returns it, to the postmaster. */
	UNTIL(w, w->q.by_id.n == 4);
	assert_string_equal(w->last_path, "vpost@x/");
}

/* A host that takes its time does not fill the memory. */
static void
test_backlog(void **state)
{
	struct world *w = *state;
	struct site *s;

	w->q.set.active_max = 20;
	w->remote.fate = FATE_WAIT;
	commit_some(w, "x.test", 60);
	UNTIL(w, w->remote.nwait == 5);
	turn_for(w, 20);
	s = the_site(w, "x.test");
	assert_true(s->nparked >= 40);
	assert_true(w->q.nactive < 20);
	w->remote.fate = FATE_OK;
	commit_some(w, "y.test", 10);
	UNTIL(w, w->q.by_id.n == 60);
	while (w->remote.nwait)
		answer_one(w, FATE_OK);
	UNTIL(w, w->q.by_id.n == 0);
}

/* What had to wait while it lived is said to be deferred when it dies. */
static void
test_backlog_dies(void **state)
{
	struct world *w = *state;
	struct site *s;

	w->q.set.retry.min_us = w->q.set.retry.max_us = HOUR;
	w->q.set.active_max = 20;
	w->remote.fate = FATE_WAIT;
	commit_some(w, "x.test", 60);
	UNTIL(w, w->remote.nwait == 5);
	s = the_site(w, "x.test");
	UNTIL(w, s->nuntold >= 40);
	while (w->remote.nwait)
		answer_one(w, FATE_TEMP);
	UNTIL(w, s->state == SITE_DEAD && s->nparked >= 55 && !s->nuntold);
	UNTIL(w, w->q.nactive == 0);
	assert_in_range(w->remote.nsent, 5, 9);
}

static void
test_many_sites(void **state)
{
	struct world *w = *state;
	char host[32];
	unsigned i;

	for (i = 0; i < 300; i++) {
		snprintf(host, sizeof(host), "h%u.test", i);
		commit_to(w, i + 1, host, 1);
	}
	UNTIL(w, w->nstored == 300 && w->q.by_id.n == 0);
	assert_in_range(w->q.sites.by_key.n, 1, 200);
	assert_int_equal(w->q.sites.by_key.n, w->q.sites.nidle);
}

/* --- workers -------------------------------------------------------------- */

static void
test_kept(void **state)
{
	struct world *w = *state;
	unsigned i, before[2];

	w->remote.kept = true;
	commit_some(w, "x.test", 1);
	UNTIL(w, w->q.by_id.n == 0);
	memcpy(before, w->remote.of, sizeof(before));
	for (i = 0; i < 6; i++) {
		commit_some(w, "x.test", 1);
		UNTIL(w, w->q.by_id.n == 0);
	}
	assert_int_equal(w->remote.of[0] - before[0], before[0] ? 6 : 0);
	assert_int_equal(w->remote.of[1] - before[1], before[1] ? 6 : 0);
}

static void
test_killer(void **state)
{
	struct world *w = *state;

	w->remote.fate = FATE_WAIT;
	commit_some(w, "x.test", 4);
	UNTIL(w, w->remote.nwait == 4);
	w->remote.fate = FATE_OK;
	w->remote.killer = "killer@b.c";
	commit(w, 1, "killer@b.c", "ra@y.test");
	/* The first three deaths take 0 + 1 + 2 s. */
	UNTIL(w, w->q.by_id.n <= 3);
	UNTIL(w, w->remote.nopened >= 4);
	while (w->remote.nwait)
		answer_one(w, FATE_OK);
	UNTIL(w, w->q.nactive == 0 && w->q.by_id.n == 1);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->rows_state, QUEUE_HELD);
	assert_string_equal(w->row_reason, "delivery processes died of it");
	/* All is well again. */
	w->remote.killer = NULL;
	commit_some(w, "x.test", 3);
	UNTIL(w, w->q.by_id.n == 1);
}

/* What waits of a message that kills is not sent to kill more. */
static void
test_killer_of_many(void **state)
{
	struct world *w = *state;
	unsigned i, opened = w->remote.nopened;
	struct buf to;

	w->q.set.site.processes = 2;
	w->remote.killer = "killer@b.c";
	buf_init(&to, 4096);
	for (i = 0; i < 12; i++)
		buf_addf(&to, "ra@h%u.test ", i);
	commit(w, 1, "killer@b.c", buf_cstr(&to));
	buf_fini(&to);
	UNTIL(w, w->nstored == 1);
	UNTIL(w, w->q.nactive == 0);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->rows_state, QUEUE_HELD);
	assert_in_range(w->remote.nopened - opened, 1, 5);
	assert_in_range(w->remote.nsent, 3, 5);
}

/* One that was there when others killed is no suspect for ever. */
static void
test_innocent(void **state)
{
	struct world *w = *state;
	struct message *m;
	struct chan *c;

	w->remote.fate = FATE_WAIT;
	commit_some(w, "x.test", 1);
	UNTIL(w, w->remote.nwait == 1);
	m = message_find(&w->q, strtoull(w->stored[0], NULL, 16));
	c = w->remote.on[0];
	smtp_gone(c, w);
	chan_close(c);
	UNTIL(w, w->remote.nwait == 1);
	assert_int_equal(m->kills, 1);
	answer_one(w, FATE_TEMP);
	UNTIL(w, w->q.nactive == 0);
	assert_int_equal(m->kills, 0);
}

/* What is deleted while it waits for its turn does not go out. */
static void
test_delete_waiting(void **state)
{
	struct world *w = *state;

	w->remote.fate = FATE_WAIT;
	commit_some(w, "x.test", 8);
	UNTIL(w, w->remote.nwait == 5);
	order(w, QUEUE_DELETE, w->stored[7]);
	order(w, QUEUE_HOLD, w->stored[6]);
	w->remote.fate = FATE_OK;
	while (w->remote.nwait)
		answer_one(w, FATE_OK);
	UNTIL(w, w->q.by_id.n == 1 && w->q.nactive == 0);
	assert_int_equal(w->remote.nsent, 6);
	order(w, QUEUE_RELEASE, w->stored[6]);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->remote.nsent, 7);
}

static void
test_leaving(void **state)
{
	struct msg_send_leaving leaving = { 0 };
	struct world *w = *state;
	unsigned n0, n1, opened;
	struct chan *c;

	w->remote.fate = FATE_WAIT;
	commit_some(w, "x.test", 4);
	UNTIL(w, w->remote.nwait == 4);
	w->remote.fate = FATE_OK;
	c = w->smtp[0];
	chan_send(c, 0, &msg_send_leaving_def, &leaving);
	turn_for(w, 20);
	n0 = w->remote.of[0];
	n1 = w->remote.of[1];
	opened = w->remote.nopened;
	commit_some(w, "y.test", 6);
	UNTIL(w, w->q.by_id.n == 4);
	assert_int_equal(w->remote.of[0], n0);
	assert_int_equal(w->remote.of[1], n1 + 6);
	assert_int_equal(w->remote.nopened, opened);
	/* After its last answer it goes, and another one comes. */
	while (w->remote.nwait)
		answer_one(w, FATE_OK);
	UNTIL(w, w->remote.nopened == opened + 1 && w->smtp[0]);
	assert_ptr_not_equal(w->smtp[0], c);
	commit_some(w, "x.test", 10);
	UNTIL(w, w->q.by_id.n == 0);
	assert_true(w->remote.of[0] > n0);
}

static void
test_restart_remote(void **state)
{
	struct world *w = *state;
	struct world fresh = { 0 };

	w->remote.fate = FATE_WAIT;
	commit_some(w, "x.test", 9);
	UNTIL(w, w->remote.nwait == 5);
	stop(w);
	w->remote = fresh.remote;
	start(w);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->remote.nsent, 9);
}

/* With nothing to do there is no tick. */
static void
test_idle(void **state)
{
	struct world *w = *state;

	commit_some(w, "x.test", 3);
	UNTIL(w, w->q.by_id.n == 0);
	UNTIL(w, !evtimer_pending(w->q.tick, NULL));
	commit_some(w, "x.test", 1);
	assert_true(evtimer_pending(w->q.tick, NULL));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_send),	      T(test_sent_is_gone),
		T(test_fail),	      T(test_group),
		T(test_window_grows), T(test_window_reload),
		T(test_limits),	      T(test_deferred_transport),
		T(test_rate_delay),   T(test_dead),
		T(test_parked_rest),  T(test_parked_orders),
		T(test_two_sites),    T(test_parked_expires),
		T(test_backlog),      T(test_backlog_dies),
		T(test_many_sites),   T(test_kept),
		T(test_killer),	      T(test_killer_of_many),
		T(test_innocent),     T(test_delete_waiting),
		T(test_leaving),      T(test_restart_remote),
		T(test_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
