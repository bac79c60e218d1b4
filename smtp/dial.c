/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dial.h"
#include "frame/msg_dialer.h"

struct dial {
	dial_done_cb *done;
	void *arg;
	int fd;
	struct event *ready;
	struct asker *dialer;
	uint32_t tag;
};

bool
dial_is_local(int code)
{
	return code == EMFILE || code == ENFILE || code == ENOMEM ||
	       code == ENOBUFS || code == EADDRNOTAVAIL;
}

static void
finish(struct dial *d, int fd, const char *why, bool local)
{
	dial_done_cb *done = d->done;
	void *arg = d->arg;

	d->tag = 0;
	dial_cancel(d);
	done(arg, fd, why, local);
}

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct dial *d = arg;
	int code = 0;
	socklen_t n = sizeof(code);

	if (what & EV_TIMEOUT)
		code = ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &n) < 0)
		code = errno;
	if (code == 0)
		d->fd = -1;
	finish(d, code ? -1 : fd, strerror(code), dial_is_local(code));
}

static int
open_socket(const struct settings *set, const struct addr *to)
{
	bool ipv6 = to->sa.sa_family == AF_INET6;
	const struct addr *from = ipv6 ? &set->bind6 : &set->bind4;
	int on = 1, fd, code;

	fd = socket(to->sa.sa_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (from->sa.sa_family) {
		/* The port is chosen when the other side is known: more than
		 * 28,000 connections from one address. */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
				 sizeof(on));
		if (bind(fd, &from->sa, addr_len(from)) < 0)
			goto fail;
	}
	if (connect(fd, &to->sa, addr_len(to)) == 0 || errno == EINPROGRESS)
		return fd;
fail:
	code = errno;
	close(fd);
	errno = code;
	return -1;
}

static struct dial *
dial_new(dial_done_cb *done, void *arg, struct err *err)
{
	struct dial *d = calloc(1, sizeof(*d));

	if (!d) {
		err_set(err, ERR_TEMP, ENOMEM, "no memory");
		return NULL;
	}
	d->done = done;
	d->arg = arg;
	d->fd = -1;
	return d;
}

struct dial *
dial_tcp(struct loop *l, const struct settings *set, const struct addr *to,
	 dial_done_cb *done, void *arg, struct err *err)
{
	struct timeval tv = { set->connect_ms / 1000,
			      set->connect_ms % 1000 * 1000 };
	struct dial *d = dial_new(done, arg, err);

	if (!d)
		return NULL;
	d->fd = open_socket(set, to);
	if (d->fd < 0) {
		err_set(err, ERR_TEMP, errno, "%s", strerror(errno));
		goto fail;
	}
	d->ready = event_new(l->base, d->fd, EV_WRITE, on_ready, d);
	if (d->ready && event_add(d->ready, &tv) == 0)
		return d;
	err_set(err, ERR_TEMP, ENOMEM, "no memory");
fail:
	dial_cancel(d);
	return NULL;
}

static void
on_dialed(void *arg, const struct msg_def *def, void *msg)
{
	struct msg_dialed *m = msg;
	struct dial *d = arg;
	char why[256];
	int fd;

	if (!def) {
		finish(d, -1, "dialer did not answer", true);
		return;
	}
	fd = m->fd;
	m->fd = -1;
	(void)snprintf(why, sizeof(why), "%.*s", STR_FMT(m->text));
	finish(d, fd, why, false);
}

struct dial *
dial_unix(struct asker *dialer, const struct settings *set, const char *path,
	  dial_done_cb *done, void *arg, struct err *err)
{
	struct msg_dial m = { .path = str_of(path) };
	struct dial *d = dial_new(done, arg, err);

	if (!d)
		return NULL;
	d->dialer = dialer;
	/* dialer gives up by itself: this is for a dialer that is away. */
	d->tag = dialer ? asker_send(dialer, &msg_dial_def, &m,
				     set->connect_ms + 1000, on_dialed, d)
			: 0;
	if (d->tag)
		return d;
	err_set(err, ERR_TEMP, ENOMEM,
		dialer ? "dialer is busy" : "dialer_sockets is empty");
	dial_cancel(d);
	return NULL;
}

void
dial_cancel(struct dial *d)
{
	if (!d)
		return;
	if (d->tag)
		asker_cancel(d->dialer, d->tag);
	if (d->ready)
		event_free(d->ready);
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}
