/* SPDX-License-Identifier: ISC */
/* The life of one message: due, loading, active, marking, gone or held. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "report.h"

enum {
	RCPT_GUESS = 64,   /* bytes of a recipient in the envelope */
	LOADING_MAX = 128, /* messages being read at the same time */
	UNREADABLE_S = 60, /* a file that could not be read: again after */
	JUMP_S = 60,	   /* a clock that goes back further was set */
	US = 1000000,
};

static void load_run(struct io_job **v, size_t n);
static void load_done(struct io_job *j);
static void remove_run(struct io_job **v, size_t n);
static void remove_done(struct io_job *j);

static const struct io_kind load_kind = { load_run, load_done, 1 };
static const struct io_kind remove_kind = { remove_run, remove_done, IO_BATCH };

static const char *const state_names[] = {
	"new", "deferred", "loading", "active", "marking", "removing", "held",
};

/* The one place where a message changes its state. */
void
message_enter(struct message *m, enum message_state s)
{
	char id[QID_MAX];

	log_line(LOG_DEBUG_, qid_text(m->id, id), "%s -> %s",
		 state_names[m->state], state_names[s]);
	m->state = (uint8_t)s;
	upkeep_wake(m->q);
}

const char *
message_reason(enum qfile_reason reason)
{
	switch (reason) {
	case QFILE_NONE:
		break;
	case QFILE_ADMIN:
		return "held by the administrator";
	case QFILE_FAILED:
		return "delivery failed";
	case QFILE_EXPIRED:
		return "too long in the queue";
	case QFILE_KILLER:
		return "delivery processes died of it";
	case QFILE_DAMAGED:
		return "damaged queue file";
	case QFILE_CHILD:
		return "report that was not confirmed";
	}
	return "";
}

/* --- making and freeing --------------------------------------------------- */

static struct message *
message_new(struct qmgr *q, const struct qfile_head *h, uint64_t size)
{
	struct message *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->q = q;
	list_init(&m->parked);
	m->id = h->id;
	m->spool_id = h->spool_id;
	m->arrival_us = h->arrival_us;
	m->nrcpts = h->nrcpts;
	m->body = h->body;
	m->size = size;
	if (map_put(&q->by_id, MAP_KEY(m->id), m) < 0) {
		free(m);
		return NULL;
	}
	return m;
}

struct message *
message_find(struct qmgr *q, uint64_t id)
{
	return map_get(&q->by_id, MAP_KEY(id));
}

static struct active *
active_new(struct message *m)
{
	struct active *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->m = m;
	a->body_fd = -1;
	a->since_us = clock_wall_us();
	list_init(&a->link);
	m->active = a;
	m->q->nactive++;
	if (m->body != QFILE_INLINE)
		m->q->nbig++;
	return a;
}

/* The text and the recipients are not needed any more. */
static void
active_empty(struct active *a)
{
	uint32_t i;

	for (i = 0; i < a->nrcpts; i++)
		free(a->rcpts[i].mem);
	free(a->rcpts);
	free(a->marks);
	free(a->mem);
	free(a->rcpt_mem);
	free((void *)(uintptr_t)a->dialog.p);
	if (a->body_fd >= 0)
		close(a->body_fd);
	a->rcpts = NULL;
	a->marks = NULL;
	a->mem = a->rcpt_mem = NULL;
	a->dialog = STR_NULL;
	a->nrcpts = 0;
	a->body_fd = -1;
	a->m->q->active_bytes -= a->bytes;
	a->bytes = 0;
}

static void
active_free(struct active *a)
{
	struct qmgr *q = a->m->q;

	report_free(a->report);
	active_empty(a);
	list_remove(&a->link);
	q->nactive--;
	if (a->m->body != QFILE_INLINE)
		q->nbig--;
	a->m->active = NULL;
	free(a);
}

void
message_free(struct message *m)
{
	if (m->active)
		active_free(m->active);
	site_leave(m);
	heap_remove(&m->q->due, &m->due);
	map_del(&m->q->by_id, MAP_KEY(m->id));
	free(m);
}

/* --- recipients ----------------------------------------------------------- */

static void
count_bytes(struct active *a, size_t bytes)
{
	a->m->q->active_bytes += bytes - a->bytes;
	a->bytes = bytes;
}

