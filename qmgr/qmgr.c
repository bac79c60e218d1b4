/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "admin.h"
#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "report.h"
#include "rewrite.h"

enum { LOCK_STEP_MS = 100, DRAIN_MS = 4000 };

/* --- start ---------------------------------------------------------------- */

static int
lock_spool(struct qmgr *q, int root, unsigned wait_s, struct err *err)
{
	const struct timespec step = { 0, LOCK_STEP_MS * 1000000L };
	uint64_t end = clock_mono_ms() + wait_s * 1000ull;
	int rc;

	while ((rc = spool_lock(root, &q->lockfd, err)) == 1) {
		if (clock_mono_ms() >= end)
			return err_set(err, ERR_TEMP, EAGAIN,
				       "another process holds spool/lock");
		nanosleep(&step, NULL);
	}
	return rc;
}

static int
found(void *arg, const struct spool_found *f)
{
	return message_found(arg, f);
}

static int
recover(struct qmgr *q, struct err *err)
{
	struct spool_counts n;

	if (spool_recover(q->spool, found, q, &n, err) < 0)
		return -1;
	log_info("queue: %llu messages, %llu damaged; removed: %llu never "
		 "committed, %llu orphans",
		 (unsigned long long)n.messages, (unsigned long long)n.damaged,
		 (unsigned long long)n.uncommitted,
		 (unsigned long long)n.orphans);
	if (spool_is_new(q->spool))
		log_info("queue: new spool id %016llx",
			 (unsigned long long)spool_id(q->spool));
	return 0;
}

static void
on_due(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	message_schedule(arg);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	upkeep_tick(arg);
}

int
qmgr_init(struct qmgr *q, struct loop *l, int root, const struct settings *set,
	  unsigned wait_s, struct err *err)
{
	*q = (struct qmgr){ .loop = l, .set = *set, .lockfd = -1 };
	list_init(&q->unmarked);
	list_init(&q->stuck);
	list_init(&q->reporting);
	list_init(&q->receivers);
	list_init(&q->opening);
	list_init(&q->listings);
	list_init(&q->orders);
	list_init(&q->rewrites);
	list_init(&q->smtp.suspects);
	list_init(&q->sites.transports);
	list_init(&q->sites.idle);
	q->due_timer = evtimer_new(l->base, on_due, q);
	q->tick = evtimer_new(l->base, on_tick, q);
	if (!q->due_timer || !q->tick) {
		err_sys(err, ENOMEM, "qmgr");
		goto fail;
	}
	if (sites_init(q, err) < 0)
		goto fail;
	if (lock_spool(q, root, wait_s, err) < 0 ||
	    spool_open(&q->spool, root, err) < 0 || recover(q, err) < 0 ||
	    io_start(&q->io, l, q->set.threads, err) < 0)
		goto fail;
	upkeep_wake(q);
	return 0;
fail:
	qmgr_fini(q);
	return -1;
}

void
qmgr_fini(struct qmgr *q)
{
	struct message *m;
	size_t i;

	q->draining = true;
	q->drained = NULL;
	receivers_fini(q);
	io_stop(q->io);
	q->io = NULL;
	listings_fini(q);
	rewrites_fini(q);
	deliver_fini(q);
	smtp_client_fini(q);
	while ((i = 0, m = map_next(&q->by_id, &i)))
		message_free(m);
	map_fini(&q->by_id);
	report_conf_unref(q->reports);
	sites_fini(q);
	heap_fini(&q->due);
	if (q->due_timer)
		event_free(q->due_timer);
	if (q->tick)
		event_free(q->tick);
	if (q->drain_timer)
		event_free(q->drain_timer);
	spool_close(q->spool);
	if (q->lockfd >= 0)
		fsx_close(q->lockfd);
}

void
qmgr_peer(struct qmgr *q, const struct chan_row *row, int fd)
{
	receiver_new(q, row, fd);
}

/* --- drain ---------------------------------------------------------------- */

static void
end_drain(struct qmgr *q)
{
	void (*done)(void *) = q->drained;

	q->drained = NULL;
	if (done)
		done(q->drained_arg);
}

static void
on_drain_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct qmgr *q = arg;

	(void)fd;
	(void)what;
	log_info("drain: %zu deliveries without an answer are tried again by "
		 "the next process",
		 q->nsent);
	end_drain(q);
}

void
qmgr_drain_step(struct qmgr *q)
{
	if (!q->draining || !q->drained || q->nintakes || q->nsent)
		return;
	if (io_pending(q->io))
		return;
	/* A disk that fails is not asked over and over. */
	if ((spool_untidy(q->spool) && q->up.tidy_rc == 0) ||
	    !list_empty(&q->unmarked)) {
		upkeep_tick(q);
		if (io_pending(q->io))
			return;
	}
	end_drain(q);
}

void
qmgr_drain(struct qmgr *q, void (*done)(void *arg), void *arg)
{
	struct timeval tv = { DRAIN_MS / 1000, 0 };

	q->draining = true;
	q->drained = done;
	q->drained_arg = arg;
	receivers_drain(q);
	reports_drain(q);
	q->drain_timer = evtimer_new(q->loop->base, on_drain_timeout, q);
	if (!q->drain_timer) {
		end_drain(q);
		return;
	}
	evtimer_add(q->drain_timer, &tv);
	qmgr_drain_step(q);
}
