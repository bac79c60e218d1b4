/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fsx.h"
#include "base/log.h"
#include "deliver.h"
#include "entry.h"
#include "frame/msg_spawner.h"
#include "frame/service.h"
#include "write.h"

/* Open files that wait for their sync: no more requests are read above
 * FILES_HIGH. One turn may add 8 frames of 32 recipients; with BOXES_MAX
 * mailboxes of three directories that stays below the row's NOFILE. */
enum { FILES_HIGH = 384, FILES_LOW = 192, RESULTS_MAX = 60000 };

struct asker_link {
	struct list link;
	struct deliver *deliver;
	struct chan *chan;
};

struct result {
	uint32_t slot;
	uint8_t class;
	const char *dsn;
	char *text; /* malloc'd; NULL: delivered */
};

struct request {
	struct chan *chan; /* a reference */
	uint32_t tag;
	char id[QUEUE_ID_MAX + 1];
	unsigned n, pending; /* results; files not synced */
	struct result results[];
};

/* A file on its way to the disk. */
struct file {
	struct sync_job job;
	struct request *req;
	struct result *result;
	struct box *box;
	struct written written;
};

/* --- results ------------------------------------------------------------- */

/* All are temporary: the mail is whole in the queue, and somebody can put the
 * mailbox right (RFC 3463 3.3, 3.4). */
static const char *
dsn_of(int code)
{
	switch (code) {
	case EDQUOT:
		return "4.2.2";
	case ENOSPC:
		return "4.3.1";
	case EACCES:
	case EPERM:
	case EROFS:
		return "4.2.0";
	case EINVAL:
	case ELOOP:
	case ENOTDIR:
	case ENAMETOOLONG:
		return "4.3.5";
	default:
		return "4.3.0";
	}
}

static void
fail(struct request *req, struct result *r, const struct err *err)
{
	log_line(LOG_WARN_, req->id, "maildir delivery failed: %s",
		 LOGQ(str_of(err->text)));
	r->class = DELIVER_TEMP;
	r->dsn = dsn_of(err->code);
	free(r->text);
	if (asprintf(&r->text, "maildir delivery failed: %s", err->text) < 0)
		r->text = NULL;
}

static void
request_free(struct request *req)
{
	unsigned i;

	for (i = 0; i < req->n; i++)
		free(req->results[i].text);
	chan_unref(req->chan);
	free(req);
}

static void
answer(struct request *req)
{
	struct msg_deliver_result out;
	struct msg_delivered msg;
	const struct result *r;
	struct err err;
	struct buf b;
	unsigned i;

	buf_init(&b, RESULTS_MAX);
	for (i = 0; i < req->n; i++) {
		r = &req->results[i];
		out = (struct msg_deliver_result){
			.slot = r->slot,
			.class = r->class,
			.dsn = str_of(r->dsn),
			.text = r->text ? str_of(r->text)
				: r->class == DELIVER_OK
					? STR("delivered to maildir")
					: STR("out of memory"),
		};
		if (msg_list_add(&b, &msg_deliver_result_def, &out, &err) < 0)
			BUG("result: %s", err.text);
	}
	msg.results = msg_list_of(&b, req->n, &msg_deliver_result_def);
	chan_send(req->chan, req->tag, &msg_delivered_def, &msg);
	buf_fini(&b);
	request_free(req);
}

/* --- one recipient ------------------------------------------------------- */

static enum write_result
write_once(struct deliver *d, struct write_msg *w,
	   const struct msg_deliver_rcpt *rcpt, struct file *f, struct err *err)
{
	enum write_result r;

	f->box = boxes_get(&d->boxes, rcpt->path, err);
	if (!f->box)
		return WRITE_FAILED;
	r = write_rcpt(w, &f->box->dirs, rcpt, &f->written, err);
	if (r != WRITE_FAILED)
		return r;
	if (err->code == ENOENT)
		boxes_drop(&d->boxes, f->box);
	box_unref(f->box);
	f->box = NULL;
	err_prefix(err, "%.*s", STR_FMT(rcpt->path));
	return r;
}

