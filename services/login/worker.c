/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "session.h"

enum { ACCEPT_BATCH = 32, ACCEPT_PAUSE_MS = 500 };

struct listener {
	struct worker *w;
	struct listener *next;
	const struct proto *proto;
	struct event *ev, *again;
	int fd;
};

/* --- clients ------------------------------------------------------------- */

/* Who has a /64 has 2^64 addresses: it counts as one. */
static struct str
client_key(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6
		       ? str_mem(&a->in6.sin6_addr, 8)
		       : str_mem(&a->in.sin_addr, sizeof(a->in.sin_addr));
}

static struct client *
client_get(struct worker *w, const struct addr *peer)
{
	struct str key = client_key(peer);
	struct client *c = map_get(&w->clients, key);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	memcpy(c->bytes, key.p, key.n);
	c->key = str_mem(c->bytes, key.n);
	if (map_put(&w->clients, c->key, c) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

static void
client_put(struct worker *w, struct client *c)
{
	if (c->n)
		return;
	map_del(&w->clients, c->key);
	free(c);
}

/* --- sessions ------------------------------------------------------------ */

void
worker_init(struct worker *w, struct loop *l)
{
	*w = (struct worker){ .loop = l };
	list_init(&w->sessions);
}

void
worker_fini(struct worker *w)
{
	while (!list_empty(&w->sessions))
		session_free(LIST_OF(w->sessions.next, struct session, link));
	map_fini(&w->clients);
}

static void
leave_if_done(struct worker *w)
{
	if (w->d && w->d->draining && w->nsessions == 0)
		daemon_exit(w->d, EX_OK);
}

void
worker_session_ended(struct worker *w, struct client *c)
{
	w->nsessions--;
	c->n--;
	client_put(w, c);
	leave_if_done(w);
}

/* Room for a new one: the session that has waited longest without a question
 * to be answered goes.  False: all are being answered. */
static bool
make_room(struct worker *w)
{
	struct list *it;

	list_for_each (it, &w->sessions) {
		struct session *s = LIST_OF(it, struct session, link);

		if (s->state != LOGIN_READY && s->state != LOGIN_SASL)
			continue;
		session_bye(s, SAY_BYE_BUSY, "Too many connections");
		return true;
	}
	return false;
}

static bool
is_over_limit(struct worker *w, const struct proto *proto,
	      const struct client *c, const struct addr *peer)
{
	char ip[ADDR_TEXT_MAX];

	/* Behind a loopback address stand webmail and proxies: many users. */
	if (w->conf.client_sessions && c->n > w->conf.client_sessions &&
	    !addr_is_loopback(peer)) {
		log_warn("%s: Maximum number of connections from %s exceeded "
			 "(login_client_connection_limit=%u)",
			 proto->name, addr_text(peer, ip),
			 w->conf.client_sessions);
		return true;
	}
	if (w->nsessions < w->conf.sessions || make_room(w))
		return false;
	log_warn("%s: too many connections (login_connection_limit=%u)",
		 proto->name, w->conf.sessions);
	return true;
}

void
worker_take(struct worker *w, const struct proto *proto, int fd,
	    const struct addr *peer, const struct addr *self)
{
	struct client *c = client_get(w, peer);
	struct session *s;

	if (!c) {
		close(fd);
		return;
	}
	c->n++; /* make_room() must not free it */
	if (is_over_limit(w, proto, c, peer)) {
		(void)!send(fd, proto->busy, strlen(proto->busy),
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		s = NULL;
	} else {
		s = session_new(w, proto, c, fd, peer, self);
	}
	if (!s) {
		c->n--;
		client_put(w, c);
		return;
	}
	list_append(&w->sessions, &s->link);
	w->nsessions++;
}

/* --- listeners ----------------------------------------------------------- */

static void
on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	event_add(l->ev, NULL);
}

/* Out of descriptors or memory: the connections wait in the kernel. */
static void
pause_accept(struct listener *l)
{
	struct timeval tv = { 0, ACCEPT_PAUSE_MS * 1000 };

	log_warn("accept: %s", strerror(errno));
	event_del(l->ev);
	evtimer_add(l->again, &tv);
}

static void
on_accept(evutil_socket_t lfd, short what, void *arg)
{
	struct listener *l = arg;
	struct addr peer, self;
	struct err err;
	int fd, i;

	(void)what;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM)
				pause_accept(l);
			return;
		}
		if (addr_of_peer(fd, &peer, &err) < 0 ||
		    addr_of_self(fd, &self, &err) < 0) {
			close(fd); /* gone already */
			continue;
		}
		addr_unmap(&peer);
		addr_unmap(&self);
		worker_take(l->w, l->proto, fd, &peer, &self);
	}
}

