/* SPDX-License-Identifier: ISC */
/* What attempts gave, and the end of an activation: results in memory, then on
 * disk, then the message waits, is held, or goes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "report.h"

enum {
	KILLS_MAX = 3,
	TEXTS_MAX = 16 * 1024 * 1024,
	STUCK_MS = 5000, /* a result that could not be written: again after */
};

static void mark_run(struct io_job **v, size_t n);
static void mark_done(struct io_job *j);

static const struct io_kind mark_kind = { mark_run, mark_done, 1 };

/* --- results -------------------------------------------------------------- */

/* The slices of what was given, in one piece of memory of the recipient's
 * own; without memory the text is lost, never the class. */
static void
keep_result(struct rcpt *r, const struct result *res)
{
	const struct str *const from[] = { &res->dsn, &res->text, &res->relay,
					   &res->mta, &res->reply };
	struct str *const to[] = { &r->last.dsn, &r->last.text, &r->last.relay,
				   &r->last.mta, &r->last.reply };
	size_t i, n = 1;
	char *at;

	free(r->mem);
	r->last = *res;
	for (i = 0; i < sizeof(from) / sizeof(from[0]); i++)
		n += from[i]->n;
	r->mem = at = malloc(n);
	for (i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
		*to[i] = at ? str_mem(at, from[i]->n) : STR_NULL;
		if (at && from[i]->n)
			memcpy(at, from[i]->p, from[i]->n);
		at = at ? at + from[i]->n : NULL;
	}
}

struct qfile_msg
message_slot(const struct message *m)
{
	return (struct qfile_msg){
		.seq = m->seq + 1,
		.kills = m->kills,
		.flags = m->flags,
		.tries = m->tries,
		.reports = m->reports,
	};
}

void
message_settle(struct active *a, struct rcpt *r, enum qfile_rcpt_state s,
	       uint32_t reports)
{
	r->state = (uint8_t)s;
	r->reports = reports;
	a->ndirty += !r->dirty;
	r->dirty = true;
}

void
message_result(struct active *a, uint32_t i, const struct result *res)
{
	struct rcpt *r = &a->rcpts[i];
	struct message *m = a->m;
	bool soft = res->class == DELIVER_PERM && m->q->reports->soft_bounce;

	if (res->class != DELIVER_OK && !res->untried)
		m->maybe_done = true; /* who knows how far it got */
	if (!res->untried) {
		r->tried = true;
		a->ntried++;
		m->told = false;
	}
	keep_result(r, res);
	if (soft) {
		r->last.class = DELIVER_TEMP;
		if (r->mem && r->last.dsn.n)
			r->mem[0] = '4'; /* the first slice is dsn */
	} else if (res->class == DELIVER_PERM) {
		message_settle(a, r, QFILE_GAVE_UP, 0);
	} else if (res->class == DELIVER_OK) {
		message_settle(a, r,
			       !res->dsn_taken &&
					       report_wants_success(a, &r->to)
				       ? QFILE_SENT
				       : QFILE_DONE,
			       0);
	}
	if (res->untried && m->told)
		return;
	message_log_active(a);
	message_log_rcpt(m, &r->to, &r->last, soft, a->since_us);
}

void
message_dialog(struct active *a, struct str dialog)
{
	char *copy = malloc(dialog.n ? dialog.n : 1);

	if (!copy)
		return;
	memcpy(copy, dialog.p, dialog.n);
	free((void *)(uintptr_t)a->dialog.p);
	a->dialog = str_mem(copy, dialog.n);
}

void
message_delivery_done(struct active *a)
{
	struct qmgr *q = a->m->q;

	BUG_ON(a->out == 0);
	if (--a->out == 0)
		message_finish(a);
	else if (a->ndirty && list_empty(&a->link))
		list_append(&q->unmarked, &a->link); /* within a second */
}

void
message_killed_worker(struct active *a, uint64_t death)
{
	struct message *m = a->m;
	char id[QID_MAX];

	m->maybe_done = true;
	if (a->death != death) {
		a->death = death;
		m->kills++;
		log_line(LOG_WARN_, qid_text(m->id, id),
			 "a delivery process died with this message in hand "
			 "(%u of %d)",
			 m->kills, KILLS_MAX);
	}
}

bool
message_is_suspect(const struct active *a)
{
	return a->death != 0;
}

void
message_is_innocent(struct active *a)
{
	a->death = 0;
	a->m->kills = 0;
}

bool
message_is_killer(const struct active *a)
{
	return a->m->kills >= KILLS_MAX;
}

/* --- writing results ------------------------------------------------------ */

static void
submit_mark(struct active *a)
{
	struct message *m = a->m;
	uint64_t now = clock_wall_us();
	struct rcpt *r;
	uint32_t i;

	a->nmarks = 0;
	if (a->ndirty && !a->marks)
		a->marks = calloc(a->nrcpts, sizeof(*a->marks));
	a->nomem = a->ndirty && !a->marks;
	for (i = 0; a->marks && i < a->nrcpts; i++) {
		r = &a->rcpts[i];
		if (!r->dirty)
			continue;
		r->dirty = false;
		a->marks[a->nmarks++] =
			(struct spool_mark){ i,
					     { .seq = m->tries + 2,
					       .state = r->state,
					       .tries = m->tries + 1,
					       .when_us = now,
					       .reports = r->reports } };
	}
	a->marking = true;
	io_submit(m->q->io, IO_OTHER, &mark_kind, &a->job);
}

