/* SPDX-License-Identifier: ISC */
#include "rewrite.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "frame/msg_router.h"
#include "site.h"

enum {
	ASK_MS = 60 * 1000,
	ASK_PART = 40 * 1024, /* encoded recipients in one frame */
	POOL_MAX = 16 * 1024 * 1024,
};

/* A recipient as router answered it. */
struct found {
	struct msg_rcpt r;
	bool used;
};

struct rewrite {
	struct list link; /* in q->rewrites */
	struct qmgr *q;
	uint64_t id;
	rewrite_cb *done;
	void *arg;
	struct io_job job;
	struct pool pool; /* the change */
	bool requeue;
	struct msg_queue_change change;
	struct spool_text old;
	struct msg_rcpt *rcpts; /* as they were; slices of old.mem */
	uint64_t due_us;
	uint32_t router_tag;
	struct buf answer; /* msg_rcpt */
	uint32_t nanswer;
	/* What is to be written. */
	struct buf out;
	uint8_t *states;
	uint32_t n, todo, gone;
	struct spool_edit edit;
	struct qfile_head head;
	int rc;
	struct err err;
};

static void read_run(struct io_job **v, size_t n);
static void read_done(struct io_job *j);
static void write_run(struct io_job **v, size_t n);
static void write_done(struct io_job *j);

static const struct io_kind read_kind = { read_run, read_done, 1 };
static const struct io_kind write_kind = { write_run, write_done, 1 };

static void
rewrite_free(struct rewrite *w)
{
	list_remove(&w->link);
	if (w->router_tag)
		asker_cancel(w->q->router, w->router_tag);
	pool_fini(&w->pool);
	free(w->old.mem);
	free(w->rcpts);
	buf_fini(&w->answer);
	buf_fini(&w->out);
	free(w->states);
	free(w);
}

/* What is on disk counts now. */
static void
take_over(struct rewrite *w, struct message *m)
{
	char id[QID_MAX];

	m->nrcpts = w->head.nrcpts;
	m->seq = w->edit.msg.seq;
	m->kills = w->edit.msg.kills;
	log_line(LOG_INFO_, qid_text(m->id, id),
		 "%s: from=<%s>, %u recipients to do, %u dropped",
		 w->requeue ? "requeued" : "changed by the administrator",
		 LOGQ(w->edit.sender), w->todo, w->gone);
}

static void
end(struct rewrite *w)
{
	struct message *m = message_find(w->q, w->id);
	struct qmgr *q = w->q;
	bool now = w->rc >= 0 && w->edit.msg.state == QFILE_ACTIVE;

	BUG_ON(!m); /* nothing removes a message that is busy */
	m->busy = false;
	if (w->rc >= 0)
		take_over(w, m);
	if (w->rc > 0)
		qmgr_disk_failed(q);
	if (m->wish == WISH_DELETE)
		message_remove(m, true);
	else if (now || m->state == MESSAGE_DEFERRED)
		message_defer(m, now ? clock_wall_us() : w->due_us);
	w->done(w->arg, w->rc ? -1 : 0, &w->err);
	rewrite_free(w);
	message_schedule(q);
	qmgr_drain_step(q);
}

static void
fail(struct rewrite *w, enum err_class class, const char *why)
{
	w->rc = err_set(&w->err, class, 0, "%s", why);
	end(w);
}

/* --- the new recipients --------------------------------------------------- */

static bool
to_do(const struct rewrite *w, uint32_t i)
{
	return qfile_to_do(w->old.rcpt_state[i]);
}

static void
put(struct rewrite *w, const struct msg_rcpt *r, uint8_t state)
{
	struct err err;

	if (w->n == QFILE_RCPTS_MAX ||
	    msg_list_add(&w->out, &msg_rcpt_def, r, &err) < 0)
		w->out.overflown = true;
	else
		w->states[w->n++] = state;
	w->todo += qfile_to_do(state);
}

static void
put_to_do(struct rewrite *w, struct msg_rcpt r, uint8_t state)
{
	if (w->change.what & CHANGE_ROUTE) {
		r.type = RCPT_REMOTE;
		r.transport = w->change.transport;
		r.where = w->change.where;
		r.dsn = r.text = STR_NULL;
	}
	put(w, &r, r.type == RCPT_DISCARD ? QFILE_DONE : state);
}

