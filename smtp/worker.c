/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/msg_smtp.h"
#include "worker.h"

enum { FRAME_RESULTS = 48 * 1024 };

struct asker_side {
	struct list link;
	struct list jobs;
	struct worker *worker;
	struct chan *chan;
};

struct job {
	struct list link;
	struct asker_side *asker;
	struct delivery *delivery;
	uint32_t tag;
};

/* --- the answer ------------------------------------------------------------
 */

static int
add_result(struct buf *b, const struct letter_rcpt *r, struct err *err)
{
	const struct fault *f = &r->result;
	struct msg_send_result m = {
		.slot = r->to.slot,
		.class = (uint8_t)f->class,
		.dsn_taken = r->dsn_taken,
		.dsn = str_head(f->dsn, 16),
		.text = str_head(f->text, TEXT_MAX),
		.relay = str_head(r->relay, SEND_RELAY_MAX),
		.mta = str_head(r->mta, 255),
		.reply = str_head(f->reply, TEXT_MAX),
	};

	return msg_list_add(b, &msg_send_result_def, &m, err);
}

static int
send_part(struct job *j, struct buf *b, uint32_t n)
{
	struct msg_sent_part m = {
		.results = msg_list_of(b, n, &msg_send_result_def),
	};
	int rc = chan_send(j->asker->chan, j->tag, &msg_sent_part_def, &m);

	buf_reset(b);
	return rc;
}

static int
answer(struct job *j, const struct letter *l, const struct delivery_end *e)
{
	struct msg_sent m = {
		.site = (uint8_t)e->site,
		.kept = e->kept,
		.began_us = e->began_us,
		.up_us = e->up_us,
		.dialog = e->dialog,
	};
	struct err err;
	struct buf b;
	uint32_t i, n = 0;
	int rc = 0;

	buf_init(&b, MSG_FRAME_MAX);
	for (i = 0; i < l->nrcpts && rc == 0; i++) {
		if (b.n > FRAME_RESULTS) {
			rc = send_part(j, &b, n);
			n = 0;
		}
		if (rc == 0 && add_result(&b, &l->rcpts[i], &err) < 0) {
			log_warn("%s: result not sent: %s", l->id.p, err.text);
			rc = -1;
		}
		n++;
	}
	/* The dialogue may not fit beside many results. */
	if (rc == 0 && b.n + e->dialog.n > MSG_FRAME_MAX - 256) {
		rc = send_part(j, &b, n);
		n = 0;
	}
	m.results = msg_list_of(&b, n, &msg_send_result_def);
	if (rc == 0)
		rc = chan_send(j->asker->chan, j->tag, &msg_sent_def, &m);
	buf_fini(&b);
	return rc;
}

/* --- requests --------------------------------------------------------------
 */

static void
job_free(struct job *j)
{
	struct worker *w = j->asker->worker;

	list_remove(&j->link);
	free(j);
	if (--w->ndeliveries == 0 && w->idle)
		w->idle(w->arg);
}

static void
on_delivered(void *arg, struct letter *l, const struct delivery_end *e)
{
	struct job *j = arg;

	/* An answer that cannot be sent: qmgr sees that its worker is gone
	 * and, knowing nothing, tries again. */
	if (answer(j, l, e) < 0)
		log_warn("%s: qmgr cannot be told what became of it", l->id.p);
	letter_free(l);
	job_free(j);
}

/* The settings of a transport are read when it is first used. */
static struct settings *
find_settings(struct worker *w, struct str transport, struct err *err)
{
	struct settings *s = map_get(&w->settings, transport);

	if (s)
		return s;
	s = settings_load(w->params, transport, err);
	if (s && map_put(&w->settings, str_of(s->transport), s) < 0) {
		settings_free(s);
		s = NULL;
		err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	return s;
}

/* It cannot even begin. */
static void
refuse(struct chan *c, uint32_t tag, const struct msg_send *m,
       const struct err *err)
{
	struct letter_rcpt r = {
		.result = { .class = DELIVER_TEMP,
			    .dsn = STR("4.3.0"),
			    .text = str_of(err->text),
			    .reply = STR("") },
		.relay = STR("none"),
		.mta = STR(""),
	};
	struct msg_sent sent = { .site = SEND_SITE_UNKNOWN };
	struct str it = m->rcpts.raw;
	struct buf b;
	uint32_t n = 0;
	struct err why;

	log_warn("%.*s: %s", STR_FMT(m->id), err->text);
	buf_init(&b, MSG_FRAME_MAX);
	while (msg_list_next(&it, m->rcpts.elem, &r.to))
		if (add_result(&b, &r, &why) == 0)
			n++;
	sent.results = msg_list_of(&b, n, &msg_send_result_def);
	(void)!chan_send(c, tag, &msg_sent_def, &sent);
	buf_fini(&b);
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct asker_side *a = arg;
	struct worker *w = a->worker;
	struct msg_send *m = msg;
	struct settings *set;
	struct letter *l;
	struct err err;
	struct job *j;

	(void)def;
	set = find_settings(w, m->transport, &err);
	if (!set) {
		refuse(c, tag, m, &err);
		return;
	}
	err_set(&err, ERR_TEMP, ENOMEM, "out of memory");
	j = calloc(1, sizeof(*j));
	l = j ? letter_new(m) : NULL;
	if (l)
		j->delivery = delivery_new(&w->hub, l, set, on_delivered, j);
	if (!j || !j->delivery) {
		free(j);
		refuse(c, tag, m, &err);
		return;
	}
	j->asker = a;
	j->tag = tag;
	list_append(&a->jobs, &j->link);
	w->ndeliveries++;
	delivery_start(j->delivery);
}

static void
asker_gone(struct asker_side *a)
{
	while (!list_empty(&a->jobs)) {
		struct job *j = LIST_OF(a->jobs.next, struct job, link);

		delivery_cancel(j->delivery);
		job_free(j);
	}
	list_remove(&a->link);
	free(a);
}

static void
on_close(struct chan *c, void *arg)
{
	(void)c;
	asker_gone(arg);
}

static const struct chan_ops chan_ops = { on_msg, on_close };

void
worker_peer(struct worker *w, const struct chan_row *row, int fd)
{
	struct asker_side *a = calloc(1, sizeof(*a));

	if (!a) {
		close(fd);
		return;
	}
	a->worker = w;
	list_init(&a->jobs);
	list_init(&a->link);
	a->chan = chan_new(w->hub.loop, fd, row, CHAN_SERVICE, &chan_ops, a);
	if (a->chan)
		list_append(&w->askers, &a->link);
	else
		free(a);
}

void
worker_leave(struct worker *w)
{
	static const struct msg_send_leaving leaving = { 0 };
	struct list *it;

	list_for_each (it, &w->askers) {
		struct asker_side *a = LIST_OF(it, struct asker_side, link);

		(void)!chan_send(a->chan, 0, &msg_send_leaving_def, &leaving);
	}
}

int
worker_init(struct worker *w, const struct params *p, struct err *err)
{
	w->params = p;
	w->hub.within_ms = SEND_WITHIN_S * 1000;
	list_init(&w->askers);
	return kept_init(&w->hub.kept, w->hub.loop, err);
}

void
worker_fini(struct worker *w)
{
	struct settings *s;
	size_t i = 0;

	w->idle = NULL;
	while (!list_empty(&w->askers)) {
		struct asker_side *a =
			LIST_OF(w->askers.next, struct asker_side, link);

		chan_close(a->chan);
		asker_gone(a);
	}
	kept_fini(&w->hub.kept);
	while ((s = map_next(&w->settings, &i)))
		settings_free(s);
	map_fini(&w->settings);
}