static int
read_rcpts(struct active *a, struct str raw, const uint8_t *states)
{
	struct message *m = a->m;
	struct str it = raw;
	struct msg_rcpt r;
	uint32_t i;

	a->rcpts = calloc(m->nrcpts, sizeof(*a->rcpts));
	if (!a->rcpts)
		return -1;
	a->nrcpts = m->nrcpts;
	for (i = 0; i < a->nrcpts; i++) {
		if (!msg_list_next(&it, &msg_rcpt_def, &r))
			return -1;
		a->rcpts[i].to = r;
		a->rcpts[i].state = states ? states[i] : QFILE_TODO;
	}
	count_bytes(a, raw.n + a->header.n + a->body.n +
			       a->nrcpts * sizeof(*a->rcpts));
	return 0;
}

static bool
has_room(const struct qmgr *q, enum qfile_body body)
{
	return !q->draining && q->nactive < q->set.active_max &&
	       q->active_bytes < q->set.memory &&
	       (body == QFILE_INLINE || q->nbig < q->set.big_max);
}

static void activate(struct active *a);

/* --- the way in ----------------------------------------------------------- */

static void
stored_free(struct stored *s)
{
	free(s->mem);
	free(s->rcpt_mem);
	if (s->body_fd >= 0)
		close(s->body_fd);
}

static int
activate_stored(struct message *m, struct stored *s)
{
	struct active *a;

	if (!has_room(m->q, m->body) ||
	    (m->body != QFILE_INLINE && s->body_fd < 0))
		return -1;
	a = active_new(m);
	if (!a)
		return -1;
	a->sender = s->sender;
	a->envid = s->envid;
	a->flags = s->head.flags;
	a->ret = s->head.ret;
	a->header = s->header;
	a->body = s->body;
	a->body_len = s->head.body_len;
	if (read_rcpts(a, s->rcpts, s->rcpt_state) < 0) {
		active_free(a);
		return -1;
	}
	a->mem = s->mem;
	a->rcpt_mem = s->rcpt_mem;
	a->body_fd = s->body_fd;
	a->logged = s->rcpt_state != NULL;
	activate(a);
	return 0;
}

void
message_stored(struct qmgr *q, struct stored *s)
{
	struct message *m;
	char id[QID_MAX];

	m = message_new(q, &s->head, s->header.n + s->head.body_len);
	qid_text(s->head.id, id);
	if (!m) {
		/* It is safe on disk; the next start will find it. */
		log_line(LOG_ERROR_, id, "out of memory: waits for a restart");
		stored_free(s);
		return;
	}
	m->seq = 1;
	if (s->rcpt_state)
		message_log_settled(m, s);
	if (s->held) {
		message_hold(m, (enum qfile_reason)s->held);
		stored_free(s);
	} else if (activate_stored(m, s) < 0) {
		stored_free(s);
		message_defer(m, clock_wall_us());
		message_schedule(q);
	}
}

void
message_born(struct qmgr *q, const struct qfile_head *h)
{
	struct message *m = message_new(q, h, h->header_len + h->body_len);
	char id[QID_MAX];

	if (!m) {
		log_line(LOG_ERROR_, qid_text(h->id, id),
			 "out of memory: waits for a restart");
		return;
	}
	m->seq = 2;
	message_defer(m, clock_wall_us());
}

int
message_found(struct qmgr *q, const struct spool_found *f)
{
	struct message *m = message_new(q, &f->head, f->size);
	uint64_t latest = clock_wall_us() + q->set.retry.max_us;
	char id[QID_MAX];

	if (!m)
		return -1;
	m->seq = f->msg.seq;
	m->tries = f->msg.tries;
	m->kills = f->msg.kills;
	m->flags = f->msg.flags;
	m->reports = f->msg.reports;
	m->has_log = f->has_log;
	m->unchecked = m->maybe_done = true;
	if (f->damaged) {
		log_line(LOG_ERROR_, qid_text(m->id, id), "damaged: %s",
			 f->err.text);
		message_hold(m, QFILE_DAMAGED);
	} else if (f->msg.state == QFILE_HELD) {
		m->reason = f->msg.reason;
		message_enter(m, MESSAGE_HELD);
	} else {
		/* Later only where the clock was wrong. */
		message_defer(m, f->msg.next_try_us < latest
					 ? f->msg.next_try_us
					 : latest);
	}
	return 0;
}

static void
arm_due_timer(struct qmgr *q, uint64_t now)
{
	struct heap_item *top = heap_top(&q->due);
	struct timeval tv = { 0, 0 };
	uint64_t us;

	if (!top) {
		evtimer_del(q->due_timer);
		return;
	}
	us = top->key > now ? top->key - now : 0;
	/* The wall clock may be set: look again now and then. */
	if (us > 60ull * US)
		us = 60ull * US;
	tv.tv_sec = (time_t)(us / US);
	tv.tv_usec = (suseconds_t)(us % US);
	evtimer_add(q->due_timer, &tv);
}

