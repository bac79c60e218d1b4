/* SPDX-License-Identifier: ISC */
/*
 * To spawner and deliver.  A target is one delivery process: the one that
 * writes all virtual Maildirs, that of one virtual mbox, or one system user's.
 * Messages that were in hand when a process died are suspects: they are sent
 * alone, so that the one that kills is found and its neighbours get through.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/msg_spawner.h"
#include "message.h"

enum {
	RCPTS_PER_DELIVERY = 32,
	RCPT_BYTES = 12 * 1024, /* of encoded recipients in one DELIVER */
	OPEN_MS = 30 * 1000,
	DELIVER_MS = 600 * 1000, /* then the process counts as hung */
	LEAVE_S = 10,
};

enum target_state { TARGET_CLOSED, TARGET_OPENING, TARGET_UP, TARGET_PAUSED };

struct target {
	struct qmgr *q;
	struct list place;   /* in q->opening: waits for a place */
	struct list touched; /* while a message is being cut into deliveries */
	struct delivery *building;
	struct asker *asker;
	uint32_t open_tag; /* TARGET_OPENING: the request */
	enum target_state state;
	struct list waiting, sent; /* struct delivery */
	unsigned nsent;
	unsigned deaths; /* since the last answer */
	struct event *timer;
	uint8_t kind;	/* enum open_kind */
	struct str key; /* kind, user or path */
	char key_mem[];
};

/* Some recipients of one message on their way to one target. */
struct delivery {
	struct list link;
	struct active *a;
	struct target *t;
	uint64_t sent_us;
	size_t bytes;
	uint32_t n;
	uint32_t rcpt[RCPTS_PER_DELIVERY];
};

static void kick(struct target *t);
static void close_target(struct target *t);
static void close_an_idle_one(struct qmgr *q);
static void on_timer(evutil_socket_t fd, short what, void *arg);

/* --- targets -------------------------------------------------------------- */

static struct target *
target_get(struct qmgr *q, enum open_kind kind, struct str name)
{
	char key[1 + PATH_LEN_MAX];
	struct target *t;

	if (name.n > PATH_LEN_MAX)
		return NULL;
	key[0] = (char)kind;
	if (name.n)
		memcpy(key + 1, name.p, name.n);
	t = map_get(&q->targets, str_mem(key, 1 + name.n));
	if (t)
		return t;
	t = calloc(1, sizeof(*t) + 1 + name.n);
	if (!t)
		return NULL;
	t->q = q;
	t->kind = (uint8_t)kind;
	memcpy(t->key_mem, key, 1 + name.n);
	t->key = str_mem(t->key_mem, 1 + name.n);
	list_init(&t->place);
	list_init(&t->touched);
	list_init(&t->waiting);
	list_init(&t->sent);
	t->timer = evtimer_new(q->loop->base, on_timer, t);
	if (!t->timer || map_put(&q->targets, t->key, t) < 0) {
		if (t->timer)
			event_free(t->timer);
		free(t);
		return NULL;
	}
	return t;
}

static void
target_free(struct target *t)
{
	map_del(&t->q->targets, t->key);
	list_remove(&t->place);
	event_free(t->timer);
	free(t);
}

/* Give its place to one that waits, and look for another place for the next. */
static void
leave_place(struct target *t)
{
	struct qmgr *q = t->q;
	struct target *next;

	t->state = TARGET_CLOSED;
	q->nopen--;
	if (list_empty(&q->opening))
		return;
	next = LIST_OF(q->opening.next, struct target, place);
	list_remove(&next->place);
	kick(next);
	if (!list_empty(&q->opening))
		close_an_idle_one(q);
}

static void
set_timer(struct target *t, unsigned seconds)
{
	struct timeval tv = { (time_t)seconds, 0 };

	evtimer_add(t->timer, &tv);
}

/* Nothing to do for it: keep it for a while, unless its place is wanted. */
static void
rest(struct target *t)
{
	if (t->state != TARGET_UP || t->nsent || !list_empty(&t->waiting))
		return;
	if (list_empty(&t->q->opening) && !t->q->draining)
		set_timer(t, t->q->set.idle_s);
	else
		set_timer(t, 0); /* not from inside its own callbacks */
}

static void
delivery_end(struct delivery *dv)
{
	struct active *a = dv->a;

	list_remove(&dv->link);
	free(dv);
	message_delivery_done(a);
}

