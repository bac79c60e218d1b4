/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "session.h"

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
	clients_fini(&w->clients);
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
	clients_leave(&w->clients, c);
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
	struct client *c = clients_enter(&w->clients, peer);
	struct session *s;

	if (!c) {
		close(fd);
		return;
	}
	if (is_over_limit(w, proto, c, peer)) {
		(void)!send(fd, proto->busy, strlen(proto->busy),
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		s = NULL;
	} else {
		s = session_new(w, proto, c, fd, peer, self);
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
	c->timeout_ms = (unsigned)params_num(p, "login_timeout") * 1000;
	c->failure_ms = (unsigned)params_num(p, "auth_failure_delay") * 1000;
	c->sessions = (unsigned)params_num(p, "login_connection_limit");
	c->client_sessions =
		(unsigned)params_num(p, "login_client_connection_limit");
}

static void
on_connection(struct daemon *d, const char *name, int fd,
	      const struct addr *peer)
{
	struct addr self;
	struct err err;

	if (addr_of_self(fd, &self, &err) < 0) {
		close(fd); /* gone already */
		return;
	}
	worker_take(d->app,
		    strcmp(name, "listen_imap") == 0 ? &login_imap
						     : &login_pop3,
		    fd, peer, &self);
}

static void
table(struct daemon *d, struct str name, int fd)
{
	struct worker *w = d->app;

	listeners_lend(&w->listeners, name, fd);
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
	w->listeners.on_connection = on_connection;
	return listeners_open(&w->listeners, d, err);
}

/* Who is connected may still log in; login_timeout is the limit. */
static void
drain(struct daemon *d)
{
	struct worker *w = d->app;

	listeners_close(&w->listeners);
	leave_if_done(w);
}

const struct daemon_ops login_ops = {
	.id = SVC_LOGIN,
	.start = start,
	.table = table,
	.drain = drain,
};