static void
set_due(struct message *m, uint64_t when_us)
{
	char id[QID_MAX];

	if (heap_set(&m->q->due, &m->due, when_us) < 0)
		log_line(LOG_ERROR_, qid_text(m->id, id),
			 "out of memory: waits for a restart");
	else if (heap_top(&m->q->due) == &m->due)
		arm_due_timer(m->q, clock_wall_us());
}

/* To wait until its site has room; and no longer than until somebody has to be
 * told, or, where that is overdue, until when_us. */
static void
park(struct message *m, struct site *s, uint64_t when_us)
{
	uint64_t limit = report_limit(m);

	message_enter(m, MESSAGE_DEFERRED);
	set_due(m, limit > clock_wall_us() ? limit : when_us);
	site_park(s, m);
}

void
message_defer(struct message *m, uint64_t when_us)
{
	struct site *s = m->active ? site_of(m->active) : NULL;

	if (m->active)
		active_free(m->active);
	site_leave(m);
	m->reason = QFILE_NONE;
	if (s && s->state != SITE_ALIVE) {
		m->told = true;
		park(m, s, when_us);
		return;
	}
	message_enter(m, MESSAGE_DEFERRED);
	set_due(m, when_us);
}

void
message_wake(struct message *m)
{
	site_woken(m);
	set_due(m, m->arrival_us);
}

void
message_flush(struct message *m)
{
	if (m->state != MESSAGE_DEFERRED)
		return;
	if (m->woken)
		return;
	if (m->site) {
		/* Its turn comes; it is among the first if there are few. */
		site_enable(m->site);
		if (m->site && !m->woken && site_has_room(m->site))
			message_wake(m);
		return;
	}
	m->eager = true;
	set_due(m, clock_wall_us());
}

/* What it takes to send it is in memory: send it, or let it wait where so many
 * wait already that they would fill the memory. */
static void
activate(struct active *a)
{
	struct message *m = a->m;
	struct site *s = site_of(a);

	if (s && m->eager)
		site_enable(s);
	if (s && s->state == SITE_ALIVE && site_is_shut(s, m) &&
	    clock_wall_us() < report_limit(m)) {
		site_leave(m);
		active_free(a);
		park(m, s, 0);
		return;
	}
	message_enter(m, MESSAGE_ACTIVE);
	deliver_start(m->q, a);
}

void
message_hold(struct message *m, enum qfile_reason reason)
{
	char id[QID_MAX];

	if (m->active)
		active_free(m->active);
	site_leave(m);
	heap_remove(&m->q->due, &m->due);
	m->wish = WISH_NONE;
	m->reason = (uint8_t)reason;
	message_enter(m, MESSAGE_HELD);
	log_line(LOG_WARN_, qid_text(m->id, id), "hold: %s",
		 message_reason(reason));
}

/* --- reading it again ----------------------------------------------------- */

static void
load_run(struct io_job **v, size_t n)
{
	struct active *a = LIST_OF(v[0], struct active, job);
	struct spool *sp = a->m->q->spool;
	int fd;

	(void)n;
	a->rc = spool_read(sp, a->m->id,
			   a->m->unchecked ? SPOOL_CHECK : SPOOL_ALL, &a->text,
			   &a->err);
	if (a->rc < 0 || a->text.head.body == QFILE_INLINE)
		return;
	if (spool_body_open(sp, a->m->id, a->text.head.body, &fd, &a->err) <
	    0) {
		a->rc = -1;
		return;
	}
	a->body_fd = fsx_real_fd(fd);
	if (a->body_fd < 0)
		a->rc = err_sys(&a->err, errno, "body");
	fsx_close(fd);
}

static int
take_text(struct active *a)
{
	struct spool_text *t = &a->text;

	a->mem = t->mem;
	if (t->msg.reason == QFILE_DAMAGED && t->msg.seq == 0)
		return err_set(&a->err, ERR_PERM, 0, "both state slots");
	a->sender = t->env.sender;
	a->envid = t->env.envid;
	a->flags = t->head.flags;
	a->ret = t->head.ret;
	a->header = t->header;
	a->body = t->body;
	a->body_len = t->head.body_len;
	if (read_rcpts(a, t->env.rcpts, t->rcpt_state) < 0)
		return err_set(&a->err, ERR_PERM, 0, "recipients");
	return 0;
}

