/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "master.h"

enum { FIRST_FD = 3 };

/* Where a listening stream socket listens, in words; NULL: it is none. */
static char *
place_of(int fd)
{
	union {
		struct addr addr;
		struct sockaddr_un sun;
	} u = { 0 };
	/* The kernel need not terminate a path. */
	socklen_t len = sizeof(u.sun) - 1, n = sizeof(int);
	char text[ADDR_TEXT_MAX];
	int listens = 0, type = 0, on = 1;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || !listens ||
	    type != SOCK_STREAM || getsockname(fd, &u.addr.sa, &len) < 0)
		return NULL;
	switch (u.addr.sa.sa_family) {
	case AF_UNIX:
		return strdup(u.sun.sun_path);
	case AF_INET:
	case AF_INET6:
		/* Accepted sockets inherit it. */
		if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
			return NULL;
		return strdup(addr_text_port(&u.addr, text));
	default:
		return NULL;
	}
}

static uint64_t
number_from_env(const char *name)
{
	const char *text = getenv(name);
	uint64_t n = 0;

	if (text && str_u64(str_of(text), INT32_MAX, &n) < 0)
		n = 0;
	unsetenv(name);
	return n;
}

void
given_read(struct given *g)
{
	bool ours = number_from_env("LISTEN_PID") == (uint64_t)getpid();
	uint64_t n = number_from_env("LISTEN_FDS"), i;

	unsetenv("LISTEN_FDNAMES");
	if (!ours)
		return;
	for (i = 0; i < n; i++) {
		int fd = FIRST_FD + (int)i;
		char *at = NULL;

		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return; /* it says more than there are */
		if (g->n < GIVEN_MAX)
			at = place_of(fd);
		if (!at) {
			log_error("descriptor %d from systemd is no listening "
				  "stream socket",
				  fd);
			close(fd);
			continue;
		}
		g->fd[g->n] = fd;
		g->at[g->n++] = at;
	}
}

int
given_take(struct given *g, const char *at)
{
	unsigned i;

	for (i = 0; i < g->n; i++) {
		if (strcmp(g->at[i], at) != 0)
			continue;
		g->used[i] = true;
		return fcntl(g->fd[i], F_DUPFD_CLOEXEC, FIRST_FD);
	}
	return -1;
}

void
given_complain(const struct given *g)
{
	unsigned i;

	for (i = 0; i < g->n; i++)
		if (!g->used[i])
			log_error("%s: a socket from systemd that the "
				  "configuration does not name is not served",
				  g->at[i]);
}
