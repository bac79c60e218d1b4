/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl.h"
#include "frame/msg_control.h"

/* A short name for a path of any length: sun_path holds 108 bytes only. */
static int
connect_below(int dir, const char *name, struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	(void)snprintf(sun.sun_path, sizeof(sun.sun_path),
		       "/proc/self/fd/%d/%s", dir, name);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, errno, "socket");
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		int e = errno;

		close(fd);
		if (e == ENOENT || e == ECONNREFUSED)
			return err_set(err, ERR_TEMP, e,
				       "posthouse is not running here");
		return err_sys(err, e, "%s", name);
	}
	return fd;
}

static int
connect_master(struct ctl *c, struct err *err)
{
	const char *path;
	int dir, fd;

	/* A mistake in main.cf must not keep anybody from "posthouse stop". */
	if (ctl_config(c) != 0)
		ctl_error("control", "going on with what could be read");
	path = config_get(&c->conf, "socket_directory").p;
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT)
		return err_set(err, ERR_TEMP, ENOENT,
			       "%s: posthouse is not running here", path);
	if (dir < 0)
		return err_sys(err, errno, "%s", path);
	fd = connect_below(dir, "control.sock", err);
	close(dir);
	if (fd < 0)
		return err_prefix(err, "%s/control.sock", path);
	return fd;
}

struct connect_answer {
	const char *name;
	int fd;
	const struct chan_row *row;
	struct err *err;
};

static void
on_connect_answer(void *arg, const struct msg_def *def, void *msg)
{
	struct connect_answer *a = arg;

	if (def == &msg_connected_def) {
		struct msg_connected *m = msg;

		if (m->row == CH_NONE || m->row >= CH_COUNT) {
			err_set(a->err, ERR_PERM, EPROTO,
				"%s: unknown channel %u", a->name, m->row);
			return;
		}
		a->row = &channels[m->row];
		a->fd = m->fd;
		m->fd = -1;
	} else if (def == &msg_unavailable_def) {
		struct msg_unavailable *m = msg;

		if (m->never)
			err_set(a->err, ERR_PERM, EPERM,
				"%s does not serve this command", a->name);
		else
			err_set(a->err, ERR_TEMP, EAGAIN,
				"%s is not running now", a->name);
	}
}

int
ctl_connect(struct ctl *c, enum service_id service, int *fd,
	    const struct chan_row **row, struct err *err)
{
	return ctl_connect_worker(c, service, 0, fd, row, err);
}

int
ctl_connect_worker(struct ctl *c, enum service_id service, unsigned worker,
		   int *fd, const struct chan_row **row, struct err *err)
{
	const struct chan_row *to_master = &channels[CH_CTL_MASTER];
	struct msg_connect ask = { .service = (uint8_t)service,
				   .worker = (uint8_t)worker };
	struct connect_answer answer = {
		.name = services[service].name,
		.fd = -1,
		.err = err,
	};
	int master = connect_master(c, err);
	int rc;

	if (master < 0)
		return -1;
	if (service == SVC_MASTER) {
		*fd = master;
		*row = to_master;
		return 0;
	}
	err_set(err, ERR_TEMP, EPROTO, "no answer from master");
	rc = ctl_call(master, to_master, &msg_connect_def, &ask, CTL_TIMEOUT_MS,
		      on_connect_answer, &answer, err);
	close(master);
	if (rc < 0 || answer.fd < 0)
		return -1;
	*fd = answer.fd;
	*row = answer.row;
	return 0;
}

static int
send_frame(int fd, struct buf *frame, const int *fds, size_t nfds,
	   struct err *err)
{
	_Alignas(struct cmsghdr) char
		ctl[CMSG_SPACE(sizeof(int) * MSG_FDS_MAX)] = { 0 };
	struct iovec iov = { frame->p, frame->n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (nfds) {
		struct cmsghdr *cm;

		mh.msg_control = ctl;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * nfds);
	}
	do
		n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, errno, "sending the request");
	return 0;
}

