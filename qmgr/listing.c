/* SPDX-License-Identifier: ISC */
/*
 * LIST and SHOW.  Envelopes stand on disk only; a job reads some of the
 * selection, the loop sends a row after the other as ctl takes them, and then
 * comes the next job.
 */
#include <errno.h>
#include <stdlib.h>

#include "admin.h"
#include "base/fsx.h"
#include "selection.h"

enum {
	CHUNK = 32,		       /* messages a job */
	CHUNK_BYTES = 4 * 1024 * 1024, /* then a job ends sooner */
	TEXT_PART = 60000,	       /* bytes of text a job */
	ROW_BYTES = 48 * 1024,	       /* of recipients in one row */
	UNREAD_MAX = 1024 * 1024,      /* that ctl has not taken yet */
	WAIT_MS = 20,
	/* Of one asker at a time: submitd's go on when those who asked for
	 * them have left, and anybody on this host may ask. */
	LISTINGS_MAX = 8,
};

struct found {
	struct spool_text text;
	char *log_mem;
	struct str *last;    /* text of each recipient; NULL: none */
	struct str *address; /* SHOW: of each recipient */
	struct str log;	     /* SHOW: attempts not sent yet */
	int rc;
};

struct listing {
	struct list link; /* in q->listings */
	struct qmgr *q;
	struct chan *chan;
	uint32_t tag;
	bool show, routes;
	enum queue_text text;
	struct selection sel;
	size_t at; /* of the batch: not read yet */
	uint32_t count;
	struct event *timer;
	struct io_job job;
	size_t nfound, nsent;
	struct found found[CHUNK];
	/* Of found[nsent]: the recipients not sent yet. */
	uint32_t rcpt;
	struct str rcpts;
	bool begun;
	/* SHOW: the text of the one message, from here on. */
	uint64_t body_id;
	enum qfile_body body;
	uint64_t text_at, text_len;
	ssize_t part_len;
	char part[TEXT_PART];
	bool failed; /* SHOW: some of it is missing */
	struct err err;
};

static void rows_run(struct io_job **v, size_t n);
static void rows_done(struct io_job *j);
static void text_run(struct io_job **v, size_t n);
static void text_done(struct io_job *j);

static const struct io_kind rows_kind = { rows_run, rows_done, 1 };
static const struct io_kind text_kind = { text_run, text_done, 1 };

static void
found_free(struct found *f)
{
	free(f->text.mem);
	free(f->log_mem);
	free(f->last);
	free(f->address);
	*f = (struct found){ 0 };
}

static void
listing_free(struct listing *l)
{
	list_remove(&l->link);
	while (l->nsent < l->nfound)
		found_free(&l->found[l->nsent++]);
	if (l->timer)
		event_free(l->timer);
	chan_unref(l->chan);
	selection_fini(&l->sel);
	free(l);
}

static void send_some(struct listing *l);

static void
end(struct listing *l)
{
	if (l->q->draining)
		admin_reply(l->chan, l->tag, 75, l->count,
			    "the queue manager is stopping");
	else if (l->sel.missing[0])
		admin_reply(l->chan, l->tag, 1, l->count, l->sel.missing);
	else if (l->failed)
		admin_reply(l->chan, l->tag, l->err.class == ERR_PERM ? 1 : 75,
			    l->count, l->err.text);
	else
		admin_reply(l->chan, l->tag, 0, l->count, "");
	listing_free(l);
}

static void
go_on(struct listing *l)
{
	struct timeval wait = { 0, WAIT_MS * 1000 };

	while (l->nsent < l->nfound && chan_is_open(l->chan) &&
	       chan_queued(l->chan) <= UNREAD_MAX)
		send_some(l);
	if (!chan_is_open(l->chan) || l->q->draining)
		end(l);
	else if (chan_queued(l->chan) > UNREAD_MAX)
		evtimer_add(l->timer, &wait);
	else if (l->text_at < l->text_len)
		io_submit(l->q->io, IO_OTHER, &text_kind, &l->job);
	else if (l->at < l->sel.nbatch)
		io_submit(l->q->io, IO_OTHER, &rows_kind, &l->job);
	else
		selection_more(&l->sel);
}

static void
on_ready(struct selection *sel)
{
	struct listing *l = LIST_OF(sel, struct listing, sel);

	l->at = 0;
	if (sel->nbatch == 0)
		end(l);
	else
		go_on(l);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	go_on(arg);
}

/* --- rows ----------------------------------------------------------------- */

/* The last text of each recipient, in one walk over the log. */
static struct str *
last_texts(uint64_t id, struct str log, uint32_t nrcpts)
{
	struct str *last = calloc(nrcpts, sizeof(*last));
	struct qlog r;

	while (last && qlog_next(id, &log, &r))
		if (r.rcpt < nrcpts) {
			if (!str_cut(&r.text, '\n', &last[r.rcpt]))
				last[r.rcpt] = r.text;
			last[r.rcpt] = str_head(last[r.rcpt], TEXT_MAX);
		}
	return last;
}

