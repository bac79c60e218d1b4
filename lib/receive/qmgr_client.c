/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "receive/qmgr_client.h"
#include "receive/worker.h"

enum { STREAM_MS = 60 * 1000, RCPTS_PART = 60 * 1000 - 2048 };

static void
fail(struct session *s)
{
	txn_fail(&s->txn, 451, "4.3.0", "Error: queue file write error");
}

static void
fail_refused(struct session *s, const struct msg_refused *m)
{
	char dsn[16], text[TEXT_MAX + 1];

	if (m->code >= 400 && m->code <= 599 &&
	    str_copy(dsn, sizeof(dsn), m->dsn) &&
	    str_copy(text, sizeof(text), m->text))
		txn_fail(&s->txn, m->code, dsn, text);
	else
		fail(s);
}

/* --- the request to store ------------------------------------------------- */

static void
on_commit(void *arg, const struct msg_def *def, void *msg)
{
	struct session *s = arg;

	s->tag = 0;
	if (def == &msg_stored_def) {
		session_answer(s,
			       data_stored(s, ((struct msg_stored *)msg)->id));
		return;
	}
	if (def == &msg_refused_def)
		fail_refused(s, msg);
	session_answer(s, data_refused(s));
}

static struct msg_commit
commit_of(const struct session *s)
{
	return (struct msg_commit){
		.flags = (s->txn.body_8bit ? COMMIT_8BITMIME : 0) |
			 (s->txn.utf8 ? COMMIT_SMTPUTF8 : 0),
		.ret = s->txn.ret,
		.envid = str_mem(s->txn.envid, s->txn.envid_n),
		.sender = path_str(&s->txn.sender),
		.rcpts = { .elem = &msg_rcpt_in_def },
	};
}

static int
commit_inline(struct session *s)
{
	struct msg_commit m = commit_of(s);

	m.rcpts = msg_list_of(&s->txn.rcpts, s->txn.nrcpts, &msg_rcpt_in_def);
	m.header = txn_header(&s->txn);
	m.body = txn_body(&s->txn);
	s->asked = s->w->qmgr;
	s->tag = asker_send(s->asked, &msg_commit_def, &m, 0, on_commit, s);
	if (s->tag)
		return 0;
	fail(s);
	return -1;
}

/* --- a large message ------------------------------------------------------ */

static int
send_rcpts(struct session *s)
{
	struct txn *t = &s->txn;
	struct str rest = buf_str(&t->rcpts), from = rest;
	struct msg_rcpts m = { .rcpts = { .elem = &msg_rcpt_in_def } };
	struct msg_rcpt_in r;

	while (msg_list_next(&rest, &msg_rcpt_in_def, &r)) {
		m.rcpts.count++;
		m.rcpts.raw = str_mem(from.p, (size_t)(rest.p - from.p));
		if (rest.n && m.rcpts.raw.n < RCPTS_PART)
			continue;
		if (asker_send_part(s->w->qmgr, t->tag, &msg_rcpts_def, &m) < 0)
			return -1;
		from = rest;
		m.rcpts.count = 0;
	}
	return 0;
}

static int
send_header(struct session *s)
{
	struct str rest = txn_header(&s->txn);
	struct msg_header m;

	while (rest.n) {
		m.header = str_head(rest, HEADER_PART_MAX);
		rest = str_from(rest, m.header.n);
		if (asker_send_part(s->w->qmgr, s->txn.tag, &msg_header_def,
				    &m) < 0)
			return -1;
	}
	return 0;
}

