/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "authsock.h"
#include "base/log.h"
#include "session.h"

/*
 * Clients wait in the kernel until it is known whether TLS can be offered: one
 * that wants it must not find it missing because we were just started.
 */
enum { TLS_PATIENCE_MS = 1000 };

/* --- sessions ------------------------------------------------------------ */

void
worker_init(struct worker *w, struct loop *l)
{
	*w = (struct worker){ .loop = l };
	list_init(&w->sessions);
	list_init(&w->authsocks);
}

void
worker_fini(struct worker *w)
{
	while (!list_empty(&w->sessions))
		session_free(LIST_OF(w->sessions.next, struct session, link));
	authsock_end_all(w);
	clients_fini(&w->clients);
}

static void
leave_if_done(struct worker *w)
{
	if (w->d && w->d->draining && w->nsessions == 0 && w->nauthsocks == 0)
		daemon_exit(w->d, EX_OK);
}

void
worker_session_ended(struct worker *w, struct client *c)
{
	w->nsessions--;
	clients_leave(&w->clients, c);
	leave_if_done(w);
}

void
worker_authsock_ended(struct worker *w)
{
	w->nauthsocks--;
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

		if (s->state != LOGIN_READY && s->state != LOGIN_SASL &&
		    s->state != LOGIN_TLS)
			continue;
		session_evict(s);
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
worker_take(struct worker *w, const struct proto *proto, bool implicit_tls,
	    int fd, const struct addr *peer, const struct addr *self)
{
	struct client *c = clients_enter(&w->clients, peer);
	struct session *s;

	if (!c) {
		close(fd);
		return;
	}
	if (is_over_limit(w, proto, c, peer)) {
		if (!implicit_tls)
			(void)!send(fd, proto->busy, strlen(proto->busy),
				    MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		s = NULL;
	} else {
		s = session_new(w, proto, implicit_tls, c, fd, peer, self);
	}
	if (!s) {
		clients_leave(&w->clients, c);
		return;
	}
	list_append(&w->sessions, &s->link);
	w->nsessions++;
}

/* --- life ---------------------------------------------------------------- */

static void
configure(struct login_conf *c, const struct params *p)
{
	c->plaintext_on_loopback =
		str_eq(params_str(p, "plaintext_logins"), STR("loopback"));
	c->mechanisms = params_str(p, "auth_mechanisms");
	c->timeout_ms = (unsigned)params_num(p, "login_timeout") * 1000;
	c->failure_ms = (unsigned)params_num(p, "auth_failure_delay") * 1000;
	c->sessions = (unsigned)params_num(p, "login_connection_limit");
	c->client_sessions =
		(unsigned)params_num(p, "login_client_connection_limit");
	pop3_capa_init(&c->pop3, p);
}

static void
on_connection(struct daemon *d, const char *name, int fd,
	      const struct addr *peer)
{
	static const struct {
		const char *name;
		const struct proto *proto;
		bool implicit_tls;
	} ports[] = {
		{ "listen_imap", &login_imap, false },
		{ "listen_pop3", &login_pop3, false },
		{ "listen_imaps", &login_imap, true },
		{ "listen_pop3s", &login_pop3, true },
	};
	struct worker *w = d->app;
	struct addr self;
	struct err err;
	size_t i;

	if (strcmp(name, "auth_socket") == 0) {
		authsock_take(w, fd);
		return;
	}
	if (addr_of_self(fd, &self, &err) < 0) {
		close(fd); /* gone already */
		return;
	}
	for (i = 0; strcmp(name, ports[i].name) != 0; i++)
		BUG_ON(i + 1 == sizeof(ports) / sizeof(ports[0]));
	worker_take(w, ports[i].proto, ports[i].implicit_tls, fd, peer, &self);
}

static void
table(struct daemon *d, struct str name, int fd)
{
	struct worker *w = d->app;

	listeners_lend(&w->listeners, name, fd);
}

/* Once: tlsd has said what it offers, or takes too long to. */
static void
open_listeners(struct worker *w)
{
	struct err err;

	if (!w->first_word)
		return;
	event_free(w->first_word);
	w->first_word = NULL;
	if (w->d->draining)
		return;
	if (listeners_open(&w->listeners, w->d, &err) < 0) {
		log_error("listening: %s", err.text);
		daemon_exit(w->d, EX_TEMPFAIL);
	}
}

static void
on_offer(void *arg)
{
	open_listeners(arg);
}

static void
on_first_word(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	open_listeners(arg);
}

static int
start(struct daemon *d, struct err *err)
{
	struct timeval patience = { TLS_PATIENCE_MS / 1000,
				    TLS_PATIENCE_MS % 1000 * 1000 };
	struct worker *w = calloc(1, sizeof(*w)); /* until the process ends */

	if (!w)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	worker_init(w, &d->loop);
	d->app = w;
	w->d = d;
	configure(&w->conf, &d->params);
	w->authd = asker_new(d, SVC_AUTHD, NULL, NULL, w);
	w->spawner = asker_new(d, SVC_SPAWNER, NULL, NULL, w);
	w->tls = tls_client_new(d, SVC_TLSD_USER, on_offer, w);
	w->first_word = evtimer_new(d->loop.base, on_first_word, w);
	if (!w->authd || !w->spawner || !w->tls || !w->first_word ||
	    evtimer_add(w->first_word, &patience) < 0)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	w->listeners.on_connection = on_connection;
	w->listeners.d = d;
	return 0;
}

/* --- posthouse who -------------------------------------------------------- */

static void
on_who(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	const struct msg_who *m = msg;
	struct msg_who_done done = { 0 };
	struct worker *w = arg;
	struct list *it;

	(void)def;
	list_for_each (it, &w->sessions) {
		if (m->user.n) /* they are nobody yet */
			break;
		session_row(LIST_OF(it, struct session, link), c, tag);
		done.count++;
	}
	chan_send(c, tag, &msg_who_done_def, &done);
}

static void
on_who_close(struct chan *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void
peer(struct daemon *d, const struct chan_row *row, int fd)
{
	static const struct chan_ops ops = { on_who, on_who_close };

	if (!chan_new(&d->loop, fd, row, CHAN_SERVICE, &ops, d->app))
		log_warn("channel %s: out of memory", row->name);
}

/* Who is connected may still log in; login_timeout is the limit. */
static void
drain(struct daemon *d)
{
	struct worker *w = d->app;

	listeners_close(&w->listeners);
	authsock_drain(w);
	leave_if_done(w);
}

const struct daemon_ops login_ops = {
	.id = SVC_LOGIN,
	.start = start,
	.table = table,
	.peer = peer,
	.drain = drain,
};
