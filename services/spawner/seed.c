/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "seed.h"

enum { FORK_S = 10 };

/* Between two copies of one program: its pointers are good in both. */
struct request {
	seed_child_fn *child;
	const struct child_env *env;
	struct child_spec spec;
};

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(2 * sizeof(int))];
};

/* False: spawner is gone. */
static bool
receive(int fd, struct request *r, int passed[2])
{
	union control control;
	struct iovec iov = { r, sizeof(*r) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	c = CMSG_FIRSTHDR(&msg);
	if (n != (ssize_t)sizeof(*r) || !c ||
	    c->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		return false;
	memcpy(passed, CMSG_DATA(c), 2 * sizeof(int));
	return true;
}

static void __attribute__((noreturn)) serve(int fd)
{
	struct request r;
	int passed[2], pid;

	while (receive(fd, &r, passed)) {
		/* One thread, and no handlers: fork(2) itself will do. */
		pid = (int)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL,
				   NULL, NULL, NULL);
		if (pid == 0)
			r.child(&r.spec, r.env, passed[0], passed[1]);
		if (pid < 0)
			pid = -errno;
		close(passed[0]);
		close(passed[1]);
		if (send(fd, &pid, sizeof(pid), MSG_NOSIGNAL) != sizeof(pid))
			break;
	}
	_exit(0);
}

int
seed_start(int *keep, size_t n, pid_t *child)
{
	struct timeval limit = { FORK_S, 0 };
	int pair[2], saved;
	struct err err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	log_flush(); /* or both would send what waits */
	pid = fork();
	if (pid == 0) {
		child_reset_signals();
		keep[n++] = pair[1];
		if (child_close_others(keep, n, &err) < 0)
			_exit(1);
		serve(pair[1]);
	}
	saved = errno;
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		errno = saved;
		return -1;
	}
	*child = pid;
	(void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit,
			 sizeof(limit));
	return pair[0];
}

pid_t
seed_fork(int seed, seed_child_fn *child, const struct child_spec *spec,
	  const struct child_env *env, int spawner, int birth)
{
	struct request r = { .child = child, .env = env, .spec = *spec };
	int fds[2] = { spawner, birth }, pid;
	union control control;
	struct iovec iov = { &r, sizeof(r) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(c), fds, sizeof(fds));
	do
		n = sendmsg(seed, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(r))
		return -1;
	/* SIGCHLD ends it, as the socket has a time limit: signal(7). */
	do
		n = recv(seed, &pid, sizeof(pid), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(pid)) {
		errno = ECHILD;
		return -1;
	}
	if (pid > 0)
		return pid;
	errno = -pid;
	return -1;
}
