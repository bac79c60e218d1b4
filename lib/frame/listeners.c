/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/listeners.h"

enum { ACCEPT_BATCH = 64, ACCEPT_PAUSE_MS = 500 };

struct listener {
	struct listeners *set;
	struct listener *next;
	struct event *ev, *again;
	char name[32];
	int fd;
	int batch; /* connections to take at once; grows under load */
};

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
	struct listeners *set = l->set;
	struct addr peer;
	socklen_t len;
	int fd, i;

	(void)what;
	/* A client may be the last one: then l is gone. */
	for (i = 0; !set->closed && i < l->batch; i++) {
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
		set->on_connection(set->d, l->name, fd, &peer);
	}
	/* All that were asked for: perhaps more wait.  The next look costs a
	 * call only where the queue is likely not empty. */
	if (!set->closed && l->batch < ACCEPT_BATCH)
		l->batch *= 2;
}

static void
listener_free(struct listener *l)
{
	if (l->ev)
		event_free(l->ev);
	if (l->again)
		event_free(l->again);
	close(l->fd);
	free(l);
}

/* Takes fd. */
static int
open_one(struct listeners *ls, struct str name, int fd, struct err *err)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l) {
		close(fd);
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	*l = (struct listener){ .set = ls, .fd = fd, .batch = 1 };
	l->ev = event_new(ls->d->loop.base, fd, EV_READ | EV_PERSIST, on_accept,
			  l);
	l->again = evtimer_new(ls->d->loop.base, on_accept_again, l);
	if (!str_copy(l->name, sizeof(l->name), name) || !l->ev || !l->again ||
	    evutil_make_socket_nonblocking(fd) < 0 ||
	    event_add(l->ev, NULL) < 0) {
		listener_free(l);
		return err_set(err, ERR_TEMP, ENOMEM, "%.*s", STR_FMT(name));
	}
	l->next = ls->first;
	ls->first = l;
	return 0;
}

int
listeners_open(struct listeners *ls, struct daemon *d, struct err *err)
{
	struct str rest = str_of(d->svc->listens), word;
	char name[32];
	size_t i;
	int fd;

	ls->d = d;
	while (str_token(&rest, " ", &word)) {
		BUG_ON(!str_copy(name, sizeof(name), word));
		for (i = 0; (fd = daemon_fd(d, name, i)) >= 0; i++)
			if (open_one(ls, word, fd, err) < 0)
				return -1;
	}
	return 0;
}

void
listeners_lend(struct listeners *ls, struct str name, int fd)
{
	struct str rest = str_of(ls->d->svc->listens), word;
	struct err err;

	while (!ls->closed && str_token(&rest, " ", &word)) {
		if (!str_eq(word, name))
			continue;
		if (open_one(ls, name, fd, &err) < 0)
			log_warn("%s", err.text);
		return;
	}
	close(fd);
}

void
listeners_close(struct listeners *ls)
{
	struct listener *l;

	ls->closed = true;
	while ((l = ls->first)) {
		ls->first = l->next;
		listener_free(l);
	}
}

int
listeners_peer_uid(int fd, uint32_t *uid, struct err *err)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
	    len != sizeof(cred))
		return err_sys(err, errno, "SO_PEERCRED");
	*uid = cred.uid;
	return 0;
}
