/* SPDX-License-Identifier: ISC */
/* The administrator's orders.  Listing is in listing.c, requeue and change in
 * rewrite.c. */
#include <stdlib.h>

#include "admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "rewrite.h"
#include "selection.h"

enum {
	ORDER_JOBS = 64, /* at a time, so that mail goes on meanwhile */
	/* Of one asker at a time: anybody on this host may have submitd ask
	 * for a flush, which may read the whole queue, and leave. */
	ORDERS_MAX = 8,
};

/* One request; it goes on when ctl has left. */
struct order {
	struct list link; /* in q->orders */
	struct qmgr *q;
	struct chan *chan;
	uint32_t tag;
	enum queue_verb verb;
	struct selection sel;
	size_t at; /* of the batch: not done yet */
	bool end;  /* it was the last batch */
	unsigned running;
	uint32_t count;
	const char *skipped; /* why the last one was left out */
	bool failed;
	struct err err;
};

/* One message whose slot is being written for an order. */
struct step {
	struct order *o;
	struct io_job job;
	uint64_t id;
	struct qfile_msg slot;
	int rc;
	struct err err;
};

static void step_run(struct io_job **v, size_t n);
static void step_done(struct io_job *j);

static const struct io_kind step_kind = { step_run, step_done, 1 };

/* --- replies -------------------------------------------------------------- */

void
admin_reply(struct chan *c, uint32_t tag, unsigned status, uint32_t count,
	    const char *text)
{
	struct msg_queue_done msg = { .status = (uint8_t)status,
				      .count = count,
				      .text = str_of(text) };

	chan_send(c, tag, &msg_queue_done_def, &msg);
}

static void
order_end(struct order *o)
{
	if (o->failed)
		admin_reply(o->chan, o->tag, o->err.class == ERR_PERM ? 1 : 75,
			    o->count, o->err.text);
	else if (o->sel.missing[0])
		admin_reply(o->chan, o->tag, 1, o->count, o->sel.missing);
	else if (o->count == 0 && o->skipped)
		admin_reply(o->chan, o->tag, 1, 0, o->skipped);
	else
		admin_reply(o->chan, o->tag, 0, o->count, "");
	list_remove(&o->link);
	chan_unref(o->chan);
	selection_fini(&o->sel);
	free(o);
}

static void
order_failed(struct order *o, const struct err *err)
{
	o->failed = true;
	o->err = *err;
}

/* --- writing the new state ------------------------------------------------ */

/* Recipients that had been given up are to do again. */
static int
release_slots(struct step *s, const struct spool_text *t,
	      const struct qfile_head *h)
{
	struct spool_mark *v = calloc(t->head.nrcpts, sizeof(*v));
	uint64_t now = clock_wall_us();
	size_t n = 0;
	uint32_t i;
	int rc;

	if (!v)
		return err_set(&s->err, ERR_TEMP, 0, "out of memory");
	for (i = 0; i < t->head.nrcpts; i++)
		if (t->rcpt_state[i] == QFILE_GAVE_UP)
			v[n++] =
				(struct spool_mark){ i,
						     { .seq = s->slot.tries + 2,
						       .state = QFILE_TODO,
						       .when_us = now } };
	rc = spool_mark(s->o->q->spool, h, v, n, &s->slot, &s->err);
	free(v);
	return rc;
}

static void
step_run(struct io_job **v, size_t n)
{
	struct step *s = LIST_OF(v[0], struct step, job);
	struct spool *sp = s->o->q->spool;
	struct spool_text t;

	(void)n;
	s->rc = spool_read(sp, s->id, SPOOL_ENVELOPE, &t, &s->err);
	if (s->rc < 0)
		return;
	if (s->slot.state == QFILE_ACTIVE)
		s->rc = release_slots(s, &t, &t.head);
	else
		s->rc = spool_mark(sp, &t.head, NULL, 0, &s->slot, &s->err);
	free(t.mem);
}

static void order_go_on(struct order *o);

