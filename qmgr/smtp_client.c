/* SPDX-License-Identifier: ISC */
/*
 * To the workers of smtp.  Each serves many connections at once, and what runs
 * at the same time is decided in site.c.  Messages that were in hand when a
 * worker died are suspects: each is sent alone, to a worker that has nothing
 * else, so that the one that kills is found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/msg_smtp.h"
#include "message.h"

enum {
	RCPT_BYTES = 12 * 1024,	     /* of encoded recipients in one SEND */
	PARTS_MAX = 4 * 1024 * 1024, /* of one answer */
	SEND_MS = (SEND_WITHIN_S + 3600) * 1000, /* then the worker hangs */
	WHY_MAX = 512,
};

struct worker {
	struct qmgr *q;
	struct asker *asker; /* NULL: waits for timer */
	struct event *timer;
	unsigned number;  /* from 1 */
	struct list sent; /* struct sending */
	unsigned nsent;
	unsigned deaths; /* since the last answer */
	bool leaving;	 /* takes nothing new */
	bool alone;	 /* kept free for suspects */
};

static void on_sent(void *arg, const struct msg_def *def, void *msg);

/* --- deliveries ----------------------------------------------------------- */

static struct sending *
sending_new(struct active *a, struct site *s)
{
	struct sending *sn = calloc(1, sizeof(*sn));

	if (!sn)
		return NULL;
	list_init(&sn->link);
	buf_init(&sn->parts, PARTS_MAX);
	sn->a = a;
	sn->site = s;
	sn->share = a->bytes;
	a->out++;
	return sn;
}

static void
sending_free(struct sending *sn)
{
	struct smtp_client *sc = &sn->site->q->smtp;

	if (sc->suspect == sn)
		sc->suspect = NULL;
	list_remove(&sn->link);
	buf_fini(&sn->parts);
	free(sn->rcpt);
	free(sn);
}

static int
add_rcpt(struct sending *sn, uint32_t i, size_t bytes)
{
	uint32_t *v, size;

	if (sn->n == sn->size) {
		size = sn->size ? sn->size * 4 : 2;
		v = reallocarray(sn->rcpt, size, sizeof(*v));
		if (!v)
			return -1;
		sn->rcpt = v;
		sn->size = size;
	}
	sn->rcpt[sn->n++] = i;
	sn->bytes += bytes;
	return 0;
}

static void
give(struct active *a, uint32_t i, struct str dsn, struct str text)
{
	const struct result res = { .class = DELIVER_TEMP,
				    .dsn = dsn,
				    .text = text };

	message_result(a, i, &res);
}

/* The administrator has stopped the transport. */
static void
give_deferred(struct active *a, uint32_t i)
{
	const struct result res = { .class = DELIVER_TEMP,
				    .dsn = STR("4.3.2"),
				    .text = STR("deferred transport"),
				    .untried = true };

	message_result(a, i, &res);
}

/* The site is dead. */
static void
give_suspended(struct active *a, uint32_t i, const struct site *s)
{
	struct str dsn = STR("4.4.1"), why = str_of(s->why);
	struct result res = { .class = DELIVER_TEMP, .untried = true };
	char text[SITE_WHY_MAX];

	str_cut(&why, ' ', &dsn);
	(void)snprintf(text, sizeof(text),
		       "delivery temporarily suspended: %.*s", STR_FMT(why));
	res.dsn = dsn;
	res.text = str_of(text);
	message_result(a, i, &res);
}

/* --- from messages to deliveries ------------------------------------------ */

static void
close_building(struct site *s)
{
	struct sending *sn = s->building;

	s->building = NULL;
	if (sn)
		site_add(s, sn);
}