static void
give(struct active *a, uint32_t rcpt, enum deliver_class class, struct str dsn,
     struct str text)
{
	const struct result res = { .class = class, .dsn = dsn, .text = text };

	message_result(a, rcpt, &res);
}

static void
fail_waiting(struct target *t, enum deliver_class class, struct str dsn,
	     struct str text)
{
	const struct result res = { .class = class, .dsn = dsn, .text = text };
	struct delivery *dv;
	uint32_t i;

	while (!list_empty(&t->waiting)) {
		dv = LIST_OF(t->waiting.next, struct delivery, link);
		for (i = 0; i < dv->n; i++)
			message_result(dv->a, dv->rcpt[i], &res);
		delivery_end(dv);
	}
}

/* --- sending -------------------------------------------------------------- */

static void
take_results(struct delivery *dv, const struct msg_delivered *msg)
{
	struct result res = { .sent_us = dv->sent_us };
	struct str it = msg->results.raw;
	struct msg_deliver_result r;
	uint32_t i;

	for (i = 0; i < dv->n; i++) {
		if (!msg_list_next(&it, msg->results.elem, &r) ||
		    r.slot != dv->rcpt[i]) {
			it = STR_NULL;
			res.class = DELIVER_TEMP;
			res.dsn = STR("4.3.0");
			res.text = STR("delivery gave no result");
		} else {
			res.class = (enum deliver_class)r.class;
			res.dsn = r.dsn;
			res.text = r.text;
		}
		message_result(dv->a, dv->rcpt[i], &res);
	}
}

/* The answer; NULL: the process is gone, or so slow that it has to go. */
static void
on_delivered(void *arg, const struct msg_def *def, void *msg)
{
	struct delivery *dv = arg;
	struct target *t = dv->t;
	struct qmgr *q = t->q;

	t->nsent--;
	q->nsent--;
	if (def && ((struct msg_delivered *)msg)->results.count == 0) {
		/* Nothing was begun, the process leaves: to the next one, once
		 * this one has answered all. */
		list_remove(&dv->link);
		list_append(&t->waiting, &dv->link);
		t->state = TARGET_PAUSED;
		set_timer(t, t->nsent ? LEAVE_S : 0);
	} else if (def) {
		t->deaths = 0;
		take_results(dv, msg);
		delivery_end(dv);
		kick(t);
		rest(t);
	} else {
		if (!q->draining)
			message_killed_worker(dv->a, q->deaths + 1);
		list_remove(&dv->link);
		list_append(&t->waiting, &dv->link);
		if (t->state == TARGET_UP)
			set_timer(t, 0); /* closes what does not answer */
		t->state = TARGET_PAUSED;
	}
	qmgr_drain_step(q);
}

static int
put_rcpts(const struct delivery *dv, struct buf *b)
{
	struct msg_deliver_rcpt r;
	const struct msg_rcpt *to;
	uint32_t i;

	for (i = 0; i < dv->n; i++) {
		to = &dv->a->rcpts[dv->rcpt[i]].to;
		r = (struct msg_deliver_rcpt){
			.slot = dv->rcpt[i],
			.address = to->address,
			.original = to->original,
			.maybe_done = dv->a->m->maybe_done,
		};
		if (to->type == RCPT_VIRTUAL)
			r.path = to->where;
		if (msg_list_add(b, &msg_deliver_rcpt_def, &r, NULL) < 0)
			return -1;
	}
	return 0;
}