static struct str *
addresses(const struct spool_text *t)
{
	struct str *v = calloc(t->head.nrcpts, sizeof(*v));
	struct str it = t->env.rcpts;
	struct msg_rcpt r;
	uint32_t i;

	for (i = 0; v && i < t->head.nrcpts; i++) {
		if (!msg_list_next(&it, &msg_rcpt_def, &r))
			break;
		v[i] = r.address;
	}
	return v;
}

static size_t
read_one(struct listing *l, uint64_t id, struct found *f)
{
	struct spool *sp = l->q->spool;
	struct str log;

	*f = (struct found){ 0 };
	f->rc = spool_read(sp, id, l->show ? SPOOL_ALL : SPOOL_ENVELOPE,
			   &f->text, &l->err);
	if (f->rc < 0)
		return 0;
	if (spool_log_read(sp, id, &f->log_mem, &log, NULL) == 0 && log.n)
		f->last = last_texts(id, log, f->text.head.nrcpts);
	if (l->show && log.n) {
		f->address = addresses(&f->text);
		f->log = f->address ? log : STR_NULL;
	}
	return f->text.head.env_len + log.n;
}

static void
rows_run(struct io_job **v, size_t n)
{
	struct listing *l = LIST_OF(v[0], struct listing, job);
	size_t left = l->sel.nbatch - l->at, bytes = 0;

	(void)n;
	for (l->nfound = 0;
	     l->nfound < left && l->nfound < CHUNK && bytes < CHUNK_BYTES;
	     l->nfound++)
		bytes += read_one(l, l->sel.batch[l->at + l->nfound],
				  &l->found[l->nfound]);
}

