/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/chan.h"

enum { BATCH = 8, FD_SPACE = CMSG_SPACE(sizeof(int) * MSG_FDS_MAX) };

struct frame {
	struct frame *next;
	uint32_t n;
	uint32_t nfds;
	int fds[MSG_FDS_MAX];
	bool secret; /* to be wiped */
	char data[];
};

struct chan {
	struct loop *loop;
	const struct chan_row *row;
	const struct chan_ops *ops;
	void *arg;
	enum chan_side side;
	int fd;
	unsigned refs;
	unsigned inflight;
	bool paused;
	struct event *rd, *wr;
	struct loop_flush flush;
	struct frame *out, **out_tail;
	size_t queued;
	struct buf enc;
};

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void on_flush(struct loop_flush *f);

struct chan *
chan_new(struct loop *l, int fd, const struct chan_row *row,
	 enum chan_side side, const struct chan_ops *ops, void *arg)
{
	struct chan *c = calloc(1, sizeof(*c));

	if (!c)
		goto fail;
	c->loop = l;
	c->row = row;
	c->ops = ops;
	c->arg = arg;
	c->side = side;
	c->fd = fd;
	c->refs = 1;
	c->out_tail = &c->out;
	buf_init(&c->enc, MSG_FRAME_MAX);
	loop_flush_init(&c->flush, on_flush);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		goto fail;
	c->rd = event_new(l->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->wr = event_new(l->base, fd, EV_WRITE, on_writable, c);
	if (!c->rd || !c->wr || event_add(c->rd, NULL) < 0)
		goto fail;
	return c;
fail:
	if (c && c->rd)
		event_free(c->rd);
	if (c && c->wr)
		event_free(c->wr);
	free(c);
	close(fd);
	return NULL;
}

static void
frame_free(struct frame *f)
{
	while (f->nfds)
		close(f->fds[--f->nfds]);
	if (f->secret)
		explicit_bzero(f->data, f->n);
	free(f);
}

static void
drop_output(struct chan *c)
{
	struct frame *f;

	while ((f = c->out)) {
		c->out = f->next;
		frame_free(f);
	}
	c->out_tail = &c->out;
	c->queued = 0;
}

static void
shut(struct chan *c)
{
	if (c->fd < 0)
		return;
	event_free(c->rd);
	event_free(c->wr);
	loop_flush_cancel(&c->flush);
	close(c->fd);
	c->fd = -1;
	drop_output(c);
}

struct chan *
chan_ref(struct chan *c)
{
	c->refs++;
	return c;
}

void
chan_unref(struct chan *c)
{
	BUG_ON(c->refs == 0);
	if (--c->refs)
		return;
	shut(c);
	buf_fini(&c->enc);
	free(c);
}

/* The peer is gone or misbehaved: tell the owner once. */
static void
lost(struct chan *c, const char *why)
{
	if (c->fd < 0)
		return;
	if (why)
		log_warn("channel %s: %s: closed", c->row->name, why);
	shut(c);
	c->ops->on_close(c, c->arg);
	chan_unref(c);
}

bool
chan_is_open(const struct chan *c)
{
	return c->fd >= 0;
}

void *
chan_arg(const struct chan *c)
{
	return c->arg;
}

const struct chan_row *
chan_row(const struct chan *c)
{
	return c->row;
}

unsigned
chan_inflight(const struct chan *c)
{
	return c->inflight;
}

size_t
chan_queued(const struct chan *c)
{
	return c->queued;
}

void
chan_pause(struct chan *c)
{
	if (c->fd >= 0 && !c->paused)
		event_del(c->rd);
	c->paused = true;
}

void
chan_resume(struct chan *c)
{
	if (c->fd >= 0 && c->paused)
		event_add(c->rd, NULL);
	c->paused = false;
}

/* --- sending ------------------------------------------------------------- */

int
chan_send(struct chan *c, uint32_t tag, const struct msg_def *def,
	  const void *msg)
{
	int fds[MSG_FDS_MAX];
	struct frame *f;
	struct err err;
	size_t nfds;

	if (c->fd < 0)
		return -1;
	buf_reset(&c->enc);
	if (msg_encode(&c->enc, def, tag, msg, fds, &nfds, &err) < 0) {
		log_warn("channel %s: not sent: %s", c->row->name, err.text);
		return -1;
	}
	f = malloc(sizeof(*f) + c->enc.n);
	if (!f || c->queued + sizeof(*f) + c->enc.n > CHAN_QUEUE_MAX) {
		free(f);
		log_warn("channel %s: peer does not read", c->row->name);
		shutdown(c->fd, SHUT_RDWR); /* seen as EOF by the loop */
		return -1;
	}
	f->next = NULL;
	f->n = (uint32_t)c->enc.n;
	memcpy(f->data, c->enc.p, c->enc.n);
	f->secret = def->flags & MSG_SECRET;
	if (f->secret)
		explicit_bzero(c->enc.p, c->enc.n);
	for (f->nfds = 0; f->nfds < nfds; f->nfds++) {
		f->fds[f->nfds] = fcntl(fds[f->nfds], F_DUPFD_CLOEXEC, 3);
		if (f->fds[f->nfds] < 0) {
			log_warn("channel %s: out of descriptors",
				 c->row->name);
			frame_free(f);
			return -1;
		}
	}
	*c->out_tail = f;
	c->out_tail = &f->next;
	c->queued += sizeof(*f) + f->n;
	if (c->side == CHAN_ASKER ? def->flags & MSG_REQUEST
				  : def->flags & MSG_REPLY)
		c->inflight += c->side == CHAN_ASKER ? 1 : -(c->inflight > 0);
	loop_flush_want(c->loop, &c->flush);
	return 0;
}

static void
fill_cmsg(struct msghdr *mh, char *space, const struct frame *f)
{
	struct cmsghdr *cm;

	mh->msg_control = space;
	mh->msg_controllen = CMSG_SPACE(sizeof(int) * f->nfds);
	cm = CMSG_FIRSTHDR(mh);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int) * f->nfds);
	memcpy(CMSG_DATA(cm), f->fds, sizeof(int) * f->nfds);
}

