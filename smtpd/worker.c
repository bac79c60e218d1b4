/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "mail/reply.h"
#include "worker.h"

enum {
	SPARE_MAX = 64,
	ACCEPT_BATCH = 64,
	ACCEPT_PAUSE_MS = 500,
	/* A worker that makes room for a fresh one leaves its sockets unserved
	 * meanwhile: its clients get this long. */
	RECYCLE_MS = 3000,
	RECYCLE_AGAIN_MS = 100, /* for those whose message was being stored */
};

struct listener {
	struct worker *w;
	struct listener *next;
	struct event *ev, *again;
	int fd;
	int batch; /* connections to take at once; grows under load */
};

/* --- peers ---------------------------------------------------------------- */

static void
on_qmgr_note(void *arg, const struct msg_def *def, void *msg)
{
	struct worker *w = arg;
	struct msg_pressure *m = msg;

	if (def != &msg_pressure_def)
		return;
	w->pressure = m->on;
	if (!m->text.n ||
	    !str_copy(w->pressure_text, sizeof(w->pressure_text), m->text))
		(void)!str_copy(w->pressure_text, sizeof(w->pressure_text),
				STR("Insufficient system storage"));
}

static void
on_qmgr_state(void *arg, bool up)
{
	struct worker *w = arg;

	if (up)
		return;
	w->qmgr_epoch++;
	w->pressure = false; /* told anew at the next connection */
}

/* --- clients and sessions ------------------------------------------------- */

static struct str
client_key(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6
		       ? str_mem(&a->in6.sin6_addr, sizeof(a->in6.sin6_addr))
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
	if (!c || c->n)
		return;
	map_del(&w->clients, c->key);
	free(c);
}

/* Turn a connection away with one line, which the kernel can surely take. */
static void
turn_away(int fd, const char *dsn, const char *text)
{
	struct buf b;

	buf_init(&b, REPLY_LINE_MAX);
	if (reply_format(&b, 421, dsn, str_of(text)) == 0)
		(void)!send(fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_fini(&b);
	close(fd);
}

static bool
is_over_limit(struct worker *w, const struct client *c, int fd,
	      const struct addr *peer)
{
	const struct smtpd_conf *conf = &w->conf;
	char ip[ADDR_TEXT_MAX], text[300];

	addr_text(peer, ip);
	if (w->nsessions >= conf->sessions) {
		log_warn("session limit %u reached, refusing unknown[%s]",
			 conf->sessions, ip);
		snprintf(text, sizeof(text), "%.*s All server ports are busy",
			 STR_FMT(conf->hostname));
		turn_away(fd, "4.3.2", text);
		return true;
	}
	if (conf->client_sessions && c->n >= conf->client_sessions &&
	    !nets_have(&conf->unlimited, peer)) {
		log_warn("Connection concurrency limit exceeded: %u from "
			 "unknown[%s] for service smtp",
			 c->n + 1, ip);
		snprintf(text, sizeof(text),
			 "%.*s Error: too many connections from %s",
			 STR_FMT(conf->hostname), ip);
		turn_away(fd, "4.7.0", text);
		return true;
	}
	return false;
}

static void recycle(struct worker *w);

void
worker_take(struct worker *w, int fd, const struct addr *peer)
{
	struct client *c = client_get(w, peer);
	struct session *s;

	if (!c) {
		turn_away(fd, "4.3.2", "Error: out of memory");
		return;
	}
	if (is_over_limit(w, c, fd, peer) || !(s = session_new(w, fd, peer))) {
		client_put(w, c);
		return;
	}
	s->client = c;
	c->n++;
	list_append(&w->sessions, &s->link);
	w->nsessions++;
	if (++w->taken == w->conf.worker_sessions)
		recycle(w);
}

static void
leave_if_done(struct worker *w)
{
	if (!w->listeners && w->nsessions == 0)
		daemon_exit(w->d, EX_OK);
}

void
worker_session_ended(struct worker *w, struct session *s)
{
	struct txn txn = s->txn;

	w->nsessions--;
	s->client->n--;
	client_put(w, s->client);
	if (w->nspare < SPARE_MAX) {
		*s = (struct session){ .txn = txn };
		list_init(&s->link);
		list_append(&w->spare, &s->link);
		w->nspare++;
	} else {
		txn_fini(&s->txn);
		free(s);
	}
	leave_if_done(w);
}

/* --- listeners ------------------------------------------------------------ */

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
	struct worker *w = l->w;
	struct addr peer;
	socklen_t len;
	int fd, i;

	(void)what;
	/* A client may be the last one (recycle()): l is gone then. */
	for (i = 0; w->listeners && i < l->batch; i++) {
		len = sizeof(peer);
		fd = accept4(lfd, &peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && errno != EAGAIN) {
			/* ECONNABORTED and the like concern one client. */
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM)
				pause_accept(l);
			return;
		}
		if (fd < 0) {
			l->batch = 1;
			return;
		}
		addr_unmap(&peer);
		worker_take(w, fd, &peer);
	}
	/* All that were asked for: perhaps more wait.  The next look costs a
	 * call only where the queue is likely not empty. */
	if (w->listeners && l->batch < ACCEPT_BATCH)
		l->batch *= 2;
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

