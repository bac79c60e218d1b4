/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "master.h"

static int
set_on(int fd, int level, int name)
{
	int on = 1;

	return setsockopt(fd, level, name, &on, sizeof(on));
}

static int
bind_one(const struct addr *a, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	int fd = socket(a->sa.sa_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	addr_text_port(a, text);
	if (fd < 0)
		return err_sys(err, errno, "socket for %s", text);
	/* Accepted sockets inherit TCP_NODELAY. */
	if (set_on(fd, SOL_SOCKET, SO_REUSEADDR) < 0 ||
	    set_on(fd, SOL_SOCKET, SO_REUSEPORT) < 0 ||
	    set_on(fd, IPPROTO_TCP, TCP_NODELAY) < 0 ||
	    (a->sa.sa_family == AF_INET6 &&
	     set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0) ||
	    bind(fd, &a->sa, addr_len(a)) < 0 ||
	    listen(fd, LISTEN_BACKLOG) < 0) {
		err_sys(err, errno, "%s", text);
		close(fd);
		return -1;
	}
	return fd;
}

/* Somebody else's socket on the same port would share our connections without
 * a word because of SO_REUSEPORT: look without it first. */
static int
probe_free(const struct addr *a, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	int fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0)
		return err_sys(err, errno, "socket");
	if (set_on(fd, SOL_SOCKET, SO_REUSEADDR) < 0 ||
	    (a->sa.sa_family == AF_INET6 &&
	     set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0) ||
	    bind(fd, &a->sa, addr_len(a)) < 0)
		rc = err_sys(err, errno, "%s", addr_text_port(a, text));
	close(fd);
	return rc;
}

/* The children of a master that was killed may take a moment to see it: how
 * many ms may still be waited for all sockets together. */
static unsigned
patience(const struct master *m)
{
	uint64_t now = clock_mono_ms();

	return m->up || now >= m->patient_until_ms
		       ? 0
		       : (unsigned)(m->patient_until_ms - now);
}

static int
wait_free(const struct master *m, const struct addr *a, struct err *err)
{
	while (probe_free(a, err) < 0) {
		if (err->code != EADDRINUSE || patience(m) == 0)
			return -1;
		usleep(50 * 1000);
	}
	return 0;
}

static struct listener *
find(struct master *m, const char *param, const char *at, unsigned worker)
{
	struct list *it;

	list_for_each (it, &m->listeners) {
		struct listener *l = LIST_OF(it, struct listener, link);

		if (strcmp(l->param, param) == 0 && strcmp(l->at, at) == 0 &&
		    (l->worker == worker || l->worker == ALL_WORKERS))
			return l;
	}
	return NULL;
}

/* One of our own sockets has this port, at an address that may include this
 * one (from 0.0.0.0:25 to 127.0.0.1:25) or under another parameter. */
static bool
have_port(struct master *m, const struct addr *a)
{
	struct list *it;

	list_for_each (it, &m->listeners) {
		const struct addr *b =
			&LIST_OF(it, struct listener, link)->addr;

		if (b->sa.sa_family == a->sa.sa_family &&
		    addr_port(b) == addr_port(a))
			return true;
	}
	return false;
}

/* A socket in the file system may be meant for one group: auth_socket has
 * auth_socket_group. */
static int
open_path(struct master *m, const struct listener *l, struct err *err)
{
	struct unix_place place = { .path = l->at,
				    .type = SOCK_STREAM,
				    .mode = 0666,
				    .gid = (gid_t)-1,
				    .backlog = LISTEN_BACKLOG,
				    .patience_ms = patience(m) };
	const struct config_value *v;
	const struct group *g;
	char name[64];

	snprintf(name, sizeof(name), "%s_group", l->param);
	v = config_find(&m->conf, str_of(name));
	if (v && v->row) {
		place.mode = 0660;
		g = v->text.n ? getgrnam(v->text.p) : NULL;
		if (v->text.n && !g)
			return err_set(err, ERR_PERM, 0,
				       "there is no group %s (%s)", v->text.p,
				       name);
		if (g && !m->opt.unprivileged)
			place.gid = g->gr_gid;
	}
	return unix_listen(&place, err);
}

