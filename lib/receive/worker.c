/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "mail/reply.h"
#include "receive/worker.h"

enum {
	SPARE_MAX = 64,
	TLS_WAIT_MS = 1000, /* for tlsd's first word */
	IDLE_MS = 10000,    /* silence that costs a client its place */
	/* A worker that makes room for a fresh one leaves its sockets unserved
	 * meanwhile: its clients get this long. */
	RECYCLE_MS = 3000,
	RECYCLE_AGAIN_MS = 100, /* for those whose message was being stored */
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

/* All places are taken: whoever has kept silent for longest makes room, if that
 * is long.  Silent clients must not keep the others out for smtpd_timeout. */
static bool
make_room(struct worker *w)
{
	struct session *idle = NULL;
	struct list *it;

	list_for_each (it, &w->sessions) {
		struct session *s = LIST_OF(it, struct session, link);

		if (s->state != SESSION_COMMIT &&
		    (!s->pending || s->state == SESSION_TLS) &&
		    (!idle || s->deadline < idle->deadline))
			idle = s;
	}
	if (!idle ||
	    idle->deadline + IDLE_MS > clock_mono_ms() + w->conf.timeout_ms)
		return false;
	session_shutdown(idle);
	return true;
}

static bool
is_over_limit(struct worker *w, const struct client *c, int fd,
	      const struct addr *peer)
{
	const struct receive_conf *conf = &w->conf;
	char ip[ADDR_TEXT_MAX], text[300];

	addr_text(peer, ip);
	if (conf->client_sessions && c->n > conf->client_sessions &&
	    !nets_have(&conf->unlimited, peer)) {
		log_warn("Connection concurrency limit exceeded: %u from "
			 "unknown[%s] for service %s",
			 c->n, ip, w->r->name);
		snprintf(text, sizeof(text),
			 "%.*s Error: too many connections from %s",
			 STR_FMT(conf->hostname), ip);
		turn_away(fd, "4.7.0", text);
		return true;
	}
	if (w->nsessions >= conf->sessions && !make_room(w)) {
		log_warn("session limit %u reached, refusing unknown[%s]",
			 conf->sessions, ip);
		snprintf(text, sizeof(text), "%.*s All server ports are busy",
			 STR_FMT(conf->hostname));
		turn_away(fd, "4.3.2", text);
		return true;
	}
	return false;
}

static void recycle(struct worker *w);

static void
add(struct worker *w, struct session *s)
{
	list_append(&w->sessions, &s->link);
	w->nsessions++;
	if (++w->taken == w->conf.worker_sessions)
		recycle(w);
}

void
worker_take(struct worker *w, int fd, const struct addr *peer, bool tls)
{
	struct client *c = clients_enter(&w->clients, peer);
	struct session *s;

	if (!c) {
		turn_away(fd, "4.3.2", "Error: out of memory");
		return;
	}
	if (is_over_limit(w, c, fd, peer) ||
	    !(s = session_new(w, fd, peer, tls))) {
		clients_leave(&w->clients, c);
		return;
	}
	s->client = c;
	add(w, s);
}

void
worker_take_local(struct worker *w, int fd, uint32_t uid)
{
	struct uid_use *use = uids_enter(&w->uids, uid, clock_mono_ms());
	struct session *s;

	if (!use) {
		turn_away(fd, "4.3.2", "Error: too many users at once");
		return;
	}
	if (uid && w->conf.uid_connections &&
	    use->connections > w->conf.uid_connections) {
		log_warn("Connection concurrency limit exceeded: %u from "
			 "local[uid=%u] for service %s",
			 use->connections, uid, w->r->name);
		turn_away(fd, "4.7.0",
			  "Error: too many connections of one "
			  "user");
	} else if (w->nsessions >= w->conf.sessions && !make_room(w)) {
		turn_away(fd, "4.3.2", "All server ports are busy");
	} else if ((s = session_new_local(w, fd, uid))) {
		s->use = use;
		add(w, s);
		return;
	}
	uids_leave(use);
}

static void
leave_if_done(struct worker *w)
{
	if (w->listeners.closed && w->nsessions == 0)
		daemon_exit(w->d, EX_OK);
}

void
worker_session_ended(struct worker *w, struct session *s)
{
	struct txn txn = s->txn;

	w->nsessions--;
	if (s->client)
		clients_leave(&w->clients, s->client);
	if (s->use)
		uids_leave(s->use);
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
	listeners_close(&w->listeners);
	recycle_in(w, RECYCLE_MS);
}

/* Through a socket in the file system: only the kernel's word counts. */
static void
take_local(struct worker *w, int fd)
{
	struct err err;
	uint32_t uid;

	if (listeners_peer_uid(fd, &uid, &err) == 0) {
		worker_take_local(w, fd, uid);
		return;
	}
	log_warn("%s", err.text);
	close(fd);
}

static void
on_connection(struct daemon *d, const char *name, int fd,
	      const struct addr *peer)
{
	struct worker *w = d->app;
	const char *first = w->r->tls_listens;

	if (peer->sa.sa_family == AF_UNIX)
		take_local(w, fd);
	else
		worker_take(w, fd, peer, first && strcmp(name, first) == 0);
}

void
receiver_table(struct daemon *d, struct str name, int fd)
{
	struct worker *w = d->app;

	listeners_lend(&w->listeners, name, fd);
}

/* Open the listeners, once. */
static int
serve(struct worker *w, struct err *err)
{
	if (w->serving || w->listeners.closed)
		return 0;
	w->serving = true;
	return listeners_open(&w->listeners, w->d, err);
}

static void
serve_now(void *arg)
{
	struct worker *w = arg;
	struct err err;

	if (serve(w, &err) == 0)
		return;
	log_error("%s", err.text);
	daemon_exit(w->d, EX_TEMPFAIL);
}

static void
on_tls_wait(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	serve_now(arg);
}

/* The first clients of a fresh process are to be offered STARTTLS as well: wait
 * a moment for tlsd's word.  They wait in the kernel. */
static void
serve_soon(struct worker *w)
{
	struct timeval tv = { TLS_WAIT_MS / 1000, TLS_WAIT_MS % 1000 * 1000 };

	w->listeners.d = w->d; /* for what master may lend meanwhile */
	event_base_once(w->d->loop.base, -1, EV_TIMEOUT, on_tls_wait, w, &tv);
}

int
receiver_start(struct daemon *d, const struct receiver *r, struct err *err)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	d->app = w;
	w->d = d;
	w->r = r;
	list_init(&w->sessions);
	list_init(&w->spare);
	if (receive_conf_load(&w->conf, r, &d->params, err) < 0)
		return -1;
	w->router = asker_new(d, SVC_ROUTER, NULL, NULL, w);
	w->qmgr = asker_new(d, SVC_QMGR, on_qmgr_note, on_qmgr_state, w);
	if (w->conf.tls != RECEIVE_TLS_NONE)
		w->tls = tls_client_new(d, r->tlsd, serve_now, w);
	if (r->auth)
		w->authd = asker_new(d, SVC_AUTHD, NULL, NULL, w);
	if (!w->router || !w->qmgr || (r->auth && !w->authd) ||
	    (!w->tls && w->conf.tls != RECEIVE_TLS_NONE))
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	w->listeners.on_connection = on_connection;
	if (!w->tls)
		return serve(w, err);
	serve_soon(w);
	return 0;
}

void
worker_free(struct worker *w)
{
	struct session *s;

	listeners_close(&w->listeners);
	while (!list_empty(&w->sessions))
		session_free(LIST_OF(w->sessions.next, struct session, link));
	while (!list_empty(&w->spare)) {
		s = LIST_OF(w->spare.next, struct session, link);
		list_remove(&s->link);
		txn_fini(&s->txn);
		free(s);
	}
	clients_fini(&w->clients);
	uids_fini(&w->uids);
	buf_fini(&w->passwd);
	asker_free(w->router);
	asker_free(w->qmgr);
	tls_client_free(w->tls);
	if (w->authd)
		asker_free(w->authd);
	receive_conf_fini(&w->conf);
	free(w);
}

void
receiver_drain(struct daemon *d)
{
	struct worker *w = d->app;

	listeners_close(&w->listeners);
	leave_if_done(w);
}