static void
deliver_one(struct deliver *d, struct request *req, struct result *r,
	    struct write_msg *w, const struct msg_deliver_rcpt *rcpt)
{
	struct file *f = calloc(1, sizeof(*f));
	enum write_result got;
	struct err err;

	r->slot = rcpt->slot;
	r->class = DELIVER_OK;
	r->dsn = "2.0.0";
	if (!f) {
		err_sys(&err, ENOMEM, "delivery");
		fail(req, r, &err);
		return;
	}
	if (rcpt->path.n && !str_ends(rcpt->path, STR("/")) &&
	    !str_eq(rcpt->path, STR("."))) {
		err_set(&err, ERR_TEMP, EINVAL,
			"%.*s: no \"/\" at the end: only Maildirs are "
			"delivered to",
			STR_FMT(rcpt->path));
		got = WRITE_FAILED;
	} else {
		got = write_once(d, w, rcpt, f, &err);
		if (got == WRITE_FAILED && err.code == ENOENT)
			/* Removed under our hands: make it again. */
			got = write_once(d, w, rcpt, f, &err);
	}
	if (got == WRITE_FAILED) {
		free(f);
		fail(req, r, &err);
		return;
	}
	f->req = req;
	f->result = r;
	f->job.dev = f->box->dev;
	f->job.whole = got == WRITE_FOUND;
	f->job.fd = f->job.whole ? f->box->dirs.new : f->written.fd;
	req->pending++;
	syncer_add(d->syncer, &f->job);
}

static void
pause_all(struct deliver *d, bool pause)
{
	struct list *it;

	d->paused = pause;
	list_for_each (it, &d->askers) {
		struct asker_link *a = LIST_OF(it, struct asker_link, link);

		if (pause)
			chan_pause(a->chan);
		else
			chan_resume(a->chan);
	}
}

static void
rest(struct deliver *d)
{
	const struct timeval tv = { .tv_sec = DELIVER_IDLE_S };

	if (!list_empty(&d->askers) || syncer_pending(d->syncer))
		return;
	if (d->spawner)
		event_add(d->idle, &tv);
	else
		loop_stop(d->loop);
}

static void
tell_arrivals(struct deliver *d)
{
	struct msg_poke m;
	unsigned i;

	for (i = 0; i < d->narrived; i++) {
		m.path = str_of(d->arrived[i]->path);
		if (d->spawner)
			chan_send(d->spawner, 0, &msg_poke_def, &m);
		d->arrived[i]->arrived = false;
		box_unref(d->arrived[i]);
	}
	d->narrived = 0;
}

static void
on_tell(struct loop_flush *f)
{
	tell_arrivals(LIST_OF(f, struct deliver, tell));
}

static void
note_arrival(struct deliver *d, struct box *box)
{
	if (box->arrived)
		return;
	if (d->narrived == ARRIVED_MAX)
		tell_arrivals(d);
	box->arrived = true;
	box->refs++;
	d->arrived[d->narrived++] = box;
	loop_flush_want(d->loop, &d->tell);
}

static void
on_synced(void *arg, struct sync_job *job)
{
	struct file *f = (struct file *)(void *)job; /* its first member */
	struct deliver *d = arg;
	struct request *req = f->req;
	struct err err;

	if (job->error) {
		err_sys(&err, job->error, "%s: sync", f->box->path);
		fail(req, f->result, &err);
		if (f->written.fd >= 0)
			write_undo(&f->box->dirs, &f->written);
	} else {
		note_arrival(d, f->box);
	}
	if (f->written.fd >= 0)
		fsx_close(f->written.fd);
	box_unref(f->box);
	free(f);
	if (--req->pending == 0)
		answer(req);
	if (d->paused && syncer_pending(d->syncer) <= FILES_LOW)
		pause_all(d, false);
	rest(d);
}

/* --- channels ------------------------------------------------------------ */

