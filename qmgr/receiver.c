/* SPDX-License-Identifier: ISC */
/* Receivers (smtpd, submitd, ctl) and what they hand in; their orders go to
 * admin.c. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin.h"
#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "intake.h"

struct receiver {
	struct list link; /* in q->receivers */
	struct qmgr *q;
	struct chan *chan;
	struct list intakes;
	size_t held; /* by the parts of its streams */
};

static void on_msg(struct chan *c, void *arg, uint32_t tag,
		   const struct msg_def *def, void *msg);
static void on_close(struct chan *c, void *arg);

static const struct chan_ops receiver_ops = { on_msg, on_close };

/* --- pressure ------------------------------------------------------------- */

static void
say_pressure(const struct qmgr *q, struct chan *c)
{
	struct msg_pressure msg = { .on = q->pressure.broken ||
					  q->pressure.full };

	if (msg.on)
		msg.text = STR("Insufficient system storage");
	chan_send(c, 0, &msg_pressure_def, &msg);
}

void
receivers_pressure(struct qmgr *q)
{
	bool on = q->pressure.broken || q->pressure.full;
	struct list *it;

	if (on == q->pressure.said)
		return;
	q->pressure.said = on;
	list_for_each (it, &q->receivers)
		say_pressure(q, LIST_OF(it, struct receiver, link)->chan);
}

/* --- intakes -------------------------------------------------------------- */

static struct intake *
intake_new(struct receiver *rx, uint32_t tag)
{
	struct intake *it = calloc(1, sizeof(*it));

	if (!it)
		return NULL;
	it->q = rx->q;
	it->rx = rx;
	it->chan = chan_ref(rx->chan);
	it->tag = tag;
	it->arrival_us = clock_wall_us();
	it->body_fd = -1;
	buf_init(&it->text, INTAKE_HEADER_MAX + 4096);
	buf_init(&it->rcpts, QFILE_ENV_MAX / 2);
	list_append(&rx->intakes, &it->link);
	rx->q->nintakes++;
	return it;
}

void
intake_free(struct intake *it)
{
	if (it->router_tag)
		asker_cancel(it->q->router, it->router_tag);
	if (it->stream) {
		it->q->nstreams--;
		it->q->held -= it->stream->held;
		if (it->rx)
			it->rx->held -= it->stream->held;
	}
	it->q->nintakes--;
	list_remove(&it->link);
	chan_unref(it->chan);
	stream_free(it->stream);
	buf_fini(&it->text);
	buf_fini(&it->rcpts);
	free(it->rcpt_state);
	free(it);
}

static void
discard(struct intake *it)
{
	if (it->router_tag)
		asker_cancel(it->q->router, it->router_tag);
	it->router_tag = 0;
	if (it->stream)
		stream_discard(it);
	else
		intake_free(it);
}

static void
refuse(struct chan *c, uint32_t tag, unsigned code, struct str dsn,
       const char *text)
{
	struct msg_refused msg = { .code = (uint16_t)code,
				   .dsn = dsn,
				   .text = str_of(text) };

	chan_send(c, tag, &msg_refused_def, &msg);
}

void
intake_refuse(struct intake *it, unsigned code, struct str dsn,
	      const char *text)
{
	refuse(it->chan, it->tag, code, dsn, text);
	discard(it);
}

/* The stream that is open under a tag. */
static struct intake *
find(struct receiver *rx, uint32_t tag)
{
	struct list *l;

	if (!rx->q->nstreams)
		return NULL;
	list_for_each (l, &rx->intakes) {
		struct intake *it = LIST_OF(l, struct intake, link);

		if (it->stream && it->tag == tag &&
		    it->state <= INTAKE_RECEIVING)
			return it;
	}
	return NULL;
}

/* A breach of the protocol by a receiver: it loses its channel. */
static void
breach(struct receiver *rx, const char *why)
{
	struct chan *c = rx->chan;

	log_warn("channel %s: %s: closed", chan_row(c)->name, why);
	on_close(c, rx);
	chan_close(c);
}

/* --- COMMIT --------------------------------------------------------------- */

static int
take_envelope(struct intake *it, const struct msg_commit *m)
{
	it->flags = m->flags & (COMMIT_8BITMIME | COMMIT_SMTPUTF8);
	it->hold = m->flags & COMMIT_HOLD;
	it->ret = m->ret;
	it->sender_len = m->sender.n;
	it->envid_len = m->envid.n;
	buf_add_str(&it->text, m->sender);
	return buf_add_str(&it->text, m->envid);
}