static int
start_rcpt(struct active *a, uint32_t i, struct site *s, struct list *touched)
{
	const struct msg_rcpt *to = &a->rcpts[i].to;
	size_t bytes = 32 + to->address.n + to->orcpt.n;

	if (s->building && (s->building->n >= s->transport->rule.rcpts ||
			    s->building->bytes + bytes > RCPT_BYTES))
		close_building(s);
	if (!s->building) {
		s->building = sending_new(a, s);
		if (!s->building)
			return -1;
		if (list_empty(&s->touched))
			list_append(touched, &s->touched);
	}
	return add_rcpt(s->building, i, bytes);
}

void
smtp_start(struct qmgr *q, struct active *a)
{
	struct list touched = LIST_INIT(touched);
	struct site *s;
	uint32_t i;

	for (i = 0; i < a->nrcpts; i++) {
		const struct msg_rcpt *to = &a->rcpts[i].to;

		if (a->rcpts[i].state != QFILE_TODO || to->type != RCPT_REMOTE)
			continue;
		s = site_get(q, to->transport, to->where);
		if (s && a->m->eager)
			site_enable(s);
		if (s && s->transport->rule.deferred && !a->m->eager)
			give_deferred(a, i);
		else if (s && !site_may_try(s, a->m))
			give_suspended(a, i, s);
		else if (!s || start_rcpt(a, i, s, &touched) < 0)
			give(a, i, STR("4.3.0"), STR("out of memory"));
	}
	while (!list_empty(&touched)) {
		s = LIST_OF(touched.next, struct site, touched);
		list_remove(&s->touched);
		close_building(s);
	}
	a->m->eager = false;
	site_leave(a->m); /* it has arrived */
}

void
smtp_suspend(struct site *s)
{
	struct sending *sn;
	struct active *a;
	uint32_t i;

	while (s->ntodo) {
		sn = site_drop(s);
		a = sn->a;
		for (i = 0; i < sn->n; i++)
			give_suspended(a, sn->rcpt[i], s);
		sending_free(sn);
		message_delivery_done(a);
	}
}

/* --- sending -------------------------------------------------------------- */

static bool
is_free(const struct worker *w)
{
	return w && w->asker && asker_is_up(w->asker) && !w->leaving &&
	       !w->alone && w->nsent < channels[CH_QMGR_SMTP].inflight;
}

/* One that keeps a connection for this site, or the one with least in hand. */
static struct worker *
pick(struct qmgr *q, const struct site *s)
{
	struct worker *w, *best = NULL;
	bool kept = false, keeps;
	unsigned i;

	for (i = 0; i < q->smtp.nworkers; i++) {
		w = q->smtp.worker[i];
		if (!is_free(w))
			continue;
		keeps = s && s->kept[i % SITE_KEPT] > 0;
		if (best && (kept > keeps ||
			     (kept == keeps && w->nsent >= best->nsent)))
			continue;
		best = w;
		kept = keeps;
	}
	return best;
}

static int
put_rcpts(const struct sending *sn, struct buf *b)
{
	struct msg_send_rcpt r;
	const struct msg_rcpt *to;
	uint32_t i;

	for (i = 0; i < sn->n; i++) {
		to = &sn->a->rcpts[sn->rcpt[i]].to;
		r = (struct msg_send_rcpt){
			.slot = sn->rcpt[i],
			.address = to->address,
			.orcpt = to->orcpt,
			.notify = to->notify & (uint8_t)~NOTIFY_EXPANDED,
		};
		if (msg_list_add(b, &msg_send_rcpt_def, &r, NULL) < 0)
			return -1;
	}
	return 0;
}

