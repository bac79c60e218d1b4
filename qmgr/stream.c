/* SPDX-License-Identifier: ISC */
/*
 * A large body: its receiver writes it into a pipe; whenever something is
 * there a job moves it into ID.b.  No thread waits for a slow client.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/fsx.h"
#include "intake.h"

enum {
	PIPE_SIZE = 1024 * 1024,
	PART = 64 * 1024,
	PARTS_A_JOB = 16, /* then others have their turn */
};

static void create_run(struct io_job **v, size_t n);
static void create_done(struct io_job *j);
static void move_run(struct io_job **v, size_t n);
static void move_done(struct io_job *j);
static void discard_run(struct io_job **v, size_t n);
static void discard_done(struct io_job *j);

static const struct io_kind create_kind = { create_run, create_done, 1 };
static const struct io_kind move_kind = { move_run, move_done, 1 };
static const struct io_kind discard_kind = { discard_run, discard_done, 1 };

static void
submit(struct intake *it, const struct io_kind *kind)
{
	it->stream->moving = true;
	io_submit(it->q->io, IO_OTHER, kind, &it->job);
}

void
stream_begin(struct intake *it)
{
	it->state = INTAKE_CREATING;
	submit(it, &create_kind);
}

static void
create_run(struct io_job **v, size_t n)
{
	struct intake *it = LIST_OF(v[0], struct intake, job);
	struct stream *s = it->stream;

	(void)n;
	s->rc = spool_body_create(it->q->spool, it->id, &s->body_fd, &s->err);
}

static void
on_pipe(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	submit(arg, &move_kind);
}

static int
open_pipe(struct intake *it)
{
	struct msg_stream_pipe msg;
	struct stream *s = it->stream;
	int fd[2], rc;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return -1;
	s->pipe = fd[0];
	if (fcntl(fd[0], F_SETPIPE_SZ, PIPE_SIZE) < 0)
		errno = 0; /* the usual size will do */
	if (fcntl(fd[0], F_SETFL, O_NONBLOCK) < 0) {
		close(fd[1]);
		return -1;
	}
	msg.fd = fd[1];
	rc = chan_send(it->chan, it->tag, &msg_stream_pipe_def, &msg);
	close(fd[1]);
	if (rc < 0)
		return -1;
	s->ev = event_new(it->q->loop->base, s->pipe, EV_READ, on_pipe, it);
	return s->ev ? event_add(s->ev, NULL) : -1;
}

static void
create_done(struct io_job *j)
{
	struct intake *it = LIST_OF(j, struct intake, job);

	it->stream->moving = false;
	if (it->state == INTAKE_DISCARDING) {
		/* Nobody waits for it, but both sides count requests that
		 * have no answer. */
		intake_refuse(it, 451, STR("4.3.0"), "Aborted");
		return;
	}
	it->state = INTAKE_RECEIVING;
	if (it->stream->rc < 0 || open_pipe(it) < 0)
		intake_refuse(it, 451, STR("4.3.0"),
			      "Error: queue file write error");
}

static void
move_run(struct io_job **v, size_t n)
{
	struct intake *it = LIST_OF(v[0], struct intake, job);
	struct stream *s = it->stream;
	char part[PART];
	ssize_t got;
	int i;

	(void)n;
	for (i = 0; i < PARTS_A_JOB && s->rc == 0; i++) {
		do
			got = read(s->pipe, part, sizeof(part));
		while (got < 0 && errno == EINTR);
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			s->eof = true;
			return;
		}
		s->body_len += (uint64_t)got;
		s->body_crc = enc_crc32c(s->body_crc, part, (size_t)got);
		if (it->q->set.body_max && s->body_len > it->q->set.body_max)
			s->rc = err_set(&s->err, ERR_PERM, EFBIG,
					"the message is too large");
		else
			s->rc = fsx_write_all(s->body_fd, part, (size_t)got,
					      &s->err);
	}
}

static void
move_done(struct io_job *j)
{
	struct intake *it = LIST_OF(j, struct intake, job);
	struct stream *s = it->stream;

	s->moving = false;
	if (it->state == INTAKE_DISCARDING) {
		stream_discard(it);
		return;
	}
	if (s->eof || s->rc < 0) {
		/* After a failure the writer sees a broken pipe; COMMIT is
		 * told why. */
		event_free(s->ev);
		s->ev = NULL;
		close(s->pipe);
		s->pipe = -1;
		if (it->state == INTAKE_ENDING)
			intake_expand(it);
	} else {
		event_add(s->ev, NULL);
	}
}

void
stream_discard(struct intake *it)
{
	struct stream *s = it->stream;

	it->state = INTAKE_DISCARDING;
	if (s->moving)
		return; /* its done() comes back here */
	if (s->ev)
		event_free(s->ev);
	s->ev = NULL;
	submit(it, &discard_kind);
}

static void
discard_run(struct io_job **v, size_t n)
{
	struct intake *it = LIST_OF(v[0], struct intake, job);
	struct stream *s = it->stream;

	(void)n;
	if (s->body_fd < 0)
		return;
	fsx_close(s->body_fd);
	s->body_fd = -1;
	spool_body_discard(it->q->spool, it->id);
}

static void
discard_done(struct io_job *j)
{
	struct intake *it = LIST_OF(j, struct intake, job);
	struct qmgr *q = it->q;

	intake_free(it);
	qmgr_drain_step(q);
}

void
stream_free(struct stream *s)
{
	if (!s)
		return;
	if (s->ev)
		event_free(s->ev);
	if (s->pipe >= 0)
		close(s->pipe);
	buf_fini(&s->rcpts);
	free(s);
}