/* All of the body is in the pipe: the rest, and COMMIT. */
static int
commit_streamed(struct session *s)
{
	struct msg_commit m = commit_of(s);
	struct txn *t = &s->txn;

	txn_close_pipe(t);
	t->stream = STREAM_CLOSED;
	m.flags |= COMMIT_STREAMED;
	m.nrcpts = t->nrcpts;
	m.header_len = (uint32_t)txn_header(t).n;
	m.body_len = t->body_len;
	m.body_crc = t->body_crc;
	/* The parts belong to this connection and no other. */
	if (t->epoch != s->w->qmgr_epoch || send_rcpts(s) < 0 ||
	    send_header(s) < 0)
		goto fail;
	s->asked = s->w->qmgr;
	s->tag = asker_send_tagged(s->asked, t->tag, &msg_commit_def, &m, 0,
				   on_commit, s);
	if (!s->tag)
		goto fail;
	t->stream = STREAM_NONE; /* it is qmgr's now */
	return 0;
fail:
	fail(s);
	return -1;
}

/* Move text into the pipe: 1 all is in it, 0 it is full, -1 it is broken. */
static int
fill_pipe(struct session *s)
{
	struct txn *t = &s->txn;
	struct str body;
	ssize_t n;

	while ((body = txn_body(t)).n) {
		n = write(t->pipe, body.p, body.n);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			event_add(t->writable, NULL);
			return 0;
		}
		if (n < 0) {
			fail(s);
			return -1;
		}
		txn_sent(t, (size_t)n);
	}
	return 1;
}

/* 0, or -1 if the message cannot be stored. */
static int
advance(struct session *s)
{
	int rc;

	if (s->txn.fault.code)
		return -1;
	if (s->txn.stream != STREAM_OPEN)
		return 0;
	rc = fill_pipe(s);
	if (rc > 0 && s->state == SESSION_COMMIT)
		return commit_streamed(s);
	return rc < 0 ? -1 : 0;
}

/* As a callback: an end of the transaction has to be told. */
static void
advance_and_answer(struct session *s)
{
	if (advance(s) < 0 && s->state == SESSION_COMMIT)
		session_answer(s, data_refused(s));
	else
		session_input(s); /* there may be room again */
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	session_progress(s); /* it was not the client who was slow */
	advance_and_answer(s);
}

static void
open_pipe(struct session *s, struct msg_stream_pipe *m)
{
	struct txn *t = &s->txn;

	t->pipe = m->fd;
	m->fd = -1;
	t->stream = STREAM_OPEN;
	t->writable = event_new(s->w->d->loop.base, t->pipe, EV_WRITE,
				on_writable, s);
	if (!t->writable || fcntl(t->pipe, F_SETFL, O_NONBLOCK) < 0)
		fail(s);
}

static void
on_stream(void *arg, const struct msg_def *def, void *msg)
{
	struct session *s = arg;

	if (def == &msg_stream_pipe_def) {
		open_pipe(s, msg);
	} else {
		s->txn.stream = STREAM_NONE;
		if (def == &msg_refused_def)
			fail_refused(s, msg);
		else
			fail(s);
	}
	advance_and_answer(s);
}

void
qmgr_stream(struct session *s)
{
	struct msg_stream m = { .size = s->txn.declared };
	struct txn *t = &s->txn;
	uint32_t tag = asker_tag(s->w->qmgr);

	t->epoch = s->w->qmgr_epoch;
	t->tag = asker_send_tagged(s->w->qmgr, tag, &msg_stream_def, &m,
				   STREAM_MS, on_stream, s);
	if (t->tag)
		t->stream = STREAM_ASKED;
	else
		fail(s);
}

void
qmgr_push(struct session *s)
{
	(void)!advance(s); /* a failure is told at the end of the text */
}

int
qmgr_commit(struct session *s)
{
	if (s->txn.stream == STREAM_NONE && !txn_is_large(&s->txn))
		return commit_inline(s);
	if (s->txn.stream == STREAM_NONE)
		qmgr_stream(s);
	return advance(s);
}

void
qmgr_abort(struct session *s)
{
	struct msg_abort m = { 0 };
	struct txn *t = &s->txn;

	if (t->stream == STREAM_NONE)
		return;
	if (t->stream == STREAM_ASKED)
		asker_cancel(s->w->qmgr, t->tag);
	if (t->epoch == s->w->qmgr_epoch)
		(void)!asker_send_part(s->w->qmgr, t->tag, &msg_abort_def, &m);
	t->stream = STREAM_NONE;
}
