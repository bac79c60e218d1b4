/* SPDX-License-Identifier: ISC */
/* A stream once its handshake is done: bytes both ways, and the ends of both
 * ways. */
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

static void on_tls_writable(evutil_socket_t fd, short what, void *arg);
static void on_plain_readable(evutil_socket_t fd, short what, void *arg);
static void on_plain_writable(evutil_socket_t fd, short what, void *arg);
static void on_plain_closed(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void settle(struct stream *s);

static bool
is_stuck(const struct buf *b)
{
	return b->n > 0;
}

void
pump_unstick(struct stream *s, struct buf *b, size_t *at)
{
	size_t limit = b->limit;

	if (s->t->conf.wipe && b == &s->up && b->p)
		explicit_bzero(b->p, b->n);
	buf_fini(b);
	buf_init(b, limit);
	*at = 0;
}

/* Wait for an event once; the struct is made at first use: most streams never
 * need one. */
static void
await(struct stream *s, struct event **ev, int fd, short what,
      event_callback_fn cb)
{
	if (!*ev)
		*ev = event_new(s->t->loop->base, fd, what, cb, s);
	/* Without the event the stream would hang: end it. */
	if (!*ev || event_add(*ev, NULL) < 0)
		s->tls_gone = s->plain_gone = true;
}

static void
set_timer(struct stream *s, unsigned ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (!s->timer)
		s->timer = evtimer_new(s->t->loop->base, on_timer, s);
	if (!s->timer || evtimer_add(s->timer, &tv) < 0)
		s->tls_gone = s->plain_gone = true;
}

/* --- sending ---------------------------------------------------------------
 */

/* As send(), but 0 if nothing can be sent now. */
static ssize_t
send_some(int fd, const char *p, size_t n)
{
	ssize_t k;

	do
		k = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (k < 0 && errno == EINTR);
	return k < 0 && errno == EAGAIN ? 0 : k;
}

/* Send what is stuck: -1 if the other side is gone; it is unstuck by both. */
static int
send_stuck(struct stream *s, int fd, struct buf *b, size_t *at)
{
	ssize_t k = send_some(fd, b->p + *at, b->n - *at);

	if (k >= 0)
		*at += (size_t)k;
	if (k < 0 || *at == b->n)
		pump_unstick(s, b, at);
	return k < 0 ? -1 : 0;
}

int
pump_send_tls(struct stream *s)
{
	struct buf *out = &s->t->out;
	ssize_t k = 0;
	int rc = 0;

	if (out->n && !is_stuck(&s->down))
		k = send_some(s->tls, out->p, out->n);
	if (k < 0) {
		rc = -1;
	} else if ((size_t)k < out->n) {
		rc = buf_add(&s->down, out->p + k, out->n - (size_t)k);
		await(s, &s->tls_wr, s->tls, EV_WRITE, on_tls_writable);
	}
	buf_reset(out);
	return rc;
}

/* Bytes for the service. */
static void
send_plain(struct stream *s, const char *p, size_t n)
{
	ssize_t k;

	if (s->plain_gone || n == 0)
		return;
	k = send_some(s->plain, p, n);
	if (k < 0) {
		s->plain_gone = true;
	} else if ((size_t)k < n) {
		if (buf_add(&s->up, p + k, n - (size_t)k) < 0)
			s->tls_gone = s->plain_gone = true;
		await(s, &s->plain_wr, s->plain, EV_WRITE, on_plain_writable);
	}
}

/* --- events ----------------------------------------------------------------
 */

static void
come_again(struct stream *s)
{
	static const struct timeval now = { 0, 0 };

	if (list_empty(&s->again))
		list_append(&s->t->again, &s->again);
	evtimer_add(s->t->again_timer, &now);
}

void
pump_tls_readable(struct stream *s)
{
	char *chunk = s->t->chunk;
	size_t n = 0;
	int rc = 1, error;

	if (is_stuck(&s->up) || s->tls_eof || s->tls_gone)
		return;
	s->tls_dry = false;
	ERR_clear_error();
	while (rc > 0 && n < STREAM_CHUNK) {
		rc = SSL_read(s->ssl, chunk + n, (int)(STREAM_CHUNK - n));
		if (rc > 0)
			n += (size_t)rc;
	}
	if (rc <= 0) {
		error = SSL_get_error(s->ssl, rc);
		/* In the middle of a message nothing can be sent either. */
		if (error == SSL_ERROR_ZERO_RETURN && !SSL_in_init(s->ssl))
			s->tls_eof = true;
		else if (error != SSL_ERROR_WANT_READ)
			s->tls_gone = true;
	}
	send_plain(s, chunk, n);
	if (s->t->conf.wipe)
		explicit_bzero(chunk, n);
	if (pump_send_tls(s) < 0)
		s->tls_gone = true;
	/* Fair to the others: the rest in the next turn. */
	if (rc > 0)
		come_again(s);
	settle(s);
}

static void
on_plain_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	char *chunk = s->t->chunk;
	ssize_t n;

	(void)what;
	n = recv(fd, chunk, STREAM_CHUNK, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	ERR_clear_error();
	if (n <= 0) {
		s->plain_eof = true;
		SSL_shutdown(s->ssl);
	} else if (SSL_write(s->ssl, chunk, (int)n) != n) {
		s->tls_gone = true; /* our output never waits */
	}
	if (s->out && n > 0) /* our password, perhaps */
		explicit_bzero(chunk, (size_t)n);
	if (pump_send_tls(s) < 0)
		s->tls_gone = true;
	settle(s);
}

static void
on_tls_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	size_t before = s->down.n - s->down_at;

	(void)what;
	if (send_stuck(s, fd, &s->down, &s->down_at) < 0)
		s->tls_gone = true;
	else if (is_stuck(&s->down))
		await(s, &s->tls_wr, fd, EV_WRITE, on_tls_writable);
	s->moved += before - (s->down.n - s->down_at);
	if (!s->asker)
		settle(s);
}

