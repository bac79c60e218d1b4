/* SPDX-License-Identifier: ISC */
/* queue import: the message goes to qmgr as a receiver's does (msg_qmgr.h):
 * recipients and header in parts, the body through a pipe, then COMMIT. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/enc.h"
#include "queue.h"

enum { PART = 40 * 1024, STORE_TIMEOUT_MS = 120 * 1000 };

struct answer {
	int pipe;
	bool stored;
	char id[QUEUE_ID_MAX + 1];
	char text[TEXT_MAX + 32];
};

static void
on_answer(void *arg, const struct msg_def *def, void *msg)
{
	struct answer *a = arg;

	if (def == &msg_stream_pipe_def) {
		struct msg_stream_pipe *m = msg;

		a->pipe = m->fd;
		m->fd = -1;
	} else if (def == &msg_stored_def) {
		a->stored = true;
		(void)str_copy(a->id, sizeof(a->id),
			       ((struct msg_stored *)msg)->id);
	} else if (def == &msg_refused_def) {
		const struct msg_refused *m = msg;

		(void)snprintf(a->text, sizeof(a->text), "%u %.*s %.*s",
			       m->code, STR_FMT(m->dsn), STR_FMT(m->text));
	}
}

static int
read_all(const char *file, struct buf *b, struct err *err)
{
	int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	ssize_t n = -1;
	char *to;

	if (fd < 0)
		return err_sys(err, errno, "%s", file);
	while ((to = buf_reserve(b, PART))) {
		n = read(fd, to, PART);
		if (n <= 0)
			break;
		b->n += (size_t)n;
	}
	if (!to)
		err_set(err, ERR_PERM, EFBIG, "more than %d bytes",
			QUEUE_TEXT_MAX);
	else if (n < 0)
		err_sys(err, errno, "%s", file ? file : "standard input");
	if (file)
		close(fd);
	return n == 0 && to ? 0 : -1;
}

static int
send_rcpts(int fd, const struct exported *t, struct err *err)
{
	struct str it = buf_str(&t->rcpts), begin = it;
	struct msg_rcpts m;
	struct msg_rcpt_in r;
	uint32_t n = 0;

	while (it.n) {
		if (!msg_list_next(&it, &msg_rcpt_in_def, &r))
			return err_set(err, ERR_BUG, 0, "recipients");
		n++;
		if (it.n && (size_t)(it.p - begin.p) < PART)
			continue;
		m.rcpts = (struct msg_list){ str_head(begin, begin.n - it.n), n,
					     &msg_rcpt_in_def };
		if (ctl_send(fd, &msg_rcpts_def, &m, err) < 0)
			return -1;
		begin = it;
		n = 0;
	}
	return 0;
}

static int
send_header(int fd, struct str header, struct err *err)
{
	struct msg_header m;

	while (header.n) {
		m.header = str_head(header, PART);
		header = str_from(header, m.header.n);
		if (ctl_send(fd, &msg_header_def, &m, err) < 0)
			return -1;
	}
	return 0;
}

static int
write_body(int fd, struct str body, struct err *err)
{
	ssize_t n;

	while (body.n) {
		n = write(fd, body.p, body.n);
		if (n < 0 && errno == EPIPE)
			return 0; /* COMMIT will be told why */
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "handing over the body");
		if (n > 0)
			body = str_from(body, (size_t)n);
	}
	return 0;
}

static int
hand_over(int fd, const struct chan_row *row, const struct exported *t,
	  struct answer *a, struct err *err)
{
	const struct msg_stream begin = { .size = t->header.n + t->body.n };
	const struct msg_commit commit = {
		.flags = t->flags | COMMIT_STREAMED,
		.ret = t->ret,
		.sender = t->sender,
		.envid = t->envid,
		.nrcpts = t->nrcpts,
		.header_len = (uint32_t)t->header.n,
		.body_len = t->body.n,
		.body_crc = enc_crc32c(0, t->body.p, t->body.n),
	};
	int rc;

	if (ctl_call(fd, row, &msg_stream_def, &begin, STORE_TIMEOUT_MS,
		     on_answer, a, err) < 0)
		return -1;
	if (a->pipe < 0)
		return 0; /* it was refused */
	rc = send_rcpts(fd, t, err);
	if (rc == 0)
		rc = send_header(fd, t->header, err);
	if (rc == 0)
		rc = write_body(a->pipe, t->body, err);
	close(a->pipe);
	if (rc < 0)
		return -1;
	return ctl_call(fd, row, &msg_commit_def, &commit, STORE_TIMEOUT_MS,
			on_answer, a, err);
}

static int
import(struct ctl *c, const struct exported *t)
{
	struct answer a = { .pipe = -1 };
	const struct chan_row *row;
	struct err err;
	int fd, rc;

	if (ctl_connect(c, SVC_QMGR, &fd, &row, &err) < 0) {
		ctl_error("queue", "%s", err.text);
		return ctl_status(&err);
	}
	rc = hand_over(fd, row, t, &a, &err);
	close(fd);
	if (rc < 0) {
		ctl_error("queue", "%s", err.text);
		return ctl_status(&err);
	}
	if (!a.stored) {
		ctl_error("queue", "refused: %s", a.text);
		return a.text[0] == '5' ? 1 : EX_TEMPFAIL;
	}
	(void)printf("%s\n", a.id);
	return 0;
}

int
queue_import(struct ctl *c, const struct queue_args *a)
{
	const char *name = a->file ? a->file : "standard input";
	struct exported t = { 0 };
	struct pool pool;
	struct buf text;
	struct err err;
	int rc;

	pool_init(&pool, 65536);
	buf_init(&text, QUEUE_TEXT_MAX);
	rc = read_all(a->file, &text, &err);
	if (rc == 0) {
		text.n = queue_text_unix(text.p, text.n);
		rc = queue_text_parse(&t, buf_str(&text), &pool, &err);
	}
	if (rc < 0) {
		ctl_error("queue", "%s: %s", name, err.text);
		rc = EX_DATAERR;
	} else {
		if (a->hold)
			t.flags |= COMMIT_HOLD;
		rc = import(c, &t);
	}
	queue_text_fini(&t);
	buf_fini(&text);
	pool_fini(&pool);
	return rc;
}