static bool
is_dropped(const struct rewrite *w, uint32_t i)
{
	struct str it = w->change.drop.raw;
	struct msg_rcpt_in e;

	if (w->change.what & CHANGE_DROP_ALL)
		return true;
	while (msg_list_next(&it, &msg_rcpt_in_def, &e))
		if (str_ieq(e.address, w->rcpts[i].address))
			return true;
	return false;
}

/* One that was there: it stays under its number. */
static void
put_old(struct rewrite *w, uint32_t i, struct map *found)
{
	struct msg_rcpt r = w->rcpts[i];
	uint8_t state = w->old.rcpt_state[i];
	struct found *f = map_get(found, r.address);
	bool stays;

	if (w->requeue)
		stays = f && !f->used;
	else
		stays = !is_dropped(w, i);
	if (stays && w->requeue) {
		r.type = f->r.type;
		r.where = f->r.where;
		r.transport = f->r.transport;
		r.dsn = f->r.dsn;
		r.text = f->r.text;
		state = QFILE_TODO;
	}
	if (stays) {
		if (f)
			f->used = true;
		put_to_do(w, r, state);
	} else {
		r.type = RCPT_DISCARD;
		r.transport = r.where = r.dsn = r.text = STR_NULL;
		put(w, &r, QFILE_DONE);
		w->gone++;
	}
}

static void
put_all(struct rewrite *w, struct found *v, struct map *found)
{
	uint32_t i;

	/* Who has it is not sent it again by requeue; the administrator may
	 * add whom he likes. */
	for (i = 0; i < w->old.head.nrcpts && w->requeue; i++) {
		struct found *f = map_get(found, w->rcpts[i].address);

		if (f && !to_do(w, i) && w->rcpts[i].type != RCPT_DISCARD)
			f->used = true;
	}
	for (i = 0; i < w->old.head.nrcpts; i++)
		if (to_do(w, i))
			put_old(w, i, found);
		else
			put(w, &w->rcpts[i], w->old.rcpt_state[i]);
	for (i = 0; i < w->nanswer; i++)
		if (!v[i].used)
			put_to_do(w, v[i].r, QFILE_TODO);
}

static int
merge(struct rewrite *w)
{
	struct found *v = calloc((size_t)w->nanswer + 1, sizeof(*v));
	struct map found = { 0 };
	struct str it = buf_str(&w->answer);
	int rc = -1;
	uint32_t i;

	w->states = calloc((size_t)w->old.head.nrcpts + w->nanswer + 1, 1);
	if (!v || !w->states)
		goto out;
	for (i = 0; i < w->nanswer; i++) {
		if (!msg_list_next(&it, &msg_rcpt_def, &v[i].r))
			goto out;
		v[i].used = map_get(&found, v[i].r.address) != NULL;
		if (!v[i].used && map_put(&found, v[i].r.address, &v[i]) < 0)
			goto out;
	}
	put_all(w, v, &found);
	rc = buf_overflown(&w->out) ? -1 : 0;
out:
	map_fini(&found);
	free(v);
	return rc < 0 ? err_set(&w->err, ERR_TEMP, 0,
				"too many recipients, or out of memory")
		      : 0;
}

static void
write_it(struct rewrite *w)
{
	const struct message *m = message_find(w->q, w->id);
	bool active = w->requeue || m->state == MESSAGE_DEFERRED;

	w->rc = merge(w);
	if (w->rc < 0) {
		end(w);
		return;
	}
	if (!w->todo) {
		fail(w, ERR_PERM,
		     "no recipient would be left to do: delete "
		     "the message instead");
		return;
	}
	w->edit = (struct spool_edit){
		.sender = w->change.what & CHANGE_SENDER ? w->change.sender
							 : w->old.env.sender,
		.rcpts = buf_str(&w->out),
		.nrcpts = w->n,
		.rcpt_state = w->states,
		.msg = w->old.msg,
	};
	w->edit.msg.seq = m->seq + 1;
	w->edit.msg.kills = 0;
	w->edit.msg.state = active ? QFILE_ACTIVE : QFILE_HELD;
	if (active) {
		w->edit.msg.reason = QFILE_NONE;
		w->edit.msg.next_try_us = clock_wall_us();
	}
	io_submit(w->q->io, IO_OTHER, &write_kind, &w->job);
}