static void
on_plain_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)what;
	if (send_stuck(s, fd, &s->up, &s->up_at) < 0)
		s->plain_gone = true;
	else if (is_stuck(&s->up))
		await(s, &s->plain_wr, fd, EV_WRITE, on_plain_writable);
	settle(s);
}

/* The service has closed, and what it sent is not read yet because the client
 * does not take what came before, or is in the middle of a message of TLS. */
static void
on_plain_closed(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	if (!s->plain_eof)
		set_timer(s, STREAM_DRAIN_MS);
	settle(s);
}

/* Neither reads nor writes any more. */
static bool
is_closed(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	/* A service that has only shut down its side minds its own deadlines,
	 * and will close.  A slow client may go on, one that only seems to read
	 * may not. */
	if (is_closed(s->plain) &&
	    (s->tls_fin || s->moved < STREAM_DRAIN_MIN)) {
		stream_free(s);
		return;
	}
	s->moved = 0;
	set_timer(s, s->tls_fin ? STREAM_LINGER_MS : STREAM_DRAIN_MS);
}

/* --- what comes next -------------------------------------------------------
 */

/* Read where there is room for it. */
static void
watch(struct stream *s)
{
	bool tls = !s->tls_eof && !s->tls_gone && !is_stuck(&s->up) &&
		   s->down.n - s->down_at < 2 * STREAM_CHUNK;
	/* In the middle of a message of TLS itself nothing can be written. */
	bool plain = !s->plain_eof && !s->tls_gone && !is_stuck(&s->down) &&
		     !SSL_in_init(s->ssl);

	if (tls != s->tls_watched) {
		s->tls_watched = tls;
		if (!tls)
			event_del(s->tls_rd);
		else if (event_add(s->tls_rd, NULL) < 0)
			s->tls_gone = s->plain_gone = true;
		if (tls && SSL_has_pending(s->ssl))
			come_again(s);
	}
	if (plain != s->plain_watched) {
		s->plain_watched = plain;
		if (!plain)
			event_del(s->plain_rd);
		else if (event_add(s->plain_rd, NULL) < 0)
			s->tls_gone = s->plain_gone = true;
	}
	if (!plain && !s->plain_eof && !s->plain_end)
		await(s, &s->plain_end, s->plain, EV_CLOSED, on_plain_closed);
}

/* After each event: pass ends on, and find out whether this was the last. */
static void
settle(struct stream *s)
{
	bool up = is_stuck(&s->up) && !s->plain_gone;

	if (s->tls_gone && !up) {
		stream_free(s);
		return;
	}
	if (s->tls_eof && !up && !s->plain_fin) {
		s->plain_fin = true;
		shutdown(s->plain, SHUT_WR);
	}
	if (s->plain_eof && !is_stuck(&s->down) && !s->tls_fin) {
		s->tls_fin = true;
		shutdown(s->tls, SHUT_WR);
		set_timer(s, STREAM_LINGER_MS);
	} else if (s->plain_eof && !s->tls_fin && !s->timer) {
		set_timer(s, STREAM_DRAIN_MS);
	}
	if (s->tls_fin && s->tls_eof && !up) {
		stream_free(s);
		return;
	}
	watch(s);
	if (s->tls_gone && s->plain_gone)
		stream_free(s);
}

/* --- start -----------------------------------------------------------------
 */

int
pump_open(struct stream *s)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		       fds) < 0)
		return -1;
	s->plain = fds[0];
	s->plain_rd = event_new(s->t->loop->base, s->plain,
				EV_READ | EV_PERSIST, on_plain_readable, s);
	if (s->plain_rd)
		return fds[1];
	close(fds[1]);
	return -1;
}

void
pump_start(struct stream *s)
{
	s->tls_watched = true; /* since the handshake */
	/* What came behind it is in OpenSSL's buffer. */
	if (SSL_has_pending(s->ssl))
		come_again(s);
	watch(s);
}
