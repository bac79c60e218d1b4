/* SPDX-License-Identifier: ISC */
/* The administrator's orders: hold, release, delete, flush.  Listing is in
 * listing.c. */
#include <stdlib.h>
#include <unistd.h>

#include "admin.h"
#include "base/clock.h"
#include "base/log.h"

enum { ORDER_JOBS = 64 }; /* at a time, so that mail goes on meanwhile */

struct admin {
	struct list link; /* in q->admins */
	struct qmgr *q;
	struct chan *chan;
};

/* One request; it goes on when ctl has left. */
struct order {
	struct qmgr *q;
	struct chan *chan;
	uint32_t tag;
	enum queue_verb verb;
	uint64_t *ids;
	size_t n, at;
	unsigned running;
	uint32_t count;
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

uint64_t *
admin_ids(struct qmgr *q, struct str id, size_t *n)
{
	uint64_t *ids, one;
	struct message *m;
	size_t i = 0;

	*n = 0;
	ids = calloc(q->by_id.n + 1, sizeof(*ids));
	if (!ids)
		return NULL;
	if (str_eq(id, STR("ALL"))) {
		while ((m = map_next(&q->by_id, &i)))
			ids[(*n)++] = m->id;
	} else if (qid_parse(id, &one) && message_find(q, one)) {
		ids[(*n)++] = one;
	}
	return ids;
}

static void
order_end(struct order *o)
{
	if (o->failed)
		admin_reply(o->chan, o->tag, 75, o->count, o->err.text);
	else
		admin_reply(o->chan, o->tag, 0, o->count, "");
	chan_unref(o->chan);
	free(o->ids);
	free(o);
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
		o->failed = true;
		o->err = s->err;
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
	s->slot = (struct qfile_msg){
		.seq = m->seq + 1,
		.state = (uint8_t)state,
		.reason = state == QFILE_HELD ? QFILE_ADMIN : QFILE_NONE,
		.kills = state == QFILE_HELD ? m->kills : 0,
		.tries = m->tries,
		.next_try_us = clock_wall_us(),
	};
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
	} else if (m->state != MESSAGE_HELD && m->state != MESSAGE_REMOVING &&
		   m->wish == WISH_NONE) {
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
	if (m->state != MESSAGE_DEFERRED)
		return;
	message_flush(m);
	o->count++;
}

static void
order_go_on(struct order *o)
{
	struct message *m;

	if (o->q->draining && o->at < o->n) {
		o->at = o->n;
		o->failed = true;
		err_set(&o->err, ERR_TEMP, 0, "the queue manager is stopping");
	}
	while (o->at < o->n && o->running < ORDER_JOBS) {
		m = message_find(o->q, o->ids[o->at++]);
		if (!m || m->wish == WISH_DELETE)
			continue;
		if (o->verb == QUEUE_DELETE)
			delete (o, m);
		else if (m->busy)
			continue; /* another order's step is not over */
		else if (o->verb == QUEUE_HOLD)
			hold(o, m);
		else if (o->verb == QUEUE_RELEASE)
			release(o, m);
		else
			flush(o, m);
	}
	if (o->at == o->n && !o->running) {
		message_schedule(o->q);
		order_end(o);
	}
}

static void
order_new(struct qmgr *q, struct chan *c, uint32_t tag,
	  const struct msg_queue *msg)
{
	struct order *o = calloc(1, sizeof(*o));
	size_t n = 0;
	uint64_t *ids = o ? admin_ids(q, msg->id, &n) : NULL;

	if (!ids || (n == 0 && !str_eq(msg->id, STR("ALL")))) {
		admin_reply(c, tag, ids ? 1 : 75, 0,
			    ids ? "no such message" : "out of memory");
		free(ids);
		free(o);
		return;
	}
	o->q = q;
	o->chan = chan_ref(c);
	o->tag = tag;
	o->verb = (enum queue_verb)msg->verb;
	o->ids = ids;
	o->n = n;
	order_go_on(o);
}

void
admin_order(struct qmgr *q, struct chan *c, uint32_t tag,
	    const struct msg_queue *m)
{
	/* What anybody on this host may have through submitd (mailq, sendmail
	 * -q); the rest is the administrator's. */
	bool all = chan_row(c) == &channels[CH_CTL_QMGR];

	if (q->draining)
		admin_reply(c, tag, 75, 0, "the queue manager is stopping");
	else if (!all && m->verb != QUEUE_LIST && m->verb != QUEUE_FLUSH)
		admin_reply(c, tag, 77, 0, "not allowed");
	else if (m->verb == QUEUE_LIST || m->verb == QUEUE_SHOW)
		listing_new(q, c, tag, m);
	else if (m->verb == 0)
		admin_reply(c, tag, 64, 0, "unknown order");
	else
		order_new(q, c, tag, m);
}

/* --- the channel ---------------------------------------------------------- */

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct admin *ad = arg;

	(void)def; /* the row has only this one */
	admin_order(ad->q, c, tag, msg);
}

static void
on_close(struct chan *c, void *arg)
{
	struct admin *ad = arg;

	(void)c;
	list_remove(&ad->link);
	free(ad);
}

static const struct chan_ops admin_ops = { on_msg, on_close };

void
admin_new(struct qmgr *q, const struct chan_row *row, int fd)
{
	struct admin *ad = calloc(1, sizeof(*ad));

	if (!ad) {
		close(fd);
		return;
	}
	ad->q = q;
	ad->chan = chan_new(q->loop, fd, row, CHAN_SERVICE, &admin_ops, ad);
	if (!ad->chan) {
		free(ad);
		return;
	}
	list_append(&q->admins, &ad->link);
}

void
admin_fini(struct qmgr *q)
{
	struct admin *ad;
	struct chan *c;

	while (!list_empty(&q->admins)) {
		ad = LIST_OF(q->admins.next, struct admin, link);
		c = ad->chan;
		on_close(c, ad);
		chan_close(c);
	}
}