static void
fill_row(struct listing *l, const struct message *m, const struct found *f,
	 const struct buf *rcpts, uint32_t n)
{
	struct msg_queue_row row = {
		.arrival_us = m->arrival_us,
		.next_try_us =
			m->state == MESSAGE_DEFERRED ? site_next_try_us(m) : 0,
		.tries = m->tries,
		.size = m->size,
		.sender = f->text.env.sender,
		.state = QUEUE_ACTIVE,
		.rcpts = msg_list_of(rcpts, n, &msg_queue_rcpt_def),
	};
	char id[QID_MAX];

	if (l->show) {
		row.ret = f->text.head.ret;
		row.envid = f->text.env.envid;
		row.flags = f->text.head.flags;
	}
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
send_text(struct listing *l, struct str s)
{
	struct msg_queue_text msg;

	while (s.n) {
		msg.text = str_head(s, TEXT_PART);
		chan_send(l->chan, l->tag, &msg_queue_text_def, &msg);
		s = str_from(s, msg.text.n);
	}
}

/* The words without the status in front of them, as postqueue(1) has it. */
static struct str
words_of(struct str text)
{
	struct str rest = text, status;

	if (str_cut(&rest, ' ', &status) && status.n >= 5 &&
	    strchr("245", status.p[0]) && status.p[1] == '.' && rest.n)
		return rest;
	return text;
}

/* As many recipients of found[nsent] as a row takes, from the cursor on. */
static uint32_t
add_rcpts(struct listing *l, const struct message *m, const struct found *f,
	  struct buf *b)
{
	struct msg_queue_rcpt out;
	char why[SITE_WHY_MAX];
	struct msg_rcpt r;
	uint32_t n = 0;

	for (; f->rc == 0 && l->rcpt < f->text.head.nrcpts && b->n < ROW_BYTES;
	     l->rcpt++) {
		if (!msg_list_next(&l->rcpts, &msg_rcpt_def, &r)) {
			l->rcpt = f->text.head.nrcpts;
			break;
		}
		out = (struct msg_queue_rcpt){
			.address = r.address,
			.original = r.original,
			.type = r.type,
			.done = !qfile_to_do(f->text.rcpt_state[l->rcpt]),
		};
		if (l->show) {
			out.notify = r.notify & (uint8_t)~NOTIFY_EXPANDED;
			out.orcpt = r.orcpt;
		}
		if (l->routes) {
			out.transport = r.transport;
			out.where = r.where;
		}
		if (r.type == RCPT_ERROR)
			out.text = r.text;
		else if (f->last)
			out.text = f->last[l->rcpt];
		if (!out.text.n && !out.done)
			out.text = str_of(site_why(m, why));
		out.text = words_of(out.text);
		/* One with a text that may not travel is left out. */
		n += msg_list_add(b, &msg_queue_rcpt_def, &out, NULL) == 0;
	}
	return n;
}

static void
send_attempts(struct listing *l, struct found *f, uint64_t id)
{
	struct msg_queue_attempt msg;
	size_t sent = 0;
	struct qlog r;

	while (sent < TEXT_PART && qlog_next(id, &f->log, &r)) {
		msg = (struct msg_queue_attempt){
			.class = r.class,
			.when_us = r.when_us,
			.text = r.text,
		};
		if (r.rcpt < f->text.head.nrcpts)
			msg.address = f->address[r.rcpt];
		else if (r.rcpt != QLOG_MESSAGE)
			continue;
		chan_send(l->chan, l->tag, &msg_queue_attempt_def, &msg);
		sent += r.text.n;
	}
	if (sent < TEXT_PART)
		f->log = STR_NULL;
}

/* Header block and body, or what of them stands in the queue file. */
static void
start_text(struct listing *l, const struct found *f)
{
	const struct qfile_head *h = &f->text.head;

	l->body = (enum qfile_body)h->body;
	l->body_id = h->id;
	if (l->text != QUEUE_NO_TEXT)
		send_text(l, f->text.header);
	if (l->text == QUEUE_ALL_TEXT)
		send_text(l, f->text.body);
	if ((l->text == QUEUE_ALL_TEXT && h->body != QFILE_INLINE) ||
	    (l->text == QUEUE_HEADER && h->body == QFILE_TEXT))
		l->text_len = h->body_len;
}

/* The next row of found[nsent], or some of its attempts; then its text. */
static void
send_some(struct listing *l)
{
	struct found *f = &l->found[l->nsent];
	const struct message *m = message_find(l->q, f->text.head.id);
	bool first = !l->begun;
	struct buf b;
	uint32_t n;

	if (m && f->rc < 0 && !selection_state(m))
		m = NULL; /* as good as gone */
	if (l->show && (!m || f->rc < 0)) {
		l->failed = true;
		if (!m)
			err_set(&l->err, ERR_PERM, 0, "no such message");
	}
	if (m && (first || l->rcpt < f->text.head.nrcpts)) {
		if (first)
			l->rcpts = f->text.env.rcpts;
		buf_init(&b, MSG_FRAME_MAX);
		n = add_rcpts(l, m, f, &b);
		if (n || first)
			fill_row(l, m, f, &b, n);
		buf_fini(&b);
		l->count += first;
		l->begun = true;
		if (f->rc == 0 && (l->rcpt < f->text.head.nrcpts || f->log.n))
			return;
	}
	if (m && f->log.n) {
		send_attempts(l, f, m->id);
		if (f->log.n)
			return;
	}
	if (m && l->show && f->rc == 0)
		start_text(l, f);
	found_free(f);
	l->nsent++;
	l->rcpt = 0;
	l->begun = false;
}

static void
rows_done(struct io_job *j)
{
	struct listing *l = LIST_OF(j, struct listing, job);
	struct qmgr *q = l->q;

	l->at += l->nfound;
	l->nsent = 0;
	go_on(l);
	qmgr_drain_step(q);
}

/* --- a body in a file of its own ------------------------------------------ */

static void
text_run(struct io_job **v, size_t n)
{
	struct listing *l = LIST_OF(v[0], struct listing, job);
	int fd;

	(void)n;
	l->part_len = -1;
	if (spool_body_open(l->q->spool, l->body_id, l->body, &fd, &l->err) < 0)
		return;
	l->part_len =
		fsx_pread(fd, l->part, sizeof(l->part), (off_t)l->text_at);
	if (l->part_len <= 0)
		err_sys(&l->err, l->part_len ? errno : ENODATA, "body");
	fsx_close(fd);
}

static void
text_done(struct io_job *j)
{
	struct listing *l = LIST_OF(j, struct listing, job);
	struct qmgr *q = l->q;

	if (l->part_len <= 0) {
		l->text_len = 0; /* delivered meanwhile, or damaged */
		l->failed = true;
	} else {
		send_text(l, str_mem(l->part, (size_t)l->part_len));
		l->text_at += (uint64_t)l->part_len;
	}
	go_on(l);
	qmgr_drain_step(q);
}

static unsigned
count_for(const struct qmgr *q, const struct chan *c)
{
	const struct list *it;
	unsigned n = 0;

	list_for_each (it, &q->listings)
		n += LIST_OF(it, struct listing, link)->chan == c;
	return n;
}

void
listing_new(struct qmgr *q, struct chan *c, uint32_t tag,
	    const struct msg_queue *msg)
{
	struct listing *l;

	if (count_for(q, c) >= LISTINGS_MAX) {
		admin_reply(c, tag, 75, 0, "too many look at the queue");
		return;
	}
	l = calloc(1, sizeof(*l));
	if (l)
		l->timer = evtimer_new(q->loop->base, on_timer, l);
	if (!l || !l->timer || selection_init(&l->sel, q, msg, on_ready) < 0) {
		admin_reply(c, tag, 75, 0, "out of memory");
		if (l && l->timer)
			event_free(l->timer);
		free(l);
		return;
	}
	list_init(&l->link);
	list_append(&q->listings, &l->link);
	l->q = q;
	l->chan = chan_ref(c);
	l->tag = tag;
	l->routes = chan_row(c) == &channels[CH_CTL_QMGR];
	l->show = msg->verb == QUEUE_SHOW;
	l->text = (enum queue_text)msg->text;
	selection_more(&l->sel);
}

void
listings_fini(struct qmgr *q)
{
	while (!list_empty(&q->listings))
		listing_free(LIST_OF(q->listings.next, struct listing, link));
}