static void
step_done(struct io_job *j)
{
	struct step *s = LIST_OF(j, struct step, job);
	struct order *o = s->o;
	struct qmgr *q = o->q;
	struct message *m = message_find(q, s->id);
	char id[QID_MAX];

	BUG_ON(!m); /* nothing removes a message that is busy */
	m->busy = false;
	if (s->rc < 0) {
		log_line(LOG_ERROR_, qid_text(m->id, id), "%s", s->err.text);
		order_failed(o, &s->err);
	} else {
		m->seq = s->slot.seq;
		o->count++;
		if (s->slot.state == QFILE_ACTIVE) {
			m->kills = 0;
			log_line(LOG_INFO_, qid_text(m->id, id), "released");
		}
	}
	if (m->wish == WISH_DELETE)
		message_remove(m, true);
	else if (s->rc == 0 && s->slot.state == QFILE_ACTIVE)
		message_defer(m, clock_wall_us());
	free(s);
	o->running--;
	message_schedule(q);
	order_go_on(o);
	qmgr_drain_step(q);
}

static void
start_step(struct order *o, struct message *m, enum qfile_state state)
{
	struct step *s = calloc(1, sizeof(*s));

	if (!s) {
		o->failed = true;
		err_set(&o->err, ERR_TEMP, 0, "out of memory");
		return;
	}
	s->o = o;
	s->id = m->id;
	s->slot = message_slot(m);
	s->slot.state = (uint8_t)state;
	if (state == QFILE_HELD)
		s->slot.reason = QFILE_ADMIN;
	else
		s->slot.kills = 0;
	s->slot.next_try_us = clock_wall_us();
	m->busy = true;
	o->running++;
	io_submit(o->q->io, IO_OTHER, &step_kind, &s->job);
}

/* --- one message of an order ---------------------------------------------- */

static void
hold(struct order *o, struct message *m)
{
	if (m->state == MESSAGE_DEFERRED) {
		message_hold(m, QFILE_ADMIN); /* at once; then on disk */
		start_step(o, m, QFILE_HELD);
	} else if (m->state == MESSAGE_HELD) {
		o->skipped = "it is on hold";
	} else if (m->state != MESSAGE_REMOVING && m->wish == WISH_NONE) {
		m->wish = WISH_HOLD; /* when this attempt has ended */
		o->count++;
	}
}

static void
release(struct order *o, struct message *m)
{
	if (m->state == MESSAGE_HELD) {
		start_step(o, m, QFILE_ACTIVE);
	} else if (m->wish == WISH_HOLD) {
		m->wish = WISH_NONE;
		o->count++;
	} else {
		o->skipped = "it is not on hold";
	}
}

static void delete (struct order *o, struct message *m)
{
	char id[QID_MAX];

	log_line(LOG_INFO_, qid_text(m->id, id),
		 "deleted by the administrator");
	o->count++;
	if (!m->busy &&
	    (m->state == MESSAGE_DEFERRED || m->state == MESSAGE_HELD))
		message_remove(m, true);
	else
		m->wish = WISH_DELETE;
}

static void
flush(struct order *o, struct message *m)
{
	if (m->state == MESSAGE_HELD) {
		o->skipped = "it is on hold: release it";
	} else {
		/* What is being tried already is as it should be. */
		if (m->state == MESSAGE_DEFERRED)
			message_flush(m);
		o->count++;
	}
}

static void
on_rewritten(void *arg, int rc, const struct err *err)
{
	struct order *o = arg;

	if (rc < 0)
		order_failed(o, err);
	else
		o->count++;
	o->running--;
	order_go_on(o);
}

static void
rewrite(struct order *o, struct message *m,
	const struct msg_queue_change *change)
{
	struct err err;

	if (m->state != MESSAGE_DEFERRED && m->state != MESSAGE_HELD) {
		o->skipped = "it is being delivered just now: hold it first";
	} else if (m->reason == QFILE_DAMAGED) {
		o->skipped = "its queue file is damaged";
	} else if (rewrite_start(m, change, on_rewritten, o, &err) < 0) {
		order_failed(o, &err);
	} else {
		o->running++;
	}
}