/* Takes fd. */
static int
open_listener(struct worker *w, int fd, struct err *err)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l) {
		close(fd);
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	*l = (struct listener){
		.w = w, .fd = fd, .batch = 1, .next = w->listeners
	};
	w->listeners = l;
	l->ev = event_new(w->d->loop.base, fd, EV_READ | EV_PERSIST, on_accept,
			  l);
	l->again = evtimer_new(w->d->loop.base, on_accept_again, l);
	if (!l->ev || !l->again || evutil_make_socket_nonblocking(fd) < 0 ||
	    event_add(l->ev, NULL) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "listen_smtp");
	return 0;
}

static int
open_listeners(struct worker *w, struct err *err)
{
	size_t i;
	int fd;

	for (i = 0; (fd = daemon_fd(w->d, "listen_smtp", i)) >= 0; i++)
		if (open_listener(w, fd, err) < 0)
			return -1;
	return 0;
}

/* The socket of a sibling that master cannot start now. */
static void
table(struct daemon *d, struct str name, int fd)
{
	struct worker *w = d->app;
	struct err err;

	if (!str_eq(name, STR("listen_smtp")) || w->leaving)
		close(fd);
	else if (open_listener(w, fd, &err) < 0)
		log_warn("%s", err.text);
}

/* --- life ----------------------------------------------------------------- */

static void on_recycle(evutil_socket_t fd, short what, void *arg);

static void
recycle_in(struct worker *w, unsigned ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_base_once(w->d->loop.base, -1, EV_TIMEOUT, on_recycle, w, &tv);
}

static void
on_recycle(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct list *it, *next;

	(void)fd;
	(void)what;
	for (it = w->sessions.next; it != &w->sessions; it = next) {
		next = it->next;
		session_shutdown(LIST_OF(it, struct session, link));
	}
	if (w->nsessions)
		recycle_in(w, RECYCLE_AGAIN_MS);
}

/* Enough clients: finish, and let master start a fresh process. */
static void
recycle(struct worker *w)
{
	log_info("%llu clients served, making room for a new process",
		 (unsigned long long)w->taken);
	close_listeners(w);
	recycle_in(w, RECYCLE_MS);
}

static int
start(struct daemon *d, struct err *err)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	d->app = w;
	w->d = d;
	list_init(&w->sessions);
	list_init(&w->spare);
	if (config_load(&w->conf, &d->params, err) < 0)
		return -1;
	w->router = asker_new(d, SVC_ROUTER, NULL, NULL, w);
	w->qmgr = asker_new(d, SVC_QMGR, on_qmgr_note, on_qmgr_state, w);
	if (!w->router || !w->qmgr)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return open_listeners(w, err);
}

void
worker_free(struct worker *w)
{
	struct session *s;
	struct client *c;
	size_t i = 0;

	close_listeners(w);
	while (!list_empty(&w->sessions))
		session_free(LIST_OF(w->sessions.next, struct session, link));
	while (!list_empty(&w->spare)) {
		s = LIST_OF(w->spare.next, struct session, link);
		list_remove(&s->link);
		txn_fini(&s->txn);
		free(s);
	}
	while ((c = map_next(&w->clients, &i)))
		free(c);
	map_fini(&w->clients);
	asker_free(w->router);
	asker_free(w->qmgr);
	config_fini(&w->conf);
	free(w);
}

static void
drain(struct daemon *d)
{
	struct worker *w = d->app;

	close_listeners(w);
	leave_if_done(w);
}

const struct daemon_ops smtpd_ops = {
	.id = SVC_SMTPD,
	.start = start,
	.table = table,
	.drain = drain,
};
