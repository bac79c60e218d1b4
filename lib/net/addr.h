/* SPDX-License-Identifier: ISC */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

/* An IPv4 or IPv6 address with a port. */
struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
};

enum { ADDR_TEXT_MAX = 64 };

/* "192.0.2.1", "::1", "[::1]": no port, no names. */
ERR_WARN_UNUSED int addr_parse(struct str s, struct addr *a, struct err *err);
/* "192.0.2.1:25", "[::1]:25"; port 0..65535. */
ERR_WARN_UNUSED int addr_parse_port(struct str s, struct addr *a,
				    struct err *err);
/* "192.0.2.1" / "2001:db8::1", an IPv4-mapped address as IPv4. */
const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX]);
/* "192.0.2.1:25" / "[::1]:25". */
const char *addr_text_port(const struct addr *a, char text[ADDR_TEXT_MAX]);
socklen_t addr_len(const struct addr *a);
unsigned addr_port(const struct addr *a);
void addr_set_port(struct addr *a, unsigned port);
/* The same address, whatever the ports. */
bool addr_same(const struct addr *a, const struct addr *b);
bool addr_is_loopback(const struct addr *a);
/* IPv4-mapped IPv6 becomes IPv4. */
void addr_unmap(struct addr *a);
/* Peer and own address of a connected socket. */
ERR_WARN_UNUSED int addr_of_peer(int fd, struct addr *a, struct err *err);
ERR_WARN_UNUSED int addr_of_self(int fd, struct addr *a, struct err *err);

/* A network "192.0.2.0/24", "[2001:db8::]/32", "2001:db8::/32", or a single
 * address. Host bits must be zero. */
struct addr_net {
	struct addr base;
	uint8_t bits;
};
ERR_WARN_UNUSED int addr_net_parse(struct str s, struct addr_net *net,
				   struct err *err);
bool addr_net_has(const struct addr_net *net, const struct addr *a);

#endif