static void
commit_inline(struct receiver *rx, uint32_t tag, const struct msg_commit *m)
{
	struct intake *it = intake_new(rx, tag);

	if (!it) {
		refuse(rx->chan, tag, 451, STR("4.3.0"),
		       "Error: out of memory");
		return;
	}
	it->header_len = m->header.n;
	it->body_len = m->body.n;
	if (!buf_reserve(&it->text,
			 m->header.n + m->body.n + m->sender.n + m->envid.n) ||
	    buf_add_str(&it->text, m->header) < 0 ||
	    buf_add_str(&it->text, m->body) < 0 || take_envelope(it, m) < 0) {
		intake_refuse(it, 451, STR("4.3.0"), "Error: out of memory");
		return;
	}
	expand_start(it, &m->rcpts);
}

static bool
counts_match(const struct intake *it, const struct msg_commit *m)
{
	return m->nrcpts == it->stream->nrcpts + m->rcpts.count &&
	       m->header_len == it->text.n && m->body.n == 0 &&
	       m->header.n == 0;
}

static int
add_rcpts(struct stream *s, const struct msg_list *l)
{
	uint8_t head[8];

	if (l->count == 0)
		return 0;
	if (l->count > RCPTS_MAX - s->nrcpts)
		return -1;
	s->nrcpts += l->count;
	enc_put32(head, (uint32_t)l->raw.n);
	enc_put32(head + 4, l->count);
	if (buf_add(&s->rcpts, head, sizeof(head)) < 0)
		return -1;
	return buf_add_str(&s->rcpts, l->raw);
}

static void
commit_streamed(struct receiver *rx, uint32_t tag, const struct msg_commit *m)
{
	struct intake *it = find(rx, tag);

	if (!it || it->state != INTAKE_RECEIVING) {
		/* It was refused while this was on its way. */
		refuse(rx->chan, tag, 451, STR("4.3.0"),
		       "Error: queue file write error");
		return;
	}
	if (!counts_match(it, m) || buf_overflown(&it->text) ||
	    add_rcpts(it->stream, &m->rcpts) < 0) {
		intake_refuse(it, 451, STR("4.3.0"),
			      "Error: message came incompletely");
		return;
	}
	it->header_len = it->text.n;
	it->stream->want_len = m->body_len;
	it->stream->want_crc = m->body_crc;
	if (take_envelope(it, m) < 0) {
		intake_refuse(it, 451, STR("4.3.0"), "Error: out of memory");
		return;
	}
	it->state = INTAKE_ENDING;
	if (it->stream->pipe < 0)
		intake_expand(it);
}

void
intake_expand(struct intake *it)
{
	struct stream *s = it->stream;

	if (s->rc < 0 && s->err.code == EFBIG)
		intake_refuse(it, 552, STR("5.3.4"),
			      "Error: message too large");
	else if (s->rc < 0 && (s->err.code == ENOSPC || s->err.code == EDQUOT))
		intake_refuse(it, 452, STR("4.3.1"),
			      "Insufficient system storage");
	else if (s->rc < 0)
		intake_refuse(it, 451, STR("4.3.0"),
			      "Error: queue file write error");
	else if (s->body_len != s->want_len || s->body_crc != s->want_crc)
		intake_refuse(it, 451, STR("4.3.0"),
			      "Error: message came incompletely");
	else
		expand_start(it, NULL);
}

/* --- STREAM, RCPTS, HEADER ------------------------------------------------ */

static void
begin_stream(struct receiver *rx, uint32_t tag)
{
	struct qmgr *q = rx->q;
	struct intake *it = NULL;
	struct stream *s;

	if (q->nstreams < INTAKE_STREAMS_MAX && !q->pressure.broken)
		it = intake_new(rx, tag);
	s = it ? calloc(1, sizeof(*s)) : NULL;
	if (s) {
		s->pipe = s->body_fd = -1;
		buf_init(&s->rcpts, RCPTS_MAX * (ADDRESS_MAX + ORCPT_MAX + 32));
		it->stream = s;
		q->nstreams++;
		it->id = qmgr_new_id(q);
	}
	if (s && it->id) {
		stream_begin(it);
		return;
	}
	refuse(rx->chan, tag, 451, STR("4.3.0"),
	       "Error: queue file write error");
	if (it)
		intake_free(it);
}

