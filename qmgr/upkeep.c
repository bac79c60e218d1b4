/* SPDX-License-Identifier: ISC */
/* What is done once a second while there is something to do. */
#include "base/log.h"
#include "message.h"

enum { PROBE_TICKS = 5 };

#define UP(j, member) LIST_OF(j, struct qmgr, up.member)

/* --- ids ------------------------------------------------------------------ */

static void
reserve_run(struct io_job **v, size_t n)
{
	struct qmgr *q = UP(v[0], reserve);

	(void)n;
	q->up.reserve_rc = spool_reserve(q->spool, &q->up.reserve_err);
}

static void
reserve_done(struct io_job *j)
{
	struct qmgr *q = UP(j, reserve);

	q->up.reserving = false;
	if (q->up.reserve_rc < 0) {
		log_error("ids cannot be reserved: %s", q->up.reserve_err.text);
		qmgr_disk_failed(q);
	}
	qmgr_drain_step(q);
}

static const struct io_kind reserve_kind = { reserve_run, reserve_done, 1 };

static void
want_ids(struct qmgr *q)
{
	if (q->up.reserving || !spool_ids_low(q->spool))
		return;
	q->up.reserving = true;
	io_submit(q->io, IO_OTHER, &reserve_kind, &q->up.reserve);
}

uint64_t
qmgr_new_id(struct qmgr *q)
{
	return spool_next_id(q->spool);
}

/* --- a disk that fails ---------------------------------------------------- */

void
qmgr_disk_failed(struct qmgr *q)
{
	if (q->pressure.broken)
		return;
	log_error("the queue cannot be written: no mail is taken until it "
		  "can");
	q->pressure.broken = true;
	upkeep_wake(q);
	receivers_pressure(q);
}

static void
probe_run(struct io_job **v, size_t n)
{
	struct qmgr *q = UP(v[0], probe);

	(void)n;
	q->up.probe_rc = spool_probe(q->spool, &q->up.probe_err);
}

static void
probe_done(struct io_job *j)
{
	struct qmgr *q = UP(j, probe);

	q->up.probing = false;
	if (q->up.probe_rc < 0) {
		log_warn("%s", q->up.probe_err.text);
	} else {
		log_warn("the queue can be written again");
		q->pressure.broken = false;
		receivers_pressure(q);
	}
	qmgr_drain_step(q);
}

static const struct io_kind probe_kind = { probe_run, probe_done, 1 };

static void
space_run(struct io_job **v, size_t n)
{
	struct qmgr *q = UP(v[0], space);

	(void)n;
	q->up.space_rc =
		spool_free_bytes(q->spool, &q->up.free_bytes, &q->up.space_err);
}

static void
take_space(struct qmgr *q)
{
	bool full;

	if (q->up.space_rc < 0) {
		log_warn("%s", q->up.space_err.text);
		return;
	}
	full = q->set.minfree && q->up.free_bytes < q->set.minfree;
	if (full != q->pressure.full)
		log_warn(full ? "not enough free space in the queue file system"
			      : "enough free space in the queue file system");
	q->pressure.full = full;
	receivers_pressure(q);
}

static void
space_done(struct io_job *j)
{
	struct qmgr *q = UP(j, space);

	q->up.measuring = false;
	take_space(q);
	qmgr_drain_step(q);
}

static const struct io_kind space_kind = { space_run, space_done, 1 };

/* --- tidying -------------------------------------------------------------- */

static void
tidy_run(struct io_job **v, size_t n)
{
	struct qmgr *q = UP(v[0], tidy);

	(void)n;
	q->up.tidy_rc = spool_tidy(q->spool, &q->up.tidy_err);
}

static void
tidy_done(struct io_job *j)
{
	struct qmgr *q = UP(j, tidy);

	q->up.tidying = false;
	if (q->up.tidy_rc < 0)
		log_warn("%s", q->up.tidy_err.text);
	qmgr_drain_step(q);
}

static const struct io_kind tidy_kind = { tidy_run, tidy_done, 1 };

/* --- the tick ------------------------------------------------------------- */

void
upkeep_wake(struct qmgr *q)
{
	const struct timeval second = { 1, 0 };

	if (!evtimer_pending(q->tick, NULL))
		evtimer_add(q->tick, &second);
}

/* An idle queue is left alone: whatever happens to a message wakes it. */
static bool
is_idle(const struct qmgr *q)
{
	return !q->nactive && !q->nintakes && !io_pending(q->io) &&
	       list_empty(&q->unmarked) && list_empty(&q->stuck) &&
	       !spool_ids_low(q->spool) && !spool_untidy(q->spool) &&
	       !spool_has_spares(q->spool) && !q->pressure.broken &&
	       !q->pressure.full && !q->set.minfree;
}

void
upkeep_tick(struct qmgr *q)
{
	struct upkeep *up = &q->up;

	message_mark_round(q);
	if (!q->draining)
		want_ids(q);
	if (!is_idle(q))
		upkeep_wake(q);
	if (!up->tidying &&
	    (spool_untidy(q->spool) || spool_has_spares(q->spool))) {
		up->tidying = true;
		io_submit(q->io, IO_OTHER, &tidy_kind, &up->tidy);
	}
	if (q->draining || up->ticks++ % PROBE_TICKS)
		return;
	if (q->pressure.broken && !up->probing) {
		up->probing = true;
		io_submit(q->io, IO_OTHER, &probe_kind, &up->probe);
	}
	/* Also once more after a reload has taken the limit away. */
	if ((q->set.minfree || q->pressure.full) && !up->measuring) {
		up->measuring = true;
		io_submit(q->io, IO_OTHER, &space_kind, &up->space);
	}
}
