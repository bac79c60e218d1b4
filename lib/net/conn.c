/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"

enum {
	READ_STEP = 16384,
	BULK_STEP = 65536, /* after a read that was filled */
	KEEP = 16384,
};

struct conn {
	struct loop *loop;
	const struct conn_ops *ops;
	void *arg;
	int fd;
	bool paused, ended, wants_input, closing, in_callback, dead;
	bool bulk;    /* the last read was filled: more at a time */
	bool writing; /* on_drained is due */
	bool eof;     /* read; reported once what came before it is seen */
	struct event *rd, *wr, *timer;
	struct loop_flush flush;
	struct buf in, out;
	size_t in_at, out_at; /* consumed / sent so far */
	struct conn_tap *tap; /* NULL: nobody looks on */
};

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void on_flush(struct loop_flush *f);

struct conn *
conn_new(struct loop *l, int fd, size_t in_limit, size_t out_limit,
	 const struct conn_ops *ops, void *arg)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	c->loop = l;
	c->ops = ops;
	c->arg = arg;
	c->fd = fd;
	buf_init(&c->in, in_limit);
	buf_init(&c->out, out_limit);
	loop_flush_init(&c->flush, on_flush);
	c->rd = event_new(l->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->wr = event_new(l->base, fd, EV_WRITE, on_writable, c);
	c->timer = evtimer_new(l->base, on_timer, c);
	if (!c->rd || !c->wr || !c->timer ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || event_add(c->rd, NULL) < 0) {
		conn_close(c);
		return NULL;
	}
	return c;
}