/* 0: all sent; 1: the socket is full; -1: broken. */
static int
send_queue(struct chan *c)
{
	_Alignas(8) char space[BATCH][FD_SPACE];
	struct mmsghdr mm[BATCH];
	struct iovec iov[BATCH];
	struct frame *f;
	int n, i, sent;

	while (c->out) {
		memset(mm, 0, sizeof(mm));
		for (n = 0, f = c->out; f && n < BATCH; f = f->next, n++) {
			iov[n] = (struct iovec){ f->data, f->n };
			mm[n].msg_hdr.msg_iov = &iov[n];
			mm[n].msg_hdr.msg_iovlen = 1;
			if (f->nfds)
				fill_cmsg(&mm[n].msg_hdr, space[n], f);
		}
		sent = n == 1 ? (int)sendmsg(c->fd, &mm[0].msg_hdr,
					     MSG_NOSIGNAL)
			      : sendmmsg(c->fd, mm, (unsigned)n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EAGAIN || errno == ENOBUFS ? 1 : -1;
		if (n == 1)
			sent = 1;
		for (i = 0; i < sent; i++) {
			f = c->out;
			c->out = f->next;
			c->queued -= sizeof(*f) + f->n;
			frame_free(f);
		}
		if (!c->out)
			c->out_tail = &c->out;
	}
	return 0;
}

static void
on_flush(struct loop_flush *flush)
{
	struct chan *c = LIST_OF(flush, struct chan, flush);
	int rc = send_queue(c);

	if (rc > 0) {
		event_add(c->wr, NULL);
	} else if (rc < 0) {
		/* What the peer wrote before it died is still read; if it
		 * lives, it must not wait for what was dropped. */
		drop_output(c);
		shutdown(c->fd, SHUT_WR);
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct chan *c = arg;

	(void)fd;
	(void)what;
	on_flush(&c->flush);
}

void
chan_close(struct chan *c)
{
	if (c->fd >= 0)
		send_queue(c);
	shut(c);
	chan_unref(c);
}

/* --- receiving ----------------------------------------------------------- */

static void
close_fds(const int *fds, size_t n)
{
	while (n)
		close(fds[--n]);
}

static const struct chan_msg *
find_msg(const struct chan *c, uint16_t type)
{
	const struct chan_msg *m =
		c->side == CHAN_SERVICE ? c->row->to_service : c->row->to_asker;

	for (; m->def; m++)
		if (m->def->type == type)
			return m;
	return NULL;
}

static void
count_received(struct chan *c, const struct msg_def *def)
{
	if (c->side == CHAN_SERVICE && def->flags & MSG_REQUEST)
		c->inflight++;
	if (c->side == CHAN_ASKER && def->flags & MSG_REPLY && c->inflight)
		c->inflight--;
}

/* One frame with its descriptors; 0, or -1 with *why set. */
static int
receive_frame(struct chan *c, struct str frame, const int *fds, size_t nfds,
	      struct err *err)
{
	_Alignas(16) char msg[MSG_STRUCT_MAX];
	const struct chan_msg *m;
	uint16_t type = 0;
	uint32_t tag = 0;

	if (msg_peek(frame, &type, &tag) < 0 || !(m = find_msg(c, type))) {
		close_fds(fds, nfds);
		return err_set(err, ERR_PERM, EPROTO,
			       "message type %u is not for this channel", type);
	}
	if (msg_decode(frame, m->def, msg, fds, nfds, err) < 0) {
		close_fds(fds, nfds);
		return -1;
	}
	if (m->deny && msg_fields_set(m->def, msg) & m->deny) {
		msg_close_fds(m->def, msg);
		return err_set(err, ERR_PERM, EPERM,
			       "message %s: a field this asker may not set",
			       m->def->name);
	}
	count_received(c, m->def);
	if (c->side == CHAN_SERVICE && c->inflight > c->row->inflight) {
		msg_close_fds(m->def, msg);
		return err_set(err, ERR_PERM, EPROTO,
			       "more than %u requests in flight",
			       c->row->inflight);
	}
	c->ops->on_msg(c, c->arg, tag, m->def, msg);
	msg_close_fds(m->def, msg);
	return 0;
}

static size_t
take_fds(struct msghdr *mh, int *fds)
{
	struct cmsghdr *cm;
	size_t n = 0, m;

	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		m = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (m > MSG_FDS_MAX - n)
			m = MSG_FDS_MAX - n;
		memcpy(fds + n, CMSG_DATA(cm), m * sizeof(int));
		n += m;
	}
	return n;
}

static void
on_readable(evutil_socket_t evfd, short what, void *arg)
{
	_Alignas(8) char space[BATCH][FD_SPACE];
	struct mmsghdr mm[BATCH];
	struct iovec iov[BATCH];
	struct chan *c = arg;
	int fds[MSG_FDS_MAX];
	struct err err;
	size_t nfds;
	int i, n;

	(void)evfd;
	(void)what;
	if (!c->loop->scratch)
		c->loop->scratch = malloc((size_t)BATCH * MSG_FRAME_MAX);
	if (!c->loop->scratch)
		return;
	memset(mm, 0, sizeof(mm));
	for (i = 0; i < BATCH; i++) {
		iov[i].iov_base = c->loop->scratch + (size_t)i * MSG_FRAME_MAX;
		iov[i].iov_len = MSG_FRAME_MAX;
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
		mm[i].msg_hdr.msg_control = space[i];
		mm[i].msg_hdr.msg_controllen = FD_SPACE;
	}
	n = recvmmsg(c->fd, mm, BATCH, MSG_CMSG_CLOEXEC, NULL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	chan_ref(c);
	if (n < 0)
		lost(c, NULL);
	for (i = 0; i < n; i++) {
		nfds = take_fds(&mm[i].msg_hdr, fds);
		if (c->fd < 0) {
			close_fds(fds, nfds);
		} else if (mm[i].msg_len == 0) {
			close_fds(fds, nfds);
			lost(c, NULL);
		} else if (mm[i].msg_hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
			close_fds(fds, nfds);
			lost(c, "frame cut short");
		} else if (receive_frame(
				   c, str_mem(iov[i].iov_base, mm[i].msg_len),
				   fds, nfds, &err) < 0) {
			lost(c, err.text);
		}
	}
	chan_unref(c);
}
