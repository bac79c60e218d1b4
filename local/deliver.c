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
#include "request.h"
#include "write.h"

/* Open files that wait for their sync: no more requests are read above
 * FILES_HIGH. One turn may add 8 frames of 32 recipients; with BOXES_MAX
 * mailboxes of three directories that stays below the row's NOFILE. */
enum { FILES_HIGH = 384, FILES_LOW = 192 };

/* A file on its way to the disk. */
struct file {
	struct sync_job job;
	struct request *req;
	struct result *result;
	struct box *box;
	struct written written;
};

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
deliver_one(struct deliver *d, struct request *req, struct write_msg *w,
	    const struct msg_deliver_rcpt *rcpt)
{
	struct result *r = request_add(req, rcpt->slot);
	struct file *f = calloc(1, sizeof(*f));
	enum write_result got;
	struct err err;

	if (!f) {
		err_sys(&err, ENOMEM, "delivery");
		request_fail(req, r, "maildir", &err);
		return;
	}
	if (rcpt->path.n && !str_ends(rcpt->path, STR("/")) &&
	    !str_eq(rcpt->path, STR("."))) {
		err_set(&err, ERR_TEMP, EINVAL,
			"%.*s: no \"/\" at the end: not a Maildir",
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
		request_fail(req, r, "maildir", &err);
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
tell_arrivals(struct deliver *d)
{
	struct msg_poke m;
	unsigned i;

	for (i = 0; i < d->narrived; i++) {
		m.path = str_of(d->arrived[i]->path);
		if (d->peers.spawner)
			chan_send(d->peers.spawner, 0, &msg_poke_def, &m);
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
		request_fail(req, f->result, "maildir", &err);
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
		request_answer(req, STR("delivered to maildir"));
	if (d->peers.paused && syncer_pending(d->syncer) <= FILES_LOW)
		peers_pause(&d->peers, false);
	peers_rest(&d->peers);
}

/* --- channels ------------------------------------------------------------ */

static void
on_deliver(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	   void *msg)
{
	const struct msg_deliver *m = msg;
	struct deliver *d = arg;
	struct msg_deliver_rcpt rcpt;
	struct str it = m->rcpts.raw;
	struct write_msg w;
	struct request *req;

	(void)def;
	req = request_new(c, tag, m);
	if (!req) {
		peers_drop(&d->peers, c);
		return;
	}
	write_msg_init(&w, m, d->host);
	while (msg_list_next(&it, m->rcpts.elem, &rcpt))
		deliver_one(d, req, &w, &rcpt);
	if (req->pending == 0)
		request_answer(req, STR("delivered to maildir"));
	if (!d->peers.paused && syncer_pending(d->syncer) >= FILES_HIGH)
		peers_pause(&d->peers, true);
}

static bool
is_busy(void *arg)
{
	struct deliver *d = arg;

	return d->syncer && syncer_pending(d->syncer);
}

int
deliver_init(struct deliver *d, struct loop *l, int spawner, int root,
	     struct str host, struct err *err)
{
	static const struct peers_ops ops = { .on_deliver = on_deliver,
					      .busy = is_busy };

	*d = (struct deliver){ .loop = l, .host = host };
	boxes_init(&d->boxes, root);
	loop_flush_init(&d->tell, on_tell);
	if (peers_init(&d->peers, l, spawner, &channels[CH_SPAWNER_DELIVER],
		       &ops, d, err) < 0)
		return -1;
	d->syncer = syncer_new(l, on_synced, d, err);
	if (!d->syncer) {
		deliver_fini(d);
		return -1;
	}
	return 0;
}

void
deliver_fini(struct deliver *d)
{
	if (d->syncer)
		syncer_free(d->syncer);
	d->syncer = NULL;
	loop_flush_cancel(&d->tell);
	tell_arrivals(d);
	peers_fini(&d->peers);
	boxes_fini(&d->boxes);
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