static int
send_to(struct worker *w, struct sending *sn)
{
	const struct active *a = sn->a;
	struct site *s = sn->site;
	struct msg_send msg = {
		.transport = str_of(s->transport->name),
		.nexthop = s->nexthop,
		.sender = a->sender,
		.flags = a->flags,
		.ret = a->ret,
		.envid = a->envid,
		.header = a->header,
		.body = a->body,
		.body_len = a->body_len,
		.body_fd = a->body_fd,
	};
	char id[QID_MAX];
	struct buf b;
	int rc = -1;

	buf_init(&b, MSG_FRAME_MAX);
	msg.id = str_of(qid_text(a->m->id, id));
	if (put_rcpts(sn, &b) == 0) {
		msg.rcpts = msg_list_of(&b, sn->n, &msg_send_rcpt_def);
		sn->sent_us = clock_wall_us();
		if (asker_send(w->asker, &msg_send_def, &msg, SEND_MS, on_sent,
			       sn))
			rc = 0;
	}
	buf_fini(&b);
	if (rc < 0)
		return -1;
	sn->worker = w;
	list_append(&w->sent, &sn->link);
	w->nsent++;
	s->q->nsent++;
	if (s->kept[(w->number - 1) % SITE_KEPT])
		s->kept[(w->number - 1) % SITE_KEPT]--;
	return 0;
}

/* It was taken from its site. */
static void
send_or_fail(struct worker *w, struct sending *sn)
{
	struct active *a = sn->a;
	struct site *s = sn->site;
	uint32_t i;

	if (send_to(w, sn) == 0)
		return;
	for (i = 0; i < sn->n; i++)
		give(a, sn->rcpt[i], STR("4.3.0"),
		     STR("cannot be handed over"));
	sending_free(sn);
	site_done(s, SITE_SAYS_NOTHING, STR_NULL);
	message_delivery_done(a);
}

/* Not to be sent any more, or not as the administrator sees it. */
static bool
is_unwanted(const struct sending *sn)
{
	return message_is_killer(sn->a) || sn->a->m->wish != WISH_NONE;
}

/* It was taken from its site; its recipients stay as they are. */
static void
leave_out(struct sending *sn)
{
	struct active *a = sn->a;
	struct site *s = sn->site;

	sending_free(sn);
	site_done(s, SITE_SAYS_NOTHING, STR_NULL);
	message_delivery_done(a);
}

/* The worker with least in hand gets nothing else till it is free, then the
 * suspects one by one. */
static struct worker *
pick_alone(struct qmgr *q)
{
	struct worker *w, *best = NULL;
	unsigned i;

	for (i = 0; i < SMTP_WORKERS_MAX; i++) {
		w = q->smtp.worker[i];
		if (!w)
			continue;
		w->alone = false;
		if (is_free(w) && (!best || w->nsent < best->nsent))
			best = w;
	}
	if (best)
		best->alone = true;
	return best;
}

static void
send_suspects(struct qmgr *q)
{
	struct smtp_client *sc = &q->smtp;
	struct sending *sn;
	struct worker *w;

	while (!sc->suspect && (w = pick_alone(q))) {
		if (list_empty(&sc->suspects))
			w->alone = false;
		if (list_empty(&sc->suspects) || w->nsent)
			return;
		sn = LIST_OF(sc->suspects.next, struct sending, link);
		list_remove(&sn->link);
		if (is_unwanted(sn)) {
			leave_out(sn);
			continue;
		}
		sc->suspect = sn;
		send_or_fail(w, sn);
	}
}

void
smtp_dispatch(struct loop_flush *f)
{
	struct qmgr *q = LIST_OF(f, struct qmgr, sites.dispatch);
	struct sending *sn;
	struct worker *w;
	struct site *s;

	if (q->draining)
		return;
	send_suspects(q);
	while ((s = sites_next(q))) {
		w = pick(q, s);
		if (!w)
			return;
		sn = site_take(s);
		if (is_unwanted(sn)) {
			leave_out(sn);
		} else if (message_is_suspect(sn->a)) {
			list_append(&q->smtp.suspects, &sn->link);
			loop_flush_want(q->loop, &q->sites.dispatch);
		} else {
			send_or_fail(w, sn);
		}
	}
}

static void
want_dispatch(struct qmgr *q)
{
	if (!q->draining)
		loop_flush_want(q->loop, &q->sites.dispatch);
}