static void
load_done(struct io_job *j)
{
	struct active *a = LIST_OF(j, struct active, job);
	struct message *m = a->m;
	struct qmgr *q = m->q;
	char id[QID_MAX];

	qid_text(m->id, id);
	q->nloading--;
	if (a->rc == 0)
		a->rc = take_text(a);
	if (m->wish == WISH_DELETE) {
		message_remove(m, true);
	} else if (a->rc == 0 && m->wish == WISH_HOLD) {
		message_finish(a);
	} else if (a->rc == 0) {
		m->unchecked = false;
		a->since_us = clock_wall_us();
		activate(a);
	} else if (a->err.class == ERR_PERM) {
		log_line(LOG_ERROR_, id, "damaged: %s", a->err.text);
		message_hold(m, QFILE_DAMAGED);
	} else {
		log_line(LOG_WARN_, id, "cannot be read now: %s", a->err.text);
		message_defer(m, clock_wall_us() + UNREADABLE_S * (uint64_t)US);
	}
	message_schedule(q);
	qmgr_drain_step(q);
}

/* Where the clock is set back, what waits does not wait for the time at which
 * it was wrong. */
static uint64_t
look_at_clock(struct qmgr *q)
{
	uint64_t now = clock_wall_us(), back = 0;
	struct message *m;
	size_t i;

	if (now + JUMP_S * (uint64_t)US < q->seen_us)
		back = q->seen_us - now;
	q->seen_us = now;
	if (!back)
		return now;
	log_warn("the clock was set back by %llu s",
		 (unsigned long long)(back / US));
	for (i = 0; (m = map_next(&q->by_id, &i));)
		if (heap_has(&m->due))
			/* It is there: no memory is needed. */
			(void)!heap_set(&q->due, &m->due,
					m->due.key > back ? m->due.key - back
							  : 0);
	return now;
}

void
message_schedule(struct qmgr *q)
{
	uint64_t now = look_at_clock(q);
	struct heap_item *top;
	struct message *m;

	while ((top = heap_top(&q->due))) {
		m = LIST_OF(top, struct message, due);
		if (!has_room(q, m->body) || q->nloading >= LOADING_MAX)
			return; /* called again when there is room */
		if (top->key > now)
			break;
		heap_remove(&q->due, top);
		if (!active_new(m)) {
			message_defer(m, now + US);
			break;
		}
		/* What it will take is taken now, or all that is due would be
		 * read at once. */
		count_bytes(m->active,
			    m->nrcpts * (sizeof(struct rcpt) + RCPT_GUESS) +
				    (m->body == QFILE_INLINE ? m->size : 0));
		message_enter(m, MESSAGE_LOADING);
		q->nloading++;
		io_submit(q->io, IO_OTHER, &load_kind, &m->active->job);
	}
	if (top)
		arm_due_timer(q, now);
}

/* --- the end -------------------------------------------------------------- */

void
message_remove(struct message *m, bool unsent)
{
	struct qmgr *q = m->q;

	site_leave(m);
	heap_remove(&q->due, &m->due);
	if (!m->active && !active_new(m)) {
		/* Try again soon: nothing is lost by waiting. */
		message_defer(m, clock_wall_us() + US);
		m->wish = WISH_DELETE;
		return;
	}
	m->active->unsent = unsent;
	message_enter(m, MESSAGE_REMOVING);
	message_remove_again(m->active);
}

/* What failed before, once more. */
void
message_remove_again(struct active *a)
{
	io_submit(a->m->q->io, IO_OTHER, &remove_kind, &a->job);
}

/* deliver finds what it has delivered, other hosts do not. */
static bool
went_out(const struct active *a)
{
	uint32_t i;

	for (i = 0; i < a->nrcpts; i++)
		if (a->rcpts[i].to.type == RCPT_REMOTE)
			return true;
	return false;
}

static void
remove_run(struct io_job **v, size_t n)
{
	struct active *a;
	size_t i;

	for (i = 0; i < n; i++) {
		a = LIST_OF(v[i], struct active, job);
		/* What was not sent must not come back: its name goes at
		 * once, its file is no spare. */
		a->rc = spool_remove(a->m->q->spool, a->m->id, a->m->body,
				     a->m->has_log || a->unsent, went_out(a),
				     &a->err);
	}
}

static void
remove_done(struct io_job *j)
{
	struct active *a = LIST_OF(j, struct active, job);
	struct qmgr *q = a->m->q;
	char id[QID_MAX];

	if (a->rc < 0) {
		message_stuck(a);
	} else {
		log_line(LOG_INFO_, qid_text(a->m->id, id), "removed");
		message_free(a->m);
	}
	message_schedule(q);
	qmgr_drain_step(q);
}