static void
write_run(struct io_job **v, size_t n)
{
	struct rewrite *w = LIST_OF(v[0], struct rewrite, job);

	(void)n;
	w->rc = spool_rewrite(w->q->spool, w->id, &w->edit, &w->head, &w->err);
}

static void
write_done(struct io_job *j)
{
	end(LIST_OF(j, struct rewrite, job));
}

/* --- router --------------------------------------------------------------- */

static void
add_answer(struct rewrite *w, const struct msg_list *l)
{
	if (l->count > QFILE_RCPTS_MAX - w->nanswer)
		w->answer.overflown = true;
	else if (buf_add_str(&w->answer, l->raw) == 0)
		w->nanswer += l->count;
}

static void
on_expanded(void *arg, const struct msg_def *def, void *msg)
{
	struct rewrite *w = arg;
	struct msg_expanded *e = msg;
	char text[TEXT_MAX + 1];

	if (def == &msg_expanded_part_def) {
		add_answer(w, &((struct msg_expanded_part *)msg)->rcpts);
		return;
	}
	w->router_tag = 0;
	if (def != &msg_expanded_def) {
		fail(w, ERR_TEMP, "no answer from router");
	} else if (e->temp) {
		(void)str_copy(text, sizeof(text), e->text);
		fail(w, ERR_TEMP, *text ? text : "temporary lookup failure");
	} else {
		add_answer(w, &e->rcpts);
		if (buf_overflown(&w->answer))
			fail(w, ERR_PERM, "too many recipients");
		else
			write_it(w);
	}
}

/* Parts of the question, then the question itself. */
struct question {
	struct asker *router;
	uint32_t tag, n, total;
	struct buf part;
	bool failed;
};

static void
ask_about(struct question *qu, struct str address, struct str orcpt,
	  uint8_t notify)
{
	const struct msg_rcpt_in in = { address, orcpt, notify };
	struct msg_expand_part part;
	struct err err;

	if (qu->part.n > ASK_PART) {
		part.rcpts = msg_list_of(&qu->part, qu->n, &msg_rcpt_in_def);
		if (asker_send_part(qu->router, qu->tag, &msg_expand_part_def,
				    &part) < 0)
			qu->failed = true;
		buf_reset(&qu->part);
		qu->n = 0;
	}
	if (msg_list_add(&qu->part, &msg_rcpt_in_def, &in, &err) < 0)
		qu->failed = true;
	qu->n++;
	qu->total++;
}

/* The addresses as they came, of those that are to do, each once. */
static void
ask_about_originals(struct question *qu, const struct rewrite *w)
{
	struct map seen = { 0 };
	struct msg_rcpt *r;
	struct str original;
	uint32_t i;

	for (i = 0; i < w->old.head.nrcpts && !qu->failed; i++) {
		r = &w->rcpts[i];
		original = r->original.n ? r->original : r->address;
		if (!to_do(w, i) || map_get(&seen, original))
			continue;
		if (map_put(&seen, original, r) < 0)
			qu->failed = true;
		ask_about(qu, original, r->orcpt,
			  r->notify & (uint8_t)~NOTIFY_EXPANDED);
	}
	map_fini(&seen);
}

static void
ask(struct rewrite *w)
{
	struct question qu = { .router = w->q->router };
	struct str it = w->change.add.raw;
	struct msg_expand msg;
	struct msg_rcpt_in in;

	if (!w->requeue && !w->change.add.count) {
		write_it(w);
		return;
	}
	qu.tag = asker_tag(qu.router);
	buf_init(&qu.part, MSG_FRAME_MAX);
	if (w->requeue)
		ask_about_originals(&qu, w);
	while (msg_list_next(&it, &msg_rcpt_in_def, &in))
		ask_about(&qu, in.address, in.orcpt, in.notify);
	msg = (struct msg_expand){
		.sender = w->old.env.sender,
		.rcpts = msg_list_of(&qu.part, qu.n, &msg_rcpt_in_def),
		.count = qu.total,
	};
	if (!qu.failed)
		w->router_tag =
			asker_send_tagged(qu.router, qu.tag, &msg_expand_def,
					  &msg, ASK_MS, on_expanded, w);
	buf_fini(&qu.part);
	if (!w->router_tag)
		fail(w, ERR_TEMP, "router cannot be asked now");
}