/* One frame into b; *nfds descriptors into fds. */
static int
recv_frame(int fd, struct buf *b, int *fds, size_t *nfds, unsigned timeout_ms,
	   struct err *err)
{
	_Alignas(
		struct cmsghdr) char ctl[CMSG_SPACE(sizeof(int) * MSG_FDS_MAX)];
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct iovec iov;
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = ctl,
			     .msg_controllen = sizeof(ctl) };
	struct cmsghdr *cm;
	ssize_t n;
	int ready;

	*nfds = 0;
	buf_reset(b);
	iov.iov_base = buf_reserve(b, MSG_FRAME_MAX);
	iov.iov_len = MSG_FRAME_MAX;
	if (!iov.iov_base)
		return err_sys(err, ENOMEM, "receiving");
	do
		ready = poll(&pfd, 1, (int)timeout_ms);
	while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return err_set(err, ERR_TEMP, ETIMEDOUT,
			       "no answer within %u seconds",
			       timeout_ms / 1000);
	do
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, errno, "receiving the answer");
	for (cm = CMSG_FIRSTHDR(&mh); cm; cm = CMSG_NXTHDR(&mh, cm))
		if (cm->cmsg_level == SOL_SOCKET &&
		    cm->cmsg_type == SCM_RIGHTS) {
			size_t k = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			/* ctl[] has room for one such block only. */
			memcpy(fds, CMSG_DATA(cm), k * sizeof(int));
			*nfds = k;
		}
	if (n == 0 || mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return err_set(err, ERR_TEMP, EPIPE,
			       "the service closed the connection");
	b->n = (size_t)n;
	return 0;
}

static const struct chan_msg *
row_msg(const struct chan_msg *m, uint16_t type)
{
	for (; m->def; m++)
		if (m->def->type == type)
			return m;
	return NULL;
}

/* Hand one frame to cb if it is under our tag; *done after the reply. */
static int
dispatch(struct str frame, const struct chan_row *row, uint32_t tag, int *fds,
	 size_t nfds, ctl_msg_cb *cb, void *arg, bool *done, struct err *err)
{
	_Alignas(8) char msg[MSG_STRUCT_MAX];
	const struct chan_msg *m;
	uint32_t its_tag;
	uint16_t type;
	size_t i;

	if (msg_peek(frame, &type, &its_tag) < 0 ||
	    !(m = row_msg(row->to_asker, type))) {
		err_set(err, ERR_PERM, EPROTO, "a message that is not in %s",
			row->name);
		goto bad;
	}
	if (msg_decode(frame, m->def, msg, fds, nfds, err) < 0)
		goto bad;
	if (msg_fields_set(m->def, msg) & m->deny) {
		err_set(err, ERR_PERM, EPERM,
			"message %s: a field that %s may not set", m->def->name,
			services[row->service].name);
		goto bad;
	}
	if (its_tag == tag) {
		*done = m->def->flags & MSG_REPLY;
		cb(arg, m->def, msg);
	}
	msg_close_fds(m->def, msg);
	return 0;
bad:
	for (i = 0; i < nfds; i++)
		close(fds[i]);
	return -1;
}

enum { TAG = 1 }; /* one request at a time on a connection */

int
ctl_send(int fd, const struct msg_def *def, const void *msg, struct err *err)
{
	int fds[MSG_FDS_MAX], rc;
	size_t nfds;
	struct buf b;

	buf_init(&b, MSG_FRAME_MAX + 1);
	rc = msg_encode(&b, def, TAG, msg, fds, &nfds, err);
	if (rc == 0)
		rc = send_frame(fd, &b, fds, nfds, err);
	buf_fini(&b);
	return rc;
}

int
ctl_call(int fd, const struct chan_row *row, const struct msg_def *def,
	 const void *msg, unsigned timeout_ms, ctl_msg_cb *cb, void *arg,
	 struct err *err)
{
	int fds[MSG_FDS_MAX];
	bool done = false;
	size_t nfds;
	struct buf b;
	int rc = -1;

	buf_init(&b, MSG_FRAME_MAX + 1);
	if (ctl_send(fd, def, msg, err) < 0)
		goto out;
	while (!done)
		if (recv_frame(fd, &b, fds, &nfds, timeout_ms, err) < 0 ||
		    dispatch(buf_str(&b), row, TAG, fds, nfds, cb, arg, &done,
			     err) < 0)
			goto out;
	rc = 0;
out:
	buf_fini(&b);
	return rc;
}