/* --- answers -------------------------------------------------------------- */

static void
close_worker(struct worker *w, unsigned pause_s)
{
	struct timeval tv = { (time_t)pause_s, 0 };
	struct asker *a = w->asker;

	w->asker = NULL;
	w->leaving = false;
	asker_free(a); /* what it has comes back through on_sent() */
	evtimer_add(w->timer, &tv);
}

/* The process is gone, or hung and has to go. */
static void
come_back(struct sending *sn)
{
	struct worker *w = sn->worker;
	struct qmgr *q = w->q;
	struct timeval now = { 0, 0 };

	buf_reset(&sn->parts);
	if (q->smtp.suspect == sn)
		q->smtp.suspect = NULL;
	if (q->draining || w->leaving) {
		site_put_back(sn->site, sn);
	} else {
		message_killed_worker(sn->a, q->deaths + 1);
		list_append(&q->smtp.suspects, &sn->link);
	}
	if (w->asker && asker_is_up(w->asker)) {
		log_error("smtp worker %u does not answer", w->number);
		w->alone = true; /* nothing more for it */
		evtimer_add(w->timer, &now);
	}
}

/* One result; false: of a recipient that was not asked for. */
static bool
take_result(struct sending *sn, const struct msg_send_result *r,
	    const struct msg_sent *msg)
{
	uint64_t began = msg->began_us ? msg->began_us : sn->sent_us;
	struct result res = {
		.class = (enum deliver_class)r->class,
		.dsn = r->dsn,
		.text = r->text,
		.relay = r->relay,
		.mta = r->mta,
		.reply = r->reply,
		.dsn_taken = r->dsn_taken,
		.sent_us = began,
		.up_us = msg->up_us,
	};
	uint32_t k;

	for (k = 0; k < sn->n; k++)
		if (sn->rcpt[k] == r->slot)
			break;
	if (k == sn->n)
		return false;
	sn->rcpt[k] = sn->rcpt[--sn->n];
	if (!res.up_us) /* all of it was connecting */
		res.up_us = clock_wall_us();
	message_result(sn->a, r->slot, &res);
	return true;
}

static void
take_list(struct sending *sn, struct str it, const struct msg_sent *msg,
	  struct buf *why)
{
	struct msg_send_result r;

	while (msg_list_next(&it, &msg_send_result_def, &r)) {
		if (take_result(sn, &r, msg) && r.class != DELIVER_OK &&
		    why->n == 0)
			buf_addf(why, "%.*s %.*s", STR_FMT(r.dsn),
				 STR_FMT(r.text));
	}
}

static void
take_answer(struct sending *sn, const struct msg_sent *msg)
{
	struct worker *w = sn->worker;
	struct active *a = sn->a;
	struct site *s = sn->site;
	uint8_t *kept = &s->kept[(w->number - 1) % SITE_KEPT];
	enum site_end end = msg->site == SEND_SITE_OK	    ? SITE_WORKED
			    : msg->site == SEND_SITE_FAILED ? SITE_FAILED
							    : SITE_SAYS_NOTHING;
	struct buf why;

	if (s->q->smtp.suspect == sn)
		message_is_innocent(a);
	buf_init(&why, 2 * WHY_MAX);
	take_list(sn, buf_str(&sn->parts), msg, &why);
	take_list(sn, msg->results.raw, msg, &why);
	while (sn->n)
		give(a, sn->rcpt[--sn->n], STR("4.3.0"),
		     STR("the sending process gave no result"));
	if (msg->kept && *kept < UINT8_MAX)
		++*kept;
	if (msg->dialog.n)
		message_dialog(a, msg->dialog);
	sending_free(sn);
	site_done(s, end, buf_str(&why));
	message_delivery_done(a);
	buf_fini(&why);
}