/* As much as a record takes. */
static struct str
last_lines(struct str s)
{
	struct str line;

	while (s.n > QLOG_TEXT_MAX && str_cut(&s, '\n', &line))
		;
	return s;
}

/* As qlog_split() reads it. */
static struct str
result_text(struct pool *pool, const struct result *res)
{
	if (!res->mta.n && !res->reply.n)
		return pool_strf(pool, "%.*s %.*s", STR_FMT(res->dsn),
				 STR_FMT(res->text));
	return pool_strf(pool, "%.*s %.*s\n%.*s\n%.*s", STR_FMT(res->dsn),
			 STR_FMT(res->text), STR_FMT(res->mta),
			 STR_FMT(res->reply));
}

static bool
has_failed(const struct rcpt *r)
{
	return r->tried && r->last.class != DELIVER_OK;
}

/* Of those that have just failed for good; the others are still being tried,
 * and the loop may write to them. */
static uint32_t
add_failures(const struct active *a, struct qlog *v, struct pool *pool,
	     uint64_t now)
{
	struct rcpt *r;
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < a->nmarks; i++) {
		r = &a->rcpts[a->marks[i].rcpt];
		if (r->state != QFILE_GAVE_UP || !has_failed(r) || r->noted)
			continue;
		v[n] = (struct qlog){ a->marks[i].rcpt, r->last.class, now,
				      result_text(pool, &r->last) };
		n += v[n].text.p != NULL;
		r->noted = true;
	}
	return n;
}

static void
add_texts(struct active *a)
{
	struct qlog *v = calloc(a->nrcpts + 2u, sizeof(*v));
	uint64_t now = clock_wall_us();
	struct pool pool;
	struct err err;
	uint32_t i, n = 0;

	pool_init(&pool, TEXTS_MAX);
	if (v && !a->final)
		n = add_failures(a, v, &pool, now);
	for (i = 0; v && a->final && i < a->nrcpts; i++) {
		const struct result *last = &a->rcpts[i].last;

		if (!has_failed(&a->rcpts[i]) || a->rcpts[i].noted)
			continue;
		v[n] = (struct qlog){ i, last->class, now,
				      result_text(&pool, last) };
		n += v[n].text.p != NULL;
	}
	if (v && a->final && a->dialog.n)
		v[n++] = (struct qlog){ QLOG_MESSAGE, DELIVER_TEMP, now,
					last_lines(a->dialog) };
	/* Texts are for people: without them the state is still right. */
	if (n &&
	    spool_log_add(a->m->q->spool, a->m->id, a->nrcpts, v, n, &err) < 0)
		log_warn("%s", err.text);
	pool_fini(&pool);
	free(v);
}

static void
mark_run(struct io_job **v, size_t n)
{
	struct active *a = LIST_OF(v[0], struct active, job);
	struct qfile_head h = { .id = a->m->id, .spool_id = a->m->spool_id };

	(void)n;
	add_texts(a);
	if (a->nomem)
		a->rc = err_sys(&a->err, ENOMEM, "marking");
	else
		a->rc = spool_mark(a->m->q->spool, &h, a->marks, a->nmarks,
				   a->final ? &a->slot : NULL, &a->err);
	if (a->rc == 0 && a->final && a->report)
		a->rc = report_release(a->report, &a->err);
}

/* Keep it, do not send it, try to write again. */
void
message_stuck(struct active *a)
{
	struct qmgr *q = a->m->q;
	char id[QID_MAX];

	log_line(LOG_ERROR_, qid_text(a->m->id, id),
		 "result kept, cannot be written: %s", a->err.text);
	a->retry_ms = clock_mono_ms() + STUCK_MS;
	list_remove(&a->link);
	list_append(&q->stuck, &a->link);
	if (a->err.class == ERR_TEMP)
		qmgr_disk_failed(q);
}

static void
mark_final(struct active *a)
{
	struct message *m = a->m;

	m->seq = a->slot.seq;
	m->tries = a->slot.tries;
	m->flags = a->slot.flags;
	m->reports = a->slot.reports;
	if (a->report)
		report_announce(a->report);
	report_free(a->report);
	a->report = NULL;
	for (uint32_t i = 0; i < a->nrcpts; i++)
		m->has_log |= a->rcpts[i].tried &&
			      a->rcpts[i].last.class != DELIVER_OK;
	if (m->wish == WISH_DELETE) {
		message_remove(m, true);
	} else if (a->slot.state == QFILE_HELD) {
		message_hold(m, a->slot.reason);
	} else if (m->wish == WISH_HOLD || a->settled) {
		/* The wish came while this was being written, or reports were
		 * all that was left to do. */
		message_finish(a);
	} else {
		message_defer(m, a->slot.next_try_us);
	}
}