static void
apply(struct order *o, struct message *m)
{
	if (!m || m->wish == WISH_DELETE)
		o->skipped = "no such message";
	else if (o->verb == QUEUE_DELETE)
		delete (o, m);
	else if (m->busy)
		o->skipped = "another order is at work on it";
	else if (o->verb == QUEUE_HOLD)
		hold(o, m);
	else if (o->verb == QUEUE_RELEASE)
		release(o, m);
	else if (o->verb == QUEUE_REQUEUE)
		rewrite(o, m, NULL);
	else
		flush(o, m);
}

static void
order_go_on(struct order *o)
{
	if (o->q->draining && !o->end) {
		o->end = true;
		o->at = o->sel.nbatch;
		o->failed = true;
		err_set(&o->err, ERR_TEMP, 0, "the queue manager is stopping");
	}
	while (o->at < o->sel.nbatch && o->running < ORDER_JOBS)
		apply(o, message_find(o->q, o->sel.batch[o->at++]));
	if (o->at < o->sel.nbatch || o->running)
		return;
	message_schedule(o->q);
	if (o->end)
		order_end(o);
	else
		selection_more(&o->sel);
}

static void
on_batch(struct selection *sel)
{
	struct order *o = LIST_OF(sel, struct order, sel);

	o->at = 0;
	o->end = sel->nbatch == 0;
	order_go_on(o);
}

static unsigned
count_for(const struct qmgr *q, const struct chan *c)
{
	const struct list *it;
	unsigned n = 0;

	list_for_each (it, &q->orders)
		n += LIST_OF(it, struct order, link)->chan == c;
	return n;
}

static struct order *
order_new(struct qmgr *q, struct chan *c, uint32_t tag,
	  const struct msg_queue *msg)
{
	struct order *o;

	if (count_for(q, c) >= ORDERS_MAX) {
		admin_reply(c, tag, 75, 0, "too many orders at a time");
		return NULL;
	}
	o = calloc(1, sizeof(*o));
	if (!o || selection_init(&o->sel, q, msg, on_batch) < 0) {
		admin_reply(c, tag, 75, 0, "out of memory");
		free(o);
		return NULL;
	}
	list_init(&o->link);
	list_append(&q->orders, &o->link);
	o->q = q;
	o->chan = chan_ref(c);
	o->tag = tag;
	o->verb = (enum queue_verb)msg->verb;
	return o;
}

/* What anybody on this host may have through submitd (mailq, sendmail -q); the
 * rest is the administrator's. */
static bool
may(const struct chan *c, uint8_t verb)
{
	return chan_row(c) == &channels[CH_CTL_QMGR] || verb == QUEUE_LIST ||
	       verb == QUEUE_FLUSH;
}

void
admin_order(struct qmgr *q, struct chan *c, uint32_t tag,
	    const struct msg_queue *m)
{
	bool all = str_eq(m->id, STR("ALL"));
	struct order *o;

	if (q->draining)
		admin_reply(c, tag, 75, 0, "the queue manager is stopping");
	else if (!may(c, m->verb))
		admin_reply(c, tag, 77, 0, "not allowed");
	else if (m->verb == 0 || (!m->id.n && !m->ids.count) ||
		 (m->verb == QUEUE_SHOW && (all || !m->id.n)))
		admin_reply(c, tag, 64, 0, "unknown order");
	else if (m->verb == QUEUE_LIST || m->verb == QUEUE_SHOW)
		listing_new(q, c, tag, m);
	else if ((o = order_new(q, c, tag, m)))
		selection_more(&o->sel);
}

void
admin_change(struct qmgr *q, struct chan *c, uint32_t tag,
	     const struct msg_queue_change *m)
{
	const struct msg_queue about = { .verb = QUEUE_REQUEUE, .id = m->id };
	struct order *o;

	if (q->draining) {
		admin_reply(c, tag, 75, 0, "the queue manager is stopping");
		return;
	}
	o = order_new(q, c, tag, &about);
	if (!o)
		return;
	o->end = true; /* the one message, now, while the change is here */
	if (o->sel.n) {
		struct message *one = message_find(q, o->sel.ids[0]);

		if (one->busy || one->wish == WISH_DELETE)
			o->skipped = "another order is at work on it";
		else
			rewrite(o, one, m);
	}
	order_go_on(o);
}
