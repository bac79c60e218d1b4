/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "net/addr.h"

static int
bad_addr(struct str s, struct err *err, const char *what)
{
	return err_set(err, ERR_PERM, EINVAL, "%.*s: %s", STR_FMT(s), what);
}

int
addr_parse(struct str s, struct addr *a, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	struct str in = s;

	*a = (struct addr){ .in6 = { 0 } };
	if (in.n > 2 && in.p[0] == '[' && in.p[in.n - 1] == ']')
		in = str_mem(in.p + 1, in.n - 2);
	if (!str_copy(text, sizeof(text), in))
		return bad_addr(s, err, "not an IP address");
	if (inet_pton(AF_INET, text, &a->in.sin_addr) == 1 && in.n == s.n) {
		a->in.sin_family = AF_INET;
		return 0;
	}
	if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		return 0;
	}
	return bad_addr(s, err, "not an IP address");
}

int
addr_parse_port(struct str s, struct addr *a, struct err *err)
{
	ptrdiff_t colon = str_rfind(s, ':');
	struct str host;
	uint64_t port;

	if (colon < 0)
		return bad_addr(s, err, "no port, want ADDRESS:PORT");
	host = str_head(s, (size_t)colon);
	if (str_find(host, ':') >= 0 && host.p[0] != '[')
		return bad_addr(s, err, "want [IPV6]:PORT");
	if (str_u64(str_from(s, (size_t)colon + 1), 65535, &port) < 0)
		return bad_addr(s, err, "bad port number");
	if (addr_parse(host, a, err) < 0)
		return -1;
	if (a->sa.sa_family == AF_INET)
		a->in.sin_port = htons((uint16_t)port);
	else
		a->in6.sin6_port = htons((uint16_t)port);
	return 0;
}

void
addr_unmap(struct addr *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	if (a->sa.sa_family != AF_INET6 ||
	    !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	memcpy(&in.sin_addr, &a->in6.sin6_addr.s6_addr[12], 4);
	in.sin_port = a->in6.sin6_port;
	*a = (struct addr){ .in6 = { 0 } };
	a->in = in;
}

const char *
addr_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	struct addr b = *a;
	const void *p;

	addr_unmap(&b);
	p = b.sa.sa_family == AF_INET ? (const void *)&b.in.sin_addr
				      : (const void *)&b.in6.sin6_addr;
	if (!inet_ntop(b.sa.sa_family, p, text, ADDR_TEXT_MAX))
		snprintf(text, ADDR_TEXT_MAX, "unknown");
	return text;
}

const char *
addr_text_port(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	char host[ADDR_TEXT_MAX];

	addr_text(a, host);
	snprintf(text, ADDR_TEXT_MAX,
		 strchr(host, ':') ? "[%.45s]:%u" : "%.45s:%u", host,
		 addr_port(a));
	return text;
}

socklen_t
addr_len(const struct addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

unsigned
addr_port(const struct addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET ? a->in.sin_port
						: a->in6.sin6_port);
}

void
addr_set_port(struct addr *a, unsigned port)
{
	if (a->sa.sa_family == AF_INET)
		a->in.sin_port = htons((uint16_t)port);
	else
		a->in6.sin6_port = htons((uint16_t)port);
}

bool
addr_same(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	return a->sa.sa_family == AF_INET
		       ? a->in.sin_addr.s_addr == b->in.sin_addr.s_addr
		       : IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr,
					    &b->in6.sin6_addr);
}

bool
addr_is_loopback(const struct addr *a)
{
	struct addr b = *a;

	addr_unmap(&b);
	if (b.sa.sa_family == AF_INET)
		return ntohl(b.in.sin_addr.s_addr) >> 24 == 127;
	return b.sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&b.in6.sin6_addr);
}

static int
of_socket(int fd, struct addr *a, struct err *err,
	  int (*get)(int, struct sockaddr *, socklen_t *))
{
	socklen_t len = sizeof(*a);

	*a = (struct addr){ .in6 = { 0 } };
	if (get(fd, &a->sa, &len) < 0)
		return err_sys(err, errno, "address of a socket");
	if (a->sa.sa_family != AF_INET && a->sa.sa_family != AF_INET6)
		return err_set(err, ERR_PERM, EAFNOSUPPORT,
			       "socket of family %d", a->sa.sa_family);
	addr_unmap(a);
	return 0;
}

int
addr_of_peer(int fd, struct addr *a, struct err *err)
{
	return of_socket(fd, a, err, getpeername);
}

int
addr_of_self(int fd, struct addr *a, struct err *err)
{
	return of_socket(fd, a, err, getsockname);
}

static const uint8_t *
addr_bytes(const struct addr *a)
{
	return a->sa.sa_family == AF_INET ? (const uint8_t *)&a->in.sin_addr
					  : (const uint8_t *)&a->in6.sin6_addr;
}

static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

int
addr_net_parse(struct str s, struct addr_net *net, struct err *err)
{
	struct str host = s, bits = STR_NULL;
	ptrdiff_t slash = str_rfind(s, '/');
	unsigned max, i;
	uint64_t v;

	if (slash >= 0) {
		host = str_head(s, (size_t)slash);
		bits = str_from(s, (size_t)slash + 1);
	}
	if (addr_parse(host, &net->base, err) < 0)
		return -1;
	max = net->base.sa.sa_family == AF_INET ? 32 : 128;
	v = max;
	if (slash >= 0 && str_u64(bits, max, &v) < 0)
		return bad_addr(s, err, "bad prefix length");
	if (max == 128 && v >= 96 &&
	    IN6_IS_ADDR_V4MAPPED(&net->base.in6.sin6_addr)) {
		/* "[::ffff:127.0.0.0]/104": clients are compared as IPv4. */
		addr_unmap(&net->base);
		max = 32;
		v -= 96;
	}
	net->bits = (uint8_t)v;
	for (i = net->bits; i < max; i++)
		if (addr_bytes(&net->base)[i / 8] & 0x80 >> i % 8)
			return bad_addr(s, err,
					"host bits beyond the prefix are set");
	return 0;
}

bool
addr_net_has(const struct addr_net *net, const struct addr *a)
{
	struct addr b = *a;

	addr_unmap(&b);
	return b.sa.sa_family == net->base.sa.sa_family &&
	       same_bits(addr_bytes(&net->base), addr_bytes(&b), net->bits);
}
