/* SPDX-License-Identifier: ISC */
/* Storing: after this the client may be told 250. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "intake.h"
#include "message.h"

static void store_run(struct io_job **v, size_t n);
static void store_done(struct io_job *j);

static const struct io_kind store_kind = { store_run, store_done, IO_BATCH };

struct str
intake_sender(const struct intake *it)
{
	return str_head(
		str_from(buf_str(&it->text), it->header_len + it->body_len),
		it->sender_len);
}

static void
fill(struct intake *it)
{
	struct str text = buf_str(&it->text);

	it->rec = (struct spool_new){
		.head = {
			.id = it->id,
			.arrival_us = it->arrival_us,
			.nrcpts = it->nrcpts,
			.body = it->stream ? QFILE_BODY : QFILE_INLINE,
			.flags = it->flags,
			.ret = it->ret,
		},
		.msg = { .state = QFILE_ACTIVE,
			 .next_try_us = it->arrival_us },
		.rcpt_state = it->rcpt_state,
		.header = str_head(text, it->header_len),
		.body = str_head(str_from(text, it->header_len), it->body_len),
		.sender = intake_sender(it),
		.envid = str_from(text, it->header_len + it->body_len +
						it->sender_len),
		.rcpts = buf_str(&it->rcpts),
		.body_fd = -1,
	};
	if (it->hold) {
		it->rec.msg.state = QFILE_HELD;
		it->rec.msg.reason = QFILE_ADMIN;
	}
	if (it->stream) {
		it->rec.head.body_len = it->stream->body_len;
		it->rec.head.body_crc = it->stream->body_crc;
		it->rec.body_fd = it->stream->body_fd;
	}
}

/* Discarded whole: nothing has to be kept. */
static bool
all_discarded(const struct intake *it)
{
	uint32_t i, n = 0;

	for (i = 0; it->rcpt_state && i < it->nrcpts; i++)
		n += it->rcpt_state[i] == QFILE_DONE;
	return n == it->nrcpts;
}

static void
say_stored(struct intake *it)
{
	struct msg_stored msg;
	char id[QID_MAX];

	msg.id = str_of(qid_text(it->id, id));
	chan_send(it->chan, it->tag, &msg_stored_def, &msg);
}

void
intake_store(struct intake *it)
{
	char id[QID_MAX];

	if (!it->id)
		it->id = qmgr_new_id(it->q);
	if (!it->id || it->q->pressure.broken) {
		intake_refuse(it, 451, STR("4.3.0"),
			      "Error: queue file write error");
		return;
	}
	if (all_discarded(it)) {
		log_line(LOG_INFO_, qid_text(it->id, id),
			 "from=<%s>, nrcpt=%u, discarded",
			 LOGQ(intake_sender(it)), it->nrcpts);
		say_stored(it);
		if (it->stream)
			stream_discard(it);
		else
			intake_free(it);
		return;
	}
	it->state = INTAKE_STORING;
	fill(it);
	io_submit(it->q->io, IO_STORE, &store_kind, &it->job);
}

/* A read-only descriptor of the body for the first delivery. */
static void
open_body(struct intake *it)
{
	struct err err;
	int fd;

	if (spool_body_open(it->q->spool, it->id, it->rec.head.body, &fd,
			    &err) < 0)
		return; /* delivery reads the file again */
	it->body_fd = fsx_real_fd(fd);
	fsx_close(fd);
}

static void
store_run(struct io_job **v, size_t n)
{
	struct spool_new *rec[IO_BATCH];
	struct intake *it = NULL;
	size_t i;

	for (i = 0; i < n; i++)
		rec[i] = &LIST_OF(v[i], struct intake, job)->rec;
	it = LIST_OF(v[0], struct intake, job);
	spool_store(it->q->spool, rec, n);
	for (i = 0; i < n; i++) {
		it = LIST_OF(v[i], struct intake, job);
		if (it->stream && it->stream->body_fd >= 0) {
			fsx_close(it->stream->body_fd);
			it->stream->body_fd = -1;
		}
		if (rec[i]->rc == 0 && rec[i]->head.body != QFILE_INLINE)
			open_body(it);
	}
}

static void
refuse_store(struct intake *it)
{
	const struct err *err = &it->rec.err;
	char id[QID_MAX];

	log_line(LOG_ERROR_, qid_text(it->id, id), "not stored: %s", err->text);
	if (it->rec.sync_failed)
		qmgr_disk_failed(it->q);
	if (err->code == ENOSPC || err->code == EDQUOT)
		intake_refuse(it, 452, STR("4.3.1"),
			      "Insufficient system storage");
	else if (err->class == ERR_PERM && err->code == EMSGSIZE)
		intake_refuse(it, 552, STR("5.3.4"),
			      "Error: message too large");
	else
		intake_refuse(it, 451, STR("4.3.0"),
			      "Error: queue file write error");
}

static void
store_done(struct io_job *j)
{
	struct intake *it = LIST_OF(j, struct intake, job);
	struct qmgr *q = it->q;
	struct stored s;

	if (it->rec.rc < 0) {
		refuse_store(it);
		qmgr_drain_step(q);
		return;
	}
	say_stored(it);
	s = (struct stored){
		.head = it->rec.head,
		.mem = it->text.p,
		.rcpt_mem = it->rcpts.p,
		.sender = it->rec.sender,
		.envid = it->rec.envid,
		.header = it->rec.header,
		.body = it->rec.body,
		.rcpts = it->rec.rcpts,
		.rcpt_state = it->rcpt_state,
		.body_fd = it->body_fd,
		.held = it->rec.msg.reason,
	};
	/* The buffers' memory goes along. */
	buf_init(&it->text, 0);
	buf_init(&it->rcpts, 0);
	it->body_fd = -1;
	message_stored(q, &s);
	intake_free(it);
	qmgr_drain_step(q);
}