bool
listener_is_of(const struct listener *l, const struct child *c)
{
	unsigned workers = master_workers(c->m, c->svc);
	struct str rest = str_of(c->svc->listens), word;

	if (l->worker != ALL_WORKERS &&
	    (!workers || l->worker % workers != c->worker))
		return false;
	while (str_token(&rest, " ", &word))
		if (str_eq(word, str_of(l->param)))
			return true;
	return false;
}

static int
want(struct master *m, const struct listener *wanted, struct err *err)
{
	struct listener *l = find(m, wanted->param, wanted->at, wanted->worker);
	bool tcp = wanted->addr.sa.sa_family != AF_UNSPEC;

	if (l) {
		l->keep = true;
		return 0;
	}
	l = malloc(sizeof(*l));
	if (!l)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	*l = *wanted;
	l->keep = l->fresh = true;
	l->fd = given_take(&m->given, l->at);
	if (l->fd >= 0) {
		l->given = true;
		l->worker = ALL_WORKERS;
	} else if (!tcp) {
		l->fd = open_path(m, l, err);
	} else if (have_port(m, &l->addr) || wait_free(m, &l->addr, err) == 0) {
		l->fd = bind_one(&l->addr, err);
	}
	if (l->fd < 0) {
		free(l);
		return -1;
	}
	list_append(&m->listeners, &l->link);
	return 0;
}

static int
want_address(struct master *m, const char *param, struct str item,
	     unsigned workers, struct err *err)
{
	struct listener l = { .param = param }, *more;
	char text[ADDR_TEXT_MAX];

	if (addr_parse_port(item, &l.addr, err) < 0)
		return -1;
	snprintf(l.at, sizeof(l.at), "%s", addr_text_port(&l.addr, text));
	for (; l.worker < workers; l.worker++)
		if (want(m, &l, err) < 0)
			return -1;
	/* Clients that nobody has accepted yet would end with the socket: those
	 * of workers that are no more are shared among the others. */
	for (; workers && l.worker < WORKERS_MAX; l.worker++)
		if ((more = find(m, param, l.at, l.worker)))
			more->keep = true;
	return 0;
}

static int
want_path(struct master *m, const char *param, struct str path, struct err *err)
{
	struct listener l = { .param = param, .worker = ALL_WORKERS };

	if (path.n == 0)
		return 0;
	if (!str_copy(l.at, sizeof(l.at), path))
		return err_set(err, ERR_PERM, ENAMETOOLONG,
			       "the name is too long");
	return want(m, &l, err);
}

static int
want_param(struct master *m, const struct param *row, unsigned workers,
	   struct buf *out)
{
	struct str rest = config_get(&m->conf, row->name), item;
	struct err err;
	int rc = 0;

	if (row->kind == PARAM_PATH)
		rc = want_path(m, row->name, rest, &err);
	else
		while (rc == 0 && str_token(&rest, ", \t", &item))
			rc = want_address(m, row->name, item, workers, &err);
	if (rc < 0)
		buf_addf(out, "%s: %s\n", row->name, err.text);
	return rc;
}

static void
listener_free(struct listener *l)
{
	list_remove(&l->link);
	if (l->at[0] == '/' && !l->given)
		unlink(l->at);
	close(l->fd);
	free(l);
}

void
listeners_close(struct master *m)
{
	while (!list_empty(&m->listeners))
		listener_free(
			LIST_OF(m->listeners.next, struct listener, link));
}

int
listeners_update(struct master *m, struct buf *out)
{
	struct list *it, *next;
	size_t i;
	int rc = 0;

	list_for_each (it, &m->listeners) {
		struct listener *l = LIST_OF(it, struct listener, link);

		l->keep = l->fresh = false;
	}
	for (i = 0; i < SVC_COUNT; i++) {
		struct str rest = str_of(services[i].listens), word;
		char name[64];

		while (str_token(&rest, " ", &word)) {
			const struct config_value *v =
				config_find(&m->conf, word);

			if (str_copy(name, sizeof(name), word) && v && v->row &&
			    want_param(m, v->row,
				       master_workers(m, &services[i]),
				       out) < 0)
				rc = -1;
		}
	}
	for (it = m->listeners.next; it != &m->listeners; it = next) {
		struct listener *l = LIST_OF(it, struct listener, link);

		next = it->next;
		/* Clients must not wait at a socket nobody will serve. */
		if (rc == 0 ? !l->keep : l->fresh)
			listener_free(l);
	}
	return rc;
}