static void
mark_done(struct io_job *j)
{
	struct active *a = LIST_OF(j, struct active, job);
	struct qmgr *q = a->m->q;
	size_t i;

	a->marking = false;
	for (i = 0; i < a->nmarks; i++)
		a->m->has_log |= a->rcpts[a->marks[i].rcpt].noted;
	if (a->rc < 0) {
		for (i = 0; i < a->nmarks; i++)
			a->rcpts[a->marks[i].rcpt].dirty = true;
		message_stuck(a);
	} else {
		a->ndirty -= a->nmarks;
		if (a->final)
			mark_final(a);
		else if (a->out == 0)
			message_finish(a);
		else if (a->ndirty && list_empty(&a->link))
			list_append(&q->unmarked, &a->link);
	}
	message_schedule(q);
	qmgr_drain_step(q);
}

/* --- the end of an activation --------------------------------------------- */

static void
mark(struct active *a, enum qfile_reason reason, uint64_t next_try_us)
{
	a->slot.state = reason ? QFILE_HELD : QFILE_ACTIVE;
	a->slot.reason = (uint8_t)reason;
	a->slot.next_try_us = next_try_us;
	a->final = true;
	submit_mark(a);
}

static bool
is_settled(const struct active *a)
{
	uint32_t i;

	for (i = 0; i < a->nrcpts; i++)
		if (a->rcpts[i].state != QFILE_DONE &&
		    a->rcpts[i].state != QFILE_REPORTED)
			return false;
	return true;
}

/* Is there nothing to do but to forget it? */
static bool
is_over(const struct active *a)
{
	uint32_t i;

	for (i = 0; i < a->nrcpts; i++)
		if (a->rcpts[i].to.notify & NOTIFY_EXPANDED &&
		    !(a->m->flags & QFILE_EXPANDED))
			return false;
	return is_settled(a);
}

/* It has been in the queue for too long: what is still to do has failed, with
 * the words of its last attempt. */
static void
expire(struct active *a, uint64_t now)
{
	struct message *m = a->m;
	char id[QID_MAX];
	bool any = false;
	uint32_t i;

	if (!retry_expired(report_lifetime(a), m->arrival_us, now))
		return;
	for (i = 0; i < a->nrcpts; i++) {
		if (a->rcpts[i].state != QFILE_TODO)
			continue;
		message_settle(a, &a->rcpts[i], QFILE_GAVE_UP, 0);
		any = true;
	}
	if (any)
		log_line(LOG_INFO_, qid_text(m->id, id),
			 "from=<%s>, status=expired, returned to sender",
			 LOGQ(a->sender));
}

/* All deliveries of this activation have ended. */
void
message_finish(struct active *a)
{
	struct message *m = a->m;
	uint64_t now = clock_wall_us();

	if (a->marking)
		return; /* mark_done() comes back */
	list_remove(&a->link);
	if (a->ntried)
		message_log_active(a);
	if (m->wish == WISH_DELETE || is_over(a)) {
		message_remove(m, !is_settled(a));
		return;
	}
	m->bounce = a->sender.n == 0;
	message_enter(m, MESSAGE_MARKING);
	a->slot = message_slot(m);
	a->slot.tries++;
	a->settled = false;
	if (m->wish == WISH_HOLD) {
		mark(a, QFILE_ADMIN, 0);
	} else if (message_is_killer(a)) {
		mark(a, QFILE_KILLER, 0);
	} else {
		expire(a, now);
		a->marking = true;
		if (!report_start(a, now))
			message_reported(a, true);
	}
}

void
message_reported(struct active *a, bool ok)
{
	struct message *m = a->m;
	struct qmgr *q = m->q;
	uint64_t now = clock_wall_us();
	uint64_t next = retry_next_try(&q->set.retry, m->arrival_us, now);
	uint64_t limit = report_limit(m);

	a->marking = false;
	if (limit > now && limit < next)
		next = limit; /* somebody has to be told by then */
	if (!ok) {
		report_free(a->report);
		a->report = NULL;
	} else if (a->report) {
		report_settle(a->report);
	}
	a->settled = ok ? is_settled(a) : is_over(a);
	if (a->settled && !a->report)
		message_remove(m, false);
	else if (!a->report && !a->ntried && !a->ndirty && m->wish == WISH_NONE)
		/* Nothing was tried: there is nothing to write down. */
		message_defer(m, next);
	else
		mark(a, QFILE_NONE, a->settled || q->draining ? now : next);
}

void
message_mark_round(struct qmgr *q)
{
	struct list *it, *next;
	struct active *a;

	while (!list_empty(&q->unmarked)) {
		a = LIST_OF(q->unmarked.next, struct active, link);
		list_remove(&a->link);
		if (!a->marking)
			submit_mark(a);
	}
	for (it = q->stuck.next; it != &q->stuck; it = next) {
		next = it->next;
		a = LIST_OF(it, struct active, link);
		if (a->retry_ms > clock_mono_ms())
			continue;
		list_remove(&a->link);
		if (a->m->state == MESSAGE_REMOVING)
			message_remove_again(a);
		else
			submit_mark(a);
	}
}