/* No receiver may take all the memory with parts it never commits. */
static bool
hold(struct intake *it, size_t n)
{
	if (n > INTAKE_HELD_MAX - it->rx->held ||
	    n > INTAKE_HELD_ALL_MAX - it->q->held)
		return false;
	it->stream->held += n;
	it->rx->held += n;
	it->q->held += n;
	return true;
}

static void
take_part(struct receiver *rx, uint32_t tag, const struct msg_def *def,
	  const void *msg)
{
	struct intake *it = find(rx, tag);

	if (!it || !it->stream)
		return; /* of a message that was refused meanwhile */
	/* What cannot be kept is seen at COMMIT. */
	if (def == &msg_header_def) {
		struct str h = ((const struct msg_header *)msg)->header;

		if (!hold(it, h.n) || buf_add_str(&it->text, h) < 0)
			it->text.overflown = true;
	} else {
		const struct msg_rcpts *m = msg;

		if (!hold(it, m->rcpts.raw.n) ||
		    add_rcpts(it->stream, &m->rcpts) < 0)
			it->text.overflown = true;
	}
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct receiver *rx = arg;
	struct intake *it;

	switch (def->type) {
	case MSG_COMMIT:
		if (((struct msg_commit *)msg)->flags & COMMIT_STREAMED)
			commit_streamed(rx, tag, msg);
		else if (find(rx, tag))
			breach(rx, "COMMIT under the tag of a stream");
		else
			commit_inline(rx, tag, msg);
		break;
	case MSG_STREAM:
		if (find(rx, tag))
			breach(rx, "STREAM twice under one tag");
		else
			begin_stream(rx, tag);
		break;
	case MSG_RCPTS:
	case MSG_HEADER:
		take_part(rx, tag, def, msg);
		break;
	case MSG_ABORT:
		it = find(rx, tag);
		if (it)
			discard(it);
		break;
	case MSG_QUEUE:
		admin_order(rx->q, c, tag, msg);
		break;
	case MSG_QUEUE_CHANGE:
		admin_change(rx->q, c, tag, msg);
		break;
	default:
		break;
	}
}

/* What was not handed to a thread to be stored is forgotten: nobody will hear
 * the answer. */
static void
on_close(struct chan *c, void *arg)
{
	struct receiver *rx = arg;
	struct intake *it;

	(void)c;
	while (!list_empty(&rx->intakes)) {
		it = LIST_OF(rx->intakes.next, struct intake, link);
		list_remove(&it->link);
		it->rx = NULL;
		if (it->state < INTAKE_STORING)
			discard(it);
	}
	list_remove(&rx->link);
	free(rx);
}

void
receiver_new(struct qmgr *q, const struct chan_row *row, int fd)
{
	struct receiver *rx = calloc(1, sizeof(*rx));

	if (!rx) {
		close(fd);
		return;
	}
	rx->q = q;
	list_init(&rx->intakes);
	rx->chan = chan_new(q->loop, fd, row, CHAN_SERVICE, &receiver_ops, rx);
	if (!rx->chan) {
		free(rx);
		return;
	}
	list_append(&q->receivers, &rx->link);
	say_pressure(q, rx->chan);
}

/* Streams that are not complete are dropped, requests under way are finished;
 * what is not read any more is sent again to the next qmgr. */
void
receivers_drain(struct qmgr *q)
{
	struct list *l, *i, *next;

	list_for_each (l, &q->receivers) {
		struct receiver *rx = LIST_OF(l, struct receiver, link);

		chan_pause(rx->chan);
		for (i = rx->intakes.next; i != &rx->intakes; i = next) {
			struct intake *it = LIST_OF(i, struct intake, link);

			next = i->next;
			if (it->state <= INTAKE_ENDING)
				discard(it);
		}
	}
}

void
receivers_fini(struct qmgr *q)
{
	struct receiver *rx;
	struct chan *c;

	while (!list_empty(&q->receivers)) {
		rx = LIST_OF(q->receivers.next, struct receiver, link);
		c = rx->chan;
		on_close(c, rx);
		chan_close(c);
	}
}