static void
on_sent(void *arg, const struct msg_def *def, void *msg)
{
	struct sending *sn = arg;
	struct worker *w = sn->worker;
	struct qmgr *q = w->q;

	if (def == &msg_sent_part_def) {
		const struct msg_sent_part *part = msg;

		/* What does not fit has no result. */
		buf_add_str(&sn->parts, part->results.raw);
		return;
	}
	list_remove(&sn->link);
	w->nsent--;
	q->nsent--;
	if (def) {
		w->deaths = 0;
		take_answer(sn, msg);
	} else {
		come_back(sn);
	}
	if (def && w->leaving && w->nsent == 0)
		close_worker(w, 0);
	want_dispatch(q);
	qmgr_drain_step(q);
}

/* --- workers -------------------------------------------------------------- */

static void
on_note(void *arg, const struct msg_def *def, void *msg)
{
	struct worker *w = arg;

	(void)msg;
	if (def != &msg_send_leaving_def)
		return;
	w->leaving = true;
	if (w->nsent == 0)
		close_worker(w, 0);
}

static void
on_state(void *arg, bool up)
{
	struct worker *w = arg;
	unsigned pause = 0;

	if (up) {
		want_dispatch(w->q);
		return;
	}
	w->q->deaths++;
	if (!w->leaving) {
		pause = retry_worker_pause_s(++w->deaths);
		log_warn("smtp worker %u ended", w->number);
	}
	close_worker(w, pause);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	if (w->asker) { /* hung */
		w->q->deaths++;
		w->alone = false;
		close_worker(w, 1);
		return;
	}
	if (w->number > w->q->smtp.nworkers)
		return;
	w->asker = w->q->smtp.open(w, w->number, on_note, on_state);
	if (!w->asker) {
		struct timeval second = { 1, 0 };

		evtimer_add(w->timer, &second);
	} else if (asker_is_up(w->asker)) {
		want_dispatch(w->q);
	}
}

void *
smtp_client_arg(const struct worker *w)
{
	return w->q->smtp.arg;
}

static struct worker *
worker_new(struct qmgr *q, unsigned number)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->q = q;
	w->number = number;
	list_init(&w->sent);
	w->timer = evtimer_new(q->loop->base, on_timer, w);
	if (!w->timer) {
		free(w);
		return NULL;
	}
	return w;
}

void
smtp_client_start(struct qmgr *q, unsigned n)
{
	struct worker **w;
	unsigned i;

	q->smtp.nworkers = n < SMTP_WORKERS_MAX ? n : SMTP_WORKERS_MAX;
	for (i = 0; i < SMTP_WORKERS_MAX; i++) {
		w = &q->smtp.worker[i];
		if (i >= q->smtp.nworkers) {
			/* Finishes what it has. */
			if (*w && (*w)->asker)
				(*w)->leaving = true;
			if (*w && (*w)->asker && !(*w)->nsent)
				close_worker(*w, 0);
			continue;
		}
		if (!*w)
			*w = worker_new(q, i + 1);
		if (*w && !(*w)->asker)
			on_timer(-1, 0, *w);
	}
}

void
smtp_client_fini(struct qmgr *q)
{
	struct sending *sn;
	struct worker *w;
	struct asker *a;
	struct site *s;
	size_t i;

	for (i = 0; i < SMTP_WORKERS_MAX; i++) {
		w = q->smtp.worker[i];
		if (!w)
			continue;
		a = w->asker;
		w->asker = NULL;
		asker_free(a); /* what it has goes back to its site */
		event_free(w->timer);
		free(w);
		q->smtp.worker[i] = NULL;
	}
	while (!list_empty(&q->smtp.suspects)) {
		sn = LIST_OF(q->smtp.suspects.next, struct sending, link);
		list_remove(&sn->link);
		site_put_back(sn->site, sn);
	}
	for (i = 0; (s = map_next(&q->sites.by_key, &i));)
		while (s->ntodo)
			sending_free(site_drop(s));
}
