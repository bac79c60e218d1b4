/* SPDX-License-Identifier: ISC */
/*
 * LIST and SHOW.  Envelopes stand on disk only; a job reads some, the loop
 * sends them, and the next job begins when ctl has taken most of that.
 */
#include <errno.h>
#include <stdlib.h>

#include "admin.h"
#include "base/fsx.h"

enum {
	CHUNK = 32,		  /* messages a job */
	TEXT_PART = 60000,	  /* bytes of text a job */
	ROW_BYTES = 48 * 1024,	  /* of recipients in one row */
	UNREAD_MAX = 1024 * 1024, /* that ctl has not taken yet */
	WAIT_MS = 20,
};

struct found {
	struct spool_text text;
	char *log_mem;
	struct str log;
	int rc;
};

struct listing {
	struct qmgr *q;
	struct chan *chan;
	uint32_t tag;
	bool show;
	uint64_t *ids;
	size_t n, at;
	uint32_t count;
	struct event *timer;
	struct io_job job;
	size_t nfound;
	struct found found[CHUNK];
	/* SHOW: the text of the one message, from here on. */
	enum qfile_body body;
	uint64_t text_at, text_len;
	ssize_t part_len;
	char part[TEXT_PART];
};

static void rows_run(struct io_job **v, size_t n);
static void rows_done(struct io_job *j);
static void text_run(struct io_job **v, size_t n);
static void text_done(struct io_job *j);

static const struct io_kind rows_kind = { rows_run, rows_done, 1 };
static const struct io_kind text_kind = { text_run, text_done, 1 };

static void
listing_free(struct listing *l)
{
	if (l->timer)
		event_free(l->timer);
	chan_unref(l->chan);
	free(l->ids);
	free(l);
}