static int
send_one(struct target *t, struct delivery *dv)
{
	const struct active *a = dv->a;
	struct msg_deliver msg = {
		.queue_id = a->m->id,
		.spool_id = a->m->spool_id,
		.arrival_us = a->m->arrival_us,
		.sender = a->sender,
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
	if (put_rcpts(dv, &b) == 0) {
		msg.rcpts = msg_list_of(&b, dv->n, &msg_deliver_rcpt_def);
		dv->sent_us = clock_wall_us();
		if (asker_send(t->asker, &msg_deliver_def, &msg, DELIVER_MS,
			       on_delivered, dv))
			rc = 0;
	}
	buf_fini(&b);
	return rc;
}

/* May the next one go now? */
static bool
may_send(const struct target *t, const struct delivery *dv)
{
	const struct delivery *first;

	if (t->nsent == 0)
		return true;
	if (dv->a->m->kills)
		return false;
	first = LIST_OF(t->sent.next, struct delivery, link);
	return first->a->m->kills == 0 &&
	       t->nsent < channels[CH_QMGR_DELIVER].inflight;
}

static void
send_waiting(struct target *t)
{
	struct delivery *dv;
	uint32_t i;

	while (t->state == TARGET_UP && !list_empty(&t->waiting) &&
	       !t->q->draining) {
		dv = LIST_OF(t->waiting.next, struct delivery, link);
		if (message_is_killer(dv->a)) {
			delivery_end(dv);
			continue;
		}
		if (!may_send(t, dv))
			return;
		if (send_one(t, dv) < 0) {
			for (i = 0; i < dv->n; i++)
				give(dv->a, dv->rcpt[i], DELIVER_TEMP,
				     STR("4.3.0"),
				     STR("cannot be handed over"));
			delivery_end(dv);
			continue;
		}
		list_remove(&dv->link);
		list_append(&t->sent, &dv->link);
		t->nsent++;
		t->q->nsent++;
		evtimer_del(t->timer);
	}
}

/* --- opening and closing -------------------------------------------------- */

/* The channel is gone, its requests have failed already. */
static void
on_state(void *arg, bool up)
{
	struct target *t = arg;
	unsigned pause;

	if (up)
		return;
	t->q->deaths++;
	asker_free(t->asker);
	t->asker = NULL;
	if (list_empty(&t->waiting)) {
		/* An idle process that ended. */
		leave_place(t);
		target_free(t);
		return;
	}
	pause = retry_worker_pause_s(++t->deaths);
	log_warn("delivery process of %s ended, next one in %u s",
		 t->kind == OPEN_VIRTUAL ? "virtual mailboxes" : "a user",
		 pause);
	t->state = TARGET_PAUSED;
	set_timer(t, pause);
}

static void
on_opened(void *arg, const struct msg_def *def, void *msg)
{
	struct target *t = arg;
	struct msg_spawn_fail *fail = msg;
	int fd;

	if (def == &msg_opened_def) {
		struct msg_opened *m = msg;

		fd = m->fd;
		m->fd = -1;
		t->asker =
			asker_new_fd(t->q->loop, fd, &channels[CH_QMGR_DELIVER],
				     on_state, t);
	}
	if (t->asker) {
		t->state = TARGET_UP;
		send_waiting(t);
		rest(t);
		return;
	}
	if (def == &msg_spawn_fail_def)
		fail_waiting(t,
			     fail->class == DELIVER_PERM ? DELIVER_PERM
							 : DELIVER_TEMP,
			     fail->dsn, fail->text);
	else
		fail_waiting(t, DELIVER_TEMP, STR("4.3.0"),
			     STR("delivery is not available"));
	leave_place(t);
	if (list_empty(&t->waiting))
		target_free(t);
	else
		kick(t);
}

static void
close_an_idle_one(struct qmgr *q)
{
	struct target *t;
	size_t i = 0;

	while ((t = map_next(&q->targets, &i)))
		if (t->state == TARGET_UP && !t->nsent &&
		    list_empty(&t->waiting)) {
			set_timer(t, 0);
			return;
		}
}

static void
open_target(struct target *t)
{
	struct msg_open msg = { .kind = t->kind };
	struct qmgr *q = t->q;

	if (t->kind == OPEN_VIRTUAL_MBOX)
		msg.path = str_from(t->key, 1);
	else
		msg.user = str_from(t->key, 1);

	if (q->nopen >= q->set.targets_max) {
		if (list_empty(&t->place))
			list_append(&q->opening, &t->place);
		close_an_idle_one(q);
		return;
	}
	q->nopen++;
	t->state = TARGET_OPENING;
	t->open_tag = asker_send(q->spawner, &msg_open_def, &msg, OPEN_MS,
				 on_opened, t);
	if (!t->open_tag) {
		t->state = TARGET_PAUSED;
		set_timer(t, 1);
	}
}

static void
kick(struct target *t)
{
	if (t->q->draining)
		return;
	if (t->state == TARGET_CLOSED && !list_empty(&t->waiting))
		open_target(t);
	else
		send_waiting(t);
}

static void
close_target(struct target *t)
{
	struct asker *a = t->asker;

	t->asker = NULL;
	if (a)
		asker_free(a);
	leave_place(t);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct target *t = arg;

	(void)fd;
	(void)what;
	if (t->state == TARGET_PAUSED && t->asker) {
		/* It did not answer in time. */
		close_target(t);
		t->q->deaths++;
		kick(t);
	} else if (t->state == TARGET_PAUSED) {
		leave_place(t);
		kick(t);
	} else if (t->state == TARGET_UP && !t->nsent &&
		   list_empty(&t->waiting)) {
		close_target(t);
		target_free(t);
	}
}

/* --- from messages to deliveries ------------------------------------------ */

static void
close_building(struct target *t)
{
	if (!t->building)
		return;
	list_append(&t->waiting, &t->building->link);
	t->building = NULL;
}

static int
add_rcpt(struct active *a, uint32_t i, struct target *t, struct list *touched)
{
	const struct msg_rcpt *to = &a->rcpts[i].to;
	size_t bytes = 32 + to->where.n + to->address.n + to->original.n;

	if (t->building && (t->building->n == RCPTS_PER_DELIVERY ||
			    t->building->bytes + bytes > RCPT_BYTES))
		close_building(t);
	if (!t->building) {
		t->building = calloc(1, sizeof(*t->building));
		if (!t->building)
			return -1;
		list_init(&t->building->link);
		t->building->a = a;
		t->building->t = t;
		a->out++;
		if (list_empty(&t->touched))
			list_append(touched, &t->touched);
	}
	t->building->bytes += bytes;
	t->building->rcpt[t->building->n++] = i;
	return 0;
}

/* As with Postfix: a Maildir's path ends in "/". */
static bool
is_mbox(struct str path)
{
	return path.n && !str_ends(path, STR("/")) && !str_eq(path, STR("."));
}

static void
start_rcpt(struct qmgr *q, struct active *a, uint32_t i, struct list *touched)
{
	const struct msg_rcpt *to = &a->rcpts[i].to;
	struct target *t = NULL;

	switch (to->type) {
	case RCPT_LOCAL:
		t = target_get(q, OPEN_LOCAL, to->where);
		break;
	case RCPT_VIRTUAL:
		t = is_mbox(to->where)
			    ? target_get(q, OPEN_VIRTUAL_MBOX, to->where)
			    : target_get(q, OPEN_VIRTUAL, STR_NULL);
		break;
	case RCPT_REMOTE:
		return; /* smtp_start() */
	case RCPT_DISCARD:
		give(a, i, DELIVER_OK, STR("2.0.0"), STR("discarded"));
		return;
	case RCPT_ERROR:
		/* 4.x.y: transport_maps says retry: */
		give(a, i,
		     str_starts(to->dsn, STR("4")) ? DELIVER_TEMP
						   : DELIVER_PERM,
		     to->dsn, to->text);
		return;
	default:
		give(a, i, DELIVER_TEMP, STR("4.3.5"),
		     STR("no transport for this recipient"));
		return;
	}
	if (!t || add_rcpt(a, i, t, touched) < 0)
		give(a, i, DELIVER_TEMP, STR("4.3.0"), STR("out of memory"));
}

void
deliver_start(struct qmgr *q, struct active *a)
{
	struct list touched = LIST_INIT(touched);
	struct target *t;
	uint32_t i;

	a->out = 1; /* this loop's own */
	for (i = 0; i < a->nrcpts; i++)
		if (a->rcpts[i].state == QFILE_TODO)
			start_rcpt(q, a, i, &touched);
	while (!list_empty(&touched)) {
		t = LIST_OF(touched.next, struct target, touched);
		list_remove(&t->touched);
		close_building(t);
		kick(t);
	}
	smtp_start(q, a);
	message_delivery_done(a);
}

void
deliver_fini(struct qmgr *q)
{
	struct delivery *dv;
	struct target *t;
	struct asker *a;
	size_t i;

	while ((i = 0, t = map_next(&q->targets, &i))) {
		a = t->asker;
		t->asker = NULL;
		if (t->state == TARGET_OPENING)
			asker_cancel(q->spawner, t->open_tag);
		if (a)
			asker_free(a); /* sent ones go back to waiting */
		while (!list_empty(&t->waiting)) {
			dv = LIST_OF(t->waiting.next, struct delivery, link);
			list_remove(&dv->link);
			free(dv);
		}
		target_free(t);
	}
	map_fini(&q->targets);
}