/* --- the beginning -------------------------------------------------------- */

static void
read_run(struct io_job **v, size_t n)
{
	struct rewrite *w = LIST_OF(v[0], struct rewrite, job);

	(void)n;
	w->rc = spool_read(w->q->spool, w->id, SPOOL_ENVELOPE, &w->old,
			   &w->err);
}

/* Is each that is to be dropped there, and to do? */
static bool
drops_exist(struct rewrite *w)
{
	struct str it = w->change.drop.raw;
	struct msg_rcpt_in e;
	uint32_t i;

	while (msg_list_next(&it, &msg_rcpt_in_def, &e)) {
		for (i = 0; i < w->old.head.nrcpts; i++)
			if (to_do(w, i) &&
			    str_ieq(e.address, w->rcpts[i].address))
				break;
		if (i == w->old.head.nrcpts) {
			err_set(&w->err, ERR_PERM, 0,
				"%.*s is no recipient that is to do",
				STR_FMT(e.address));
			return false;
		}
	}
	return true;
}

static void
read_done(struct io_job *j)
{
	struct rewrite *w = LIST_OF(j, struct rewrite, job);
	struct str it = w->old.env.rcpts;
	uint32_t i;

	if (w->rc < 0) {
		end(w);
		return;
	}
	w->rcpts = calloc(w->old.head.nrcpts, sizeof(*w->rcpts));
	if (!w->rcpts) {
		fail(w, ERR_TEMP, "out of memory");
		return;
	}
	for (i = 0; i < w->old.head.nrcpts; i++)
		if (!msg_list_next(&it, &msg_rcpt_def, &w->rcpts[i])) {
			fail(w, ERR_PERM, "damaged recipients");
			return;
		}
	w->rc = -1;
	if (w->q->draining)
		fail(w, ERR_TEMP, "the queue manager is stopping");
	else if (!drops_exist(w))
		end(w);
	else
		ask(w);
}

static int
keep_change(struct rewrite *w, const struct msg_queue_change *c)
{
	struct str *const to[] = { &w->change.sender, &w->change.drop.raw,
				   &w->change.add.raw, &w->change.transport,
				   &w->change.where };
	size_t i;

	w->change = *c;
	for (i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		*to[i] = pool_str(&w->pool, *to[i]);
		if (!to[i]->p)
			return -1;
	}
	return 0;
}

int
rewrite_start(struct message *m, const struct msg_queue_change *change,
	      rewrite_cb *done, void *arg, struct err *err)
{
	struct rewrite *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(err, ERR_TEMP, 0, "out of memory");
	list_init(&w->link);
	list_append(&m->q->rewrites, &w->link);
	w->q = m->q;
	w->id = m->id;
	w->done = done;
	w->arg = arg;
	w->requeue = !change;
	pool_init(&w->pool, POOL_MAX);
	buf_init(&w->answer, QFILE_ENV_MAX / 2);
	buf_init(&w->out, QFILE_ENV_MAX / 2);
	if (change && keep_change(w, change) < 0) {
		rewrite_free(w);
		return err_set(err, ERR_TEMP, 0, "out of memory");
	}
	m->busy = true;
	w->due_us = m->site ? clock_wall_us() : m->due.key;
	site_leave(m);
	heap_remove(&m->q->due, &m->due);
	io_submit(w->q->io, IO_OTHER, &read_kind, &w->job);
	return 0;
}

void
rewrites_fini(struct qmgr *q)
{
	struct rewrite *w;
	struct err err;

	err_set(&err, ERR_TEMP, 0, "the queue manager is stopping");
	while (!list_empty(&q->rewrites)) {
		w = LIST_OF(q->rewrites.next, struct rewrite, link);
		w->done(w->arg, -1, &err);
		rewrite_free(w);
	}
}