static void
on_deliver(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	   void *msg)
{
	const struct msg_deliver *m = msg;
	struct asker_link *a = arg;
	struct deliver *d = a->deliver;
	struct msg_deliver_rcpt rcpt;
	struct str it = m->rcpts.raw;
	struct write_msg w;
	struct request *req;

	(void)def;
	req = calloc(1, sizeof(*req) + m->rcpts.count * sizeof(struct result));
	if (!req) {
		/* As if we had died: the queue still has the message. */
		list_remove(&a->link);
		free(a);
		chan_close(c);
		rest(d);
		return;
	}
	req->chan = chan_ref(c);
	req->tag = tag;
	if (!str_copy(req->id, sizeof(req->id), m->id))
		req->id[0] = '\0';
	write_msg_init(&w, m, d->host);
	while (msg_list_next(&it, m->rcpts.elem, &rcpt))
		deliver_one(d, req, &req->results[req->n++], &w, &rcpt);
	if (req->pending == 0)
		answer(req);
	if (!d->paused && syncer_pending(d->syncer) >= FILES_HIGH)
		pause_all(d, true);
}

static void
on_asker_closed(struct chan *c, void *arg)
{
	struct asker_link *a = arg;

	(void)c;
	list_remove(&a->link);
	rest(a->deliver);
	free(a);
}

static void
on_user_peer(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	     void *msg)
{
	static const struct chan_ops ops = { on_deliver, on_asker_closed };
	struct msg_user_peer *m = msg;
	struct deliver *d = arg;
	struct asker_link *a = calloc(1, sizeof(*a));

	(void)c;
	(void)tag;
	(void)def;
	if (!a)
		return; /* qmgr sees EOF and asks again */
	a->deliver = d;
	list_init(&a->link);
	a->chan = chan_new(d->loop, m->fd, &channels[CH_QMGR_DELIVER],
			   CHAN_SERVICE, &ops, a);
	m->fd = -1;
	if (!a->chan) {
		free(a);
		return;
	}
	list_append(&d->askers, &a->link);
	event_del(d->idle);
	if (d->paused)
		chan_pause(a->chan);
}

static void
on_spawner_closed(struct chan *c, void *arg)
{
	struct deliver *d = arg;

	(void)c;
	d->spawner = NULL;
	event_del(d->idle);
	rest(d);
}

static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	struct deliver *d = arg;

	(void)fd;
	(void)what;
	loop_stop(d->loop);
}

int
deliver_init(struct deliver *d, struct loop *l, int spawner, int root,
	     struct str host, struct err *err)
{
	static const struct chan_ops ops = { on_user_peer, on_spawner_closed };

	*d = (struct deliver){ .loop = l, .host = host };
	list_init(&d->askers);
	boxes_init(&d->boxes, root);
	loop_flush_init(&d->tell, on_tell);
	d->idle = event_new(l->base, -1, 0, on_idle, d);
	d->syncer = syncer_new(l, on_synced, d, err);
	d->spawner = chan_new(l, spawner, &channels[CH_SPAWNER_DELIVER],
			      CHAN_SERVICE, &ops, d);
	if (!d->idle || !d->syncer || !d->spawner) {
		deliver_fini(d);
		return err_sys(err, ENOMEM, "deliver");
	}
	rest(d);
	return 0;
}

void
deliver_fini(struct deliver *d)
{
	struct asker_link *a;

	if (d->syncer)
		syncer_free(d->syncer);
	loop_flush_cancel(&d->tell);
	tell_arrivals(d);
	while (!list_empty(&d->askers)) {
		a = LIST_OF(d->askers.next, struct asker_link, link);
		list_remove(&a->link);
		chan_close(a->chan);
		free(a);
	}
	if (d->spawner)
		chan_close(d->spawner);
	boxes_fini(&d->boxes);
	if (d->idle)
		event_free(d->idle);
}

int
deliver_entry(const struct user_entry *e)
{
	struct deliver d;
	struct loop l;
	struct err err;

	if (loop_init(&l, &err) < 0 ||
	    deliver_init(&d, &l, e->spawner, e->root,
			 params_str(e->params, "myhostname"), &err) < 0) {
		log_error("%s", err.text);
		return 75;
	}
	loop_run(&l);
	deliver_fini(&d);
	loop_fini(&l);
	return 0;
}