static void
go_on(struct listing *l)
{
	struct timeval wait = { 0, WAIT_MS * 1000 };

	if (!chan_is_open(l->chan)) {
		listing_free(l);
	} else if (chan_queued(l->chan) > UNREAD_MAX) {
		evtimer_add(l->timer, &wait);
	} else if (l->at < l->n) {
		io_submit(l->q->io, IO_OTHER, &rows_kind, &l->job);
	} else if (l->show && l->count && l->text_at < l->text_len) {
		io_submit(l->q->io, IO_OTHER, &text_kind, &l->job);
	} else {
		admin_reply(l->chan, l->tag, l->show && !l->count ? 1 : 0,
			    l->count,
			    l->show && !l->count ? "no such message" : "");
		listing_free(l);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	go_on(arg);
}

/* --- rows ----------------------------------------------------------------- */

static void
rows_run(struct io_job **v, size_t n)
{
	struct listing *l = LIST_OF(v[0], struct listing, job);
	struct spool *sp = l->q->spool;
	struct err err;
	size_t i;

	(void)n;
	l->nfound = l->n - l->at < CHUNK ? l->n - l->at : CHUNK;
	for (i = 0; i < l->nfound; i++) {
		struct found *f = &l->found[i];

		*f = (struct found){ 0 };
		f->rc = spool_read(sp, l->ids[l->at + i],
				   l->show ? SPOOL_ALL : SPOOL_ENVELOPE,
				   &f->text, &err);
		if (spool_log_read(sp, l->ids[l->at + i], &f->log_mem, &f->log,
				   &err) < 0)
			f->log_mem = NULL; /* a listing without texts */
	}
}

/* The last text of a recipient. */
static struct str
last_text(uint64_t id, struct str log, uint32_t rcpt)
{
	struct str text = STR_NULL;
	struct qlog r;

	while (qlog_next(id, &log, &r))
		if (r.rcpt == rcpt)
			text = r.text;
	return str_head(text, TEXT_MAX);
}

static void
send_row(struct listing *l, const struct message *m, const struct found *f,
	 const struct buf *rcpts, uint32_t n)
{
	struct msg_queue_row row = {
		.arrival_us = m->arrival_us,
		.next_try_us = m->state == MESSAGE_DEFERRED ? m->due.key : 0,
		.tries = m->tries,
		.size = m->size,
		.sender = f->text.env.sender,
		.state = QUEUE_ACTIVE,
		.rcpts = msg_list_of(rcpts, n, &msg_queue_rcpt_def),
	};
	char id[QID_MAX];

	row.id = str_of(qid_text(m->id, id));
	if (m->state == MESSAGE_HELD) {
		row.state = QUEUE_HELD;
		row.reason =
			str_of(message_reason((enum qfile_reason)m->reason));
	} else if (m->state == MESSAGE_DEFERRED) {
		row.state = QUEUE_DEFERRED;
	}
	chan_send(l->chan, l->tag, &msg_queue_row_def, &row);
}

static void
list_rcpts(struct listing *l, const struct message *m, const struct found *f)
{
	struct str it = f->text.env.rcpts;
	struct msg_queue_rcpt out;
	struct msg_rcpt r;
	uint32_t i, n = 0;
	struct buf b;

	buf_init(&b, MSG_FRAME_MAX);
	for (i = 0; f->rc == 0 && i < f->text.head.nrcpts; i++) {
		if (!msg_list_next(&it, &msg_rcpt_def, &r))
			break;
		out = (struct msg_queue_rcpt){
			.address = r.address,
			.original = r.original,
			.type = r.type,
			.done = f->text.rcpt_state[i] == QFILE_DONE,
			.text = r.type == RCPT_ERROR
					? r.text
					: last_text(m->id, f->log, i),
		};
		if (msg_list_add(&b, &msg_queue_rcpt_def, &out, NULL) < 0)
			continue; /* a text that may not travel */
		n++;
		if (b.n > ROW_BYTES) {
			send_row(l, m, f, &b, n);
			buf_reset(&b);
			n = 0;
		}
	}
	if (n || i == 0)
		send_row(l, m, f, &b, n);
	buf_fini(&b);
}

static void
send_text(struct listing *l, struct str s)
{
	struct msg_queue_text msg;

	while (s.n) {
		msg.text = str_head(s, TEXT_PART);
		chan_send(l->chan, l->tag, &msg_queue_text_def, &msg);
		s = str_from(s, msg.text.n);
	}
}

static void
rows_done(struct io_job *j)
{
	struct listing *l = LIST_OF(j, struct listing, job);
	const struct message *m;
	struct found *f;
	size_t i;

	for (i = 0; i < l->nfound; i++) {
		f = &l->found[i];
		m = message_find(l->q, l->ids[l->at + i]);
		if (m) {
			l->count++;
			list_rcpts(l, m, f);
		}
		if (m && l->show && f->rc == 0) {
			send_text(l, f->text.header);
			send_text(l, f->text.body);
			l->body = (enum qfile_body)f->text.head.body;
			if (l->body != QFILE_INLINE)
				l->text_len = f->text.head.body_len;
		}
		free(f->text.mem);
		free(f->log_mem);
	}
	l->at += l->nfound;
	go_on(l);
}

/* --- a body in a file of its own ------------------------------------------ */

static void
text_run(struct io_job **v, size_t n)
{
	struct listing *l = LIST_OF(v[0], struct listing, job);
	struct err err;
	int fd;

	(void)n;
	l->part_len = -1;
	if (spool_body_open(l->q->spool, l->ids[0], l->body, &fd, &err) < 0)
		return;
	l->part_len =
		fsx_pread(fd, l->part, sizeof(l->part), (off_t)l->text_at);
	fsx_close(fd);
}

static void
text_done(struct io_job *j)
{
	struct listing *l = LIST_OF(j, struct listing, job);

	if (l->part_len <= 0) {
		l->text_len = 0; /* delivered meanwhile */
	} else {
		send_text(l, str_mem(l->part, (size_t)l->part_len));
		l->text_at += (uint64_t)l->part_len;
	}
	go_on(l);
}

void
listing_new(struct qmgr *q, struct chan *c, uint32_t tag,
	    const struct msg_queue *msg)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (l)
		l->ids = admin_ids(q, msg->id, &l->n);
	if (l && l->ids)
		l->timer = evtimer_new(q->loop->base, on_timer, l);
	if (!l || !l->timer) {
		admin_reply(c, tag, 75, 0, "out of memory");
		if (l)
			free(l->ids);
		free(l);
		return;
	}
	l->q = q;
	l->chan = chan_ref(c);
	l->tag = tag;
	l->show = msg->verb == QUEUE_SHOW;
	if (l->show && l->n > 1)
		l->n = 0; /* one at a time */
	if (l->n == 0 && !str_eq(msg->id, STR("ALL"))) {
		admin_reply(c, tag, 1, 0, "no such message");
		listing_free(l);
		return;
	}
	go_on(l);
}
