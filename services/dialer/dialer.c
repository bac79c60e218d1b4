/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "dialer.h"
#include "frame/msg_dialer.h"

struct peer {
	struct list link;
	struct list calls;
	struct dialer *dialer;
	struct chan *chan;
};

struct call {
	struct list link;
	struct peer *peer;
	uint32_t tag;
	int fd;
	struct sockaddr_un to;
	uint64_t give_up_ms;
	struct event *timer;
};

/* --- which ones ------------------------------------------------------------
 */

/* Relative names are those below the queue directory (as in Postfix); false:
 * too long. */
static bool
absolute(const struct params *p, struct str path,
	 char out[sizeof(((struct sockaddr_un *)0)->sun_path)])
{
	const size_t size = sizeof(((struct sockaddr_un *)0)->sun_path);
	struct str dir = params_str(p, "queue_directory");
	int n;

	if (path.n && path.p[0] == '/')
		return str_copy(out, size, path);
	n = snprintf(out, size, "%.*s/%.*s", STR_FMT(dir), STR_FMT(path));
	return path.n && n > 0 && (size_t)n < size;
}

/* The names are compared as text: what "." and ".." or a link would make of
 * another one does not count. */
static bool
is_listed(const struct params *p, const char *path)
{
	struct str list = params_str(p, "dialer_sockets"), item;
	struct sockaddr_un one;

	while (str_token(&list, ", \t", &item))
		if (absolute(p, item, one.sun_path) &&
		    strcmp(one.sun_path, path) == 0)
			return true;
	return false;
}

/* --- calls -----------------------------------------------------------------
 */

static void
answer(struct chan *c, uint32_t tag, int fd, bool never, const char *text)
{
	struct msg_dialed m = { .fd = fd, .never = never };

	m.text = str_head(str_of(text), 255);
	(void)!chan_send(c, tag, &msg_dialed_def, &m);
}

static void
call_free(struct call *c)
{
	list_remove(&c->link);
	if (c->timer)
		event_free(c->timer);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* A local socket is connected at once or not at all; EAGAIN: the server has
 * more clients waiting than it wants, and nothing tells when it has not. */
static void
attempt(struct call *c)
{
	struct timeval tv = { 0, DIAL_RETRY_MS * 1000 };
	int rc = connect(c->fd, (struct sockaddr *)&c->to, sizeof(c->to));

	if (rc < 0 && errno == EAGAIN && clock_mono_ms() < c->give_up_ms) {
		evtimer_add(c->timer, &tv);
		return;
	}
	if (rc < 0 && errno == EAGAIN)
		errno = ETIMEDOUT;
	answer(c->peer->chan, c->tag, rc < 0 ? -1 : c->fd, false,
	       rc < 0 ? strerror(errno) : "");
	call_free(c);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	attempt(arg);
}

static void
on_dial(struct peer *p, uint32_t tag, const struct msg_dial *m)
{
	struct dialer *d = p->dialer;
	struct call *c = calloc(1, sizeof(*c));

	if (!c) {
		answer(p->chan, tag, -1, false, strerror(ENOMEM));
		return;
	}
	list_init(&c->link);
	c->fd = -1;
	if (!absolute(d->params, m->path, c->to.sun_path) ||
	    !is_listed(d->params, c->to.sun_path)) {
		log_warn("not among dialer_sockets: %s", LOGQ(m->path));
		answer(p->chan, tag, -1, true, "not among dialer_sockets");
		call_free(c);
		return;
	}
	c->peer = p;
	c->tag = tag;
	c->to.sun_family = AF_UNIX;
	c->give_up_ms = clock_mono_ms() + DIAL_GIVE_UP_MS;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	c->timer = evtimer_new(d->loop->base, on_retry, c);
	if (c->fd < 0 || !c->timer) {
		answer(p->chan, tag, -1, false,
		       strerror(c->fd < 0 ? errno : ENOMEM));
		call_free(c);
		return;
	}
	list_append(&p->calls, &c->link);
	attempt(c);
}

/* --- askers ----------------------------------------------------------------
 */

static void
peer_free(struct peer *p)
{
	while (!list_empty(&p->calls))
		call_free(LIST_OF(p->calls.next, struct call, link));
	list_remove(&p->link);
	free(p);
}

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	(void)c;
	if (def == &msg_dial_def)
		on_dial(arg, tag, msg);
}

static void
on_close(struct chan *c, void *arg)
{
	(void)c;
	peer_free(arg);
}

static const struct chan_ops chan_ops = { on_msg, on_close };

void
dialer_peer(struct dialer *d, const struct chan_row *row, int fd)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p) {
		close(fd);
		return;
	}
	p->dialer = d;
	list_init(&p->calls);
	p->chan = chan_new(d->loop, fd, row, CHAN_SERVICE, &chan_ops, p);
	if (p->chan)
		list_append(&d->peers, &p->link);
	else
		free(p);
}

void
dialer_init(struct dialer *d, struct loop *l, const struct params *p)
{
	*d = (struct dialer){ .loop = l, .params = p };
	list_init(&d->peers);
}

void
dialer_fini(struct dialer *d)
{
	while (!list_empty(&d->peers)) {
		struct peer *p = LIST_OF(d->peers.next, struct peer, link);

		chan_close(p->chan);
		peer_free(p);
	}
}