static void
close_listeners(struct worker *w)
{
	struct listener *l;

	w->leaving = true;
	while ((l = w->listeners)) {
		w->listeners = l->next;
		if (l->ev)
			event_free(l->ev);
		if (l->again)
			event_free(l->again);
		/* An address that is no longer configured must not go on
		 * taking clients nobody greets. */
		close(l->fd);
		free(l);
	}
}

static const struct {
	const char *name;
	const struct proto *proto;
} ports[] = {
	{ "listen_imap", &login_imap },
	{ "listen_pop3", &login_pop3 },
};
enum { PORTS = sizeof(ports) / sizeof(ports[0]) };

/* Takes fd. */
static int
open_listener(struct worker *w, size_t port, int fd, struct err *err)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l) {
		close(fd);
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	l->w = w;
	l->fd = fd;
	l->proto = ports[port].proto;
	l->next = w->listeners;
	w->listeners = l;
	l->ev = event_new(w->loop->base, fd, EV_READ | EV_PERSIST, on_accept,
			  l);
	l->again = evtimer_new(w->loop->base, on_accept_again, l);
	if (!l->ev || !l->again || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
	    event_add(l->ev, NULL) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "%s", ports[port].name);
	return 0;
}

static int
open_listeners(struct worker *w, struct err *err)
{
	size_t port, i;
	int fd;

	for (port = 0; port < PORTS; port++)
		for (i = 0; (fd = daemon_fd(w->d, ports[port].name, i)) >= 0;
		     i++)
			if (open_listener(w, port, fd, err) < 0)
				return -1;
	return 0;
}

/* The socket of a sibling that master cannot start now. */
static void
table(struct daemon *d, struct str name, int fd)
{
	struct worker *w = d->app;
	struct err err;
	size_t port;

	for (port = 0; port < PORTS; port++)
		if (str_eq(name, str_of(ports[port].name)) && !w->leaving) {
			if (open_listener(w, port, fd, &err) < 0)
				log_warn("%s", err.text);
			return;
		}
	close(fd);
}

/* --- life ---------------------------------------------------------------- */

static void
configure(struct login_conf *c, const struct params *p)
{
	c->plaintext_on_loopback =
		str_eq(params_str(p, "plaintext_logins"), STR("loopback"));
	c->timeout_ms = (unsigned)params_num(p, "login_timeout") * 1000;
	c->failure_ms = (unsigned)params_num(p, "auth_failure_delay") * 1000;
	c->sessions = (unsigned)params_num(p, "login_connection_limit");
	c->client_sessions =
		(unsigned)params_num(p, "login_client_connection_limit");
}

static int
start(struct daemon *d, struct err *err)
{
	struct worker *w = calloc(1, sizeof(*w)); /* until the process ends */

	if (!w)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	worker_init(w, &d->loop);
	d->app = w;
	w->d = d;
	configure(&w->conf, &d->params);
	w->authd = asker_new(d, SVC_AUTHD, NULL, NULL, w);
	w->spawner = asker_new(d, SVC_SPAWNER, NULL, NULL, w);
	if (!w->authd || !w->spawner)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return open_listeners(w, err);
}

/* Who is connected may still log in; login_timeout is the limit. */
static void
drain(struct daemon *d)
{
	struct worker *w = d->app;

	close_listeners(w);
	leave_if_done(w);
}

const struct daemon_ops login_ops = {
	.id = SVC_LOGIN,
	.start = start,
	.table = table,
	.drain = drain,
};
