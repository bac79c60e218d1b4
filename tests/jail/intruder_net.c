/* SPDX-License-Identifier: ISC */
/* What an intruder tries with sockets. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "intruder.h"

static bool
make_socket(const struct scene *s)
{
	(void)s;
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool
make_socket_of(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	return fd >= 0 && close(fd) == 0;
}

static bool
make_local_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_UNIX, SOCK_STREAM);
}

static bool
make_local_datagram_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_UNIX, SOCK_DGRAM);
}

static bool
make_udp_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_INET, SOCK_DGRAM) &&
	       make_socket_of(AF_INET6, SOCK_DGRAM);
}

static bool
make_raw_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_INET, SOCK_RAW);
}

static bool
make_kernel_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_NETLINK, SOCK_DGRAM);
}

/* Landlock's ports are those of TCP alone. */
static bool
make_multipath_socket(const struct scene *s)
{
	(void)s;
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP) >= 0;
}

/* It connects, and Landlock does not see it. */
static bool
send_to_open(const struct scene *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(1),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)s;
	return sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
		      (struct sockaddr *)&in, sizeof(in)) >= 0;
}

/* A socket that listens is taken back, and connects as one sends. */
static bool
send_from_listener(const struct scene *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(1),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd, listens = 0;
	socklen_t n = sizeof(listens);

	(void)s;
	for (fd = 3; fd < 100; fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) ==
			    0 &&
		    listens && shutdown(fd, SHUT_RD) == 0)
			break;
	return sendto(fd, "x", 1, MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL,
		      (struct sockaddr *)&in, sizeof(in)) >= 0;
}

static bool
make_packet_socket(const struct scene *s)
{
	(void)s;
	return make_socket_of(AF_PACKET, SOCK_STREAM);
}

static bool
connect_or_bind(int (*call)(int, const struct sockaddr *, socklen_t),
		uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool may;

	if (fd < 0)
		return false;
	/* That nobody answers there is not the jail's doing. */
	may = call(fd, (struct sockaddr *)&in, sizeof(in)) == 0 ||
	      errno == EINPROGRESS || errno == ECONNREFUSED;
	close(fd);
	return may;
}

static bool
connect_to_other_port(const struct scene *s)
{
	(void)s;
	return connect_or_bind(connect, 1);
}

static bool
bind_port(const struct scene *s)
{
	(void)s;
	return connect_or_bind(bind, 19999);
}

static bool
connect_to_own_port(const struct scene *s)
{
	return connect_or_bind(connect, s->svc->calls & CALLS_UDP ? 53 : 25);
}

static bool
bind_any_port(const struct scene *s)
{
	(void)s;
	return connect_or_bind(bind, 0);
}

static bool
listen_for_others(const struct scene *s)
{
	(void)s;
	return listen(2, 1) == 0;
}

const struct attempt attempts_net[] = {
	{ "make_socket_in_vain", HELD, CALLS_LIBC, 0, make_socket },
	/* Landlock's from ABI 4 on. */
	{ "connect_to_other_port", HELD, CALLS_CONNECT, 0,
	  connect_to_other_port },
	{ "bind_port", HELD, CALLS_CONNECT, 0, bind_port },
	{ "own_socket", WORKS, CALLS_CONNECT, 0, make_socket },
	{ "own_udp_socket", WORKS, CALLS_UDP, 0, make_udp_socket },
	{ "own_local_socket", WORKS, CALLS_DIAL, 0, make_local_socket },
	{ "connect_to_own_port", WORKS, CALLS_CONNECT, 0, connect_to_own_port },
	{ "bind_any_port", WORKS, CALLS_CONNECT, 0, bind_any_port },
	{ "make_socket", DEATH, 0, CALLS_LIBC | CALLS_CONNECT, make_socket },
	{ "make_local_socket", DEATH, CALLS_CONNECT, 0, make_local_socket },
	{ "make_local_datagram_socket", DEATH, CALLS_DIAL, 0,
	  make_local_datagram_socket },
	{ "make_udp_socket", DEATH, CALLS_CONNECT | CALLS_DIAL, CALLS_UDP,
	  make_udp_socket },
	{ "make_raw_socket", DEATH, CALLS_CONNECT | CALLS_DIAL, 0,
	  make_raw_socket },
	{ "make_multipath_socket", DEATH, CALLS_CONNECT | CALLS_DIAL, 0,
	  make_multipath_socket },
	{ "send_to_open", DEATH, CALLS_CONNECT, CALLS_UDP, send_to_open },
	{ "send_from_listener", DEATH, 0, CALLS_UDP, send_from_listener },
	{ "make_kernel_socket", DEATH, CALLS_CONNECT | CALLS_DIAL, 0,
	  make_kernel_socket },
	{ "make_packet_socket", DEATH, CALLS_CONNECT | CALLS_DIAL, 0,
	  make_packet_socket },
	{ "listen_for_others", DEATH, 0, 0, listen_for_others },
	{ 0 },
};
