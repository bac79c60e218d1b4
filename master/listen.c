/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <netinet/tcp.h>
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

/* The children of a master that was killed may take a moment to see it. */
static int
wait_free(const struct master *m, const struct addr *a, struct err *err)
{
	uint64_t end = clock_mono_ms() + (m->up ? 0 : BIND_PATIENCE_MS);

	while (probe_free(a, err) < 0) {
		if (err->code != EADDRINUSE || clock_mono_ms() >= end)
			return -1;
		usleep(50 * 1000);
	}
	return 0;
}

static bool
same_addr(const struct addr *a, const struct addr *b)
{
	char at[ADDR_TEXT_MAX], bt[ADDR_TEXT_MAX];

	return strcmp(addr_text_port(a, at), addr_text_port(b, bt)) == 0;
}

static struct listener *
find(struct master *m, const char *param, const struct addr *a, unsigned worker,
     bool any_worker)
{
	struct list *it;

	list_for_each (it, &m->listeners) {
		struct listener *l = LIST_OF(it, struct listener, link);

		if (strcmp(l->param, param) == 0 && same_addr(&l->addr, a) &&
		    (any_worker || l->worker == worker))
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

static int
want(struct master *m, const char *param, const struct addr *a, unsigned worker,
     struct err *err)
{
	struct listener *l = find(m, param, a, worker, false);

	if (l) {
		l->keep = true;
		return 0;
	}
	if (!have_port(m, a) && wait_free(m, a, err) < 0)
		return -1;
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	*l = (struct listener){
		.param = param,
		.addr = *a,
		.worker = worker,
		.keep = true,
		.fresh = true,
	};
	l->fd = bind_one(a, err);
	if (l->fd < 0) {
		free(l);
		return -1;
	}
	list_append(&m->listeners, &l->link);
	return 0;
}

static int
want_param(struct master *m, const char *param, unsigned workers,
	   struct buf *out)
{
	struct str rest = config_get(&m->conf, param), item;
	struct addr a;
	struct err err;
	unsigned w;

	while (str_token(&rest, ", \t", &item))
		for (w = 0; w < workers; w++)
			if (addr_parse_port(item, &a, &err) < 0 ||
			    want(m, param, &a, w, &err) < 0) {
				buf_addf(out, "%s: %s\n", param, err.text);
				return -1;
			}
	return 0;
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
			    want_param(m, v->row->name,
				       master_workers(m, &services[i]),
				       out) < 0)
				rc = -1;
		}
	}
	for (it = m->listeners.next; it != &m->listeners; it = next) {
		struct listener *l = LIST_OF(it, struct listener, link);

		next = it->next;
		/* Clients must not wait at a socket nobody will serve. */
		if (rc == 0 ? !l->keep : l->fresh) {
			list_remove(&l->link);
			close(l->fd);
			free(l);
		}
	}
	return rc;
}