static void
conn_free(struct conn *c)
{
	if (c->rd)
		event_free(c->rd);
	if (c->wr)
		event_free(c->wr);
	if (c->timer)
		event_free(c->timer);
	loop_flush_cancel(&c->flush);
	if (c->fd >= 0)
		close(c->fd);
	c->rd = c->wr = c->timer = NULL;
	c->fd = -1;
	c->dead = true;
	if (c->in_callback)
		return; /* freed when the callback returns */
	if (c->tap)
		c->tap->end(c->tap);
	/* It may hold a password that came to nothing. */
	if (c->in.p)
		explicit_bzero(c->in.p, c->in.size < KEEP ? c->in.size : KEEP);
	/* Or one that was sent: smtp logs in elsewhere. */
	if (c->out.p)
		explicit_bzero(c->out.p,
			       c->out.size < KEEP ? c->out.size : KEEP);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

/* Every callback runs between these two; leave() is true if it freed c. */
static void
enter(struct conn *c)
{
	c->in_callback = true;
}

static bool
leave(struct conn *c)
{
	c->in_callback = false;
	if (!c->dead)
		return false;
	conn_free(c);
	return true;
}

static void
end(struct conn *c, enum conn_end why)
{
	if (c->ended)
		return;
	c->ended = true;
	event_del(c->rd);
	if (c->closing) {
		conn_free(c);
		return;
	}
	enter(c);
	c->ops->on_end(c, c->arg, why);
	leave(c);
}

/* 0: nothing left; 1: the socket is full; -1: broken. */
static int
send_output(struct conn *c)
{
	ssize_t n;

	while (c->out_at < c->out.n) {
		n = send(c->fd, c->out.p + c->out_at, c->out.n - c->out_at,
			 MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 1 : -1;
		if (c->tap)
			c->tap->bytes(c->tap, true,
				      str_mem(c->out.p + c->out_at, (size_t)n));
		c->out_at += (size_t)n;
	}
	c->out_at = 0;
	buf_shrink(&c->out, KEEP);
	return 0;
}

static void
deliver_input(struct conn *c)
{
	if (c->paused || c->closing || c->ended || c->in.n == c->in_at)
		return;
	enter(c);
	c->ops->on_input(c, c->arg);
	leave(c);
}

static void
on_flush(struct loop_flush *f)
{
	struct conn *c = LIST_OF(f, struct conn, flush);
	int rc;

	if (c->wants_input) {
		c->wants_input = false;
		enter(c);
		if (!c->paused && !c->closing && !c->ended &&
		    c->in.n > c->in_at)
			c->ops->on_input(c, c->arg);
		if (leave(c))
			return;
		if (c->eof && !c->paused && !c->closing && !c->wants_input) {
			end(c, CONN_EOF);
			return;
		}
	}
	if (buf_overflown(&c->out)) {
		end(c, CONN_STUCK);
		return;
	}
	rc = send_output(c);
	if (rc < 0) {
		end(c, CONN_ERROR);
		return;
	}
	if (rc > 0) {
		event_add(c->wr, NULL);
		return;
	}
	if (c->closing) {
		conn_free(c);
		return;
	}
	if (c->writing) {
		c->writing = false;
		if (c->ops->on_drained) {
			enter(c);
			c->ops->on_drained(c, c->arg);
			leave(c);
		}
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	loop_flush_want(c->loop, &c->flush);
}

static void
watch_input(struct conn *c)
{
	if (c->ended || c->eof || c->fd < 0)
		return;
	if (c->paused || c->in.n - c->in_at >= c->in.limit)
		event_del(c->rd);
	else
		event_add(c->rd, NULL);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	size_t want = c->bulk ? BULK_STEP : READ_STEP;
	ssize_t n;
	char *to;

	(void)fd;
	(void)what;
	if (c->in_at) {
		buf_drop(&c->in, c->in_at);
		c->in_at = 0;
	}
	if (want > c->in.limit - c->in.n)
		want = c->in.limit - c->in.n;
	if (want == 0) {
		event_del(c->rd);
		return;
	}
	to = buf_reserve(&c->in, want);
	if (!to) {
		end(c, CONN_ERROR);
		return;
	}
	n = recv(c->fd, to, want, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		end(c, CONN_ERROR);
		return;
	}
	if (n == 0) {
		c->eof = true;
		event_del(c->rd);
		/* QUIT and a half-close must not cost the rest of the
		 * output, nor commands that wait their turn. */
		if (c->closing ? !conn_unsent(c) : !c->wants_input)
			end(c, CONN_EOF);
		return;
	}
	if (c->closing)
		return; /* read and forget, so that no RST eats the reply */
	if (c->tap)
		c->tap->bytes(c->tap, false, str_mem(to, (size_t)n));
	c->in.n += (size_t)n;
	c->bulk = (size_t)n >= READ_STEP;
	if (c->in.n >= c->in.limit)
		event_del(c->rd);
	deliver_input(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end(arg, CONN_DEADLINE);
}

void
conn_close(struct conn *c)
{
	if (c->fd >= 0 && !c->dead && c->out.n)
		send_output(c);
	conn_free(c);
}

void
conn_close_drained(struct conn *c, unsigned timeout_ms)
{
	c->closing = true;
	if (c->ended) {
		conn_close(c);
		return;
	}
	c->in.n = c->in_at = 0;
	c->paused = false;
	if (!c->eof)
		event_add(c->rd, NULL);
	conn_deadline(c, timeout_ms ? timeout_ms : 1);
	loop_flush_want(c->loop, &c->flush);
}

int
conn_detach(struct conn *c, struct buf *input)
{
	int fd = c->fd;

	buf_init(input, c->in.limit);
	if (c->ended || send_output(c) != 0) {
		conn_free(c);
		return -1;
	}
	(void)!buf_add_str(input, conn_input(c));
	event_del(c->rd);
	c->fd = -1;
	conn_free(c);
	return fd;
}

struct str
conn_input(const struct conn *c)
{
	return str_mem(c->in.p ? c->in.p + c->in_at : "", c->in.n - c->in_at);
}

void
conn_consume(struct conn *c, size_t n)
{
	BUG_ON(n > c->in.n - c->in_at);
	c->in_at += n;
	if (c->in_at == c->in.n) {
		c->in_at = 0;
		buf_shrink(&c->in, c->bulk ? BULK_STEP : KEEP);
	}
	if (!c->paused)
		watch_input(c);
}

int
conn_preload(struct conn *c, struct str s)
{
	if (buf_add_str(&c->in, s) < 0)
		return -1;
	c->wants_input = true;
	loop_flush_want(c->loop, &c->flush);
	return 0;
}

struct buf *
conn_out(struct conn *c)
{
	/* What was sent of a half-sent buffer makes room again. */
	if (c->out_at > READ_STEP) {
		buf_drop(&c->out, c->out_at);
		c->out_at = 0;
	}
	c->writing = true;
	loop_flush_want(c->loop, &c->flush);
	return &c->out;
}

int
conn_write(struct conn *c, struct str s)
{
	return buf_add_str(conn_out(c), s);
}

int
conn_writef(struct conn *c, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_vaddf(conn_out(c), fmt, ap);
	va_end(ap);
	return rc;
}

size_t
conn_unsent(const struct conn *c)
{
	return c->out.n - c->out_at;
}

void
conn_pause(struct conn *c)
{
	c->paused = true;
	watch_input(c);
}

void
conn_resume(struct conn *c)
{
	c->paused = false;
	watch_input(c);
	c->wants_input = true;
	loop_flush_want(c->loop, &c->flush);
}

void
conn_tap(struct conn *c, struct conn_tap *t)
{
	c->tap = t;
	if (conn_input(c).n)
		t->bytes(t, false, conn_input(c));
}

void
conn_deadline(struct conn *c, unsigned ms)
{
	struct timeval tv = { ms / 1000, (ms % 1000) * 1000 };

	if (ms)
		evtimer_add(c->timer, &tv);
	else
		evtimer_del(c->timer);
}
