/* SPDX-License-Identifier: ISC */
#ifndef SMTP_NEXTHOP_H
#define SMTP_NEXTHOP_H

#include "frame/msg_dialer.h"
#include "frame/msg_dnsd.h"
#include "net/addr.h"

/*
 * Where mail is to go, as routes, relayhost and fallback relays write it:
 *
 *	example.com		the MX records of the name (LMTP: its address)
 *	example.com:2525	the same, with another port
 *	[host.example.com]:587	that host, whatever its MX records say
 *	[192.0.2.1] [::1] [IPv6:::1]:25 192.0.2.1	an address
 *	inet:HOST...		the same as HOST...
 *	unix:PATH		a local socket (LMTP only)
 *
 * Names in UTF-8 become A-labels (RFC 5890), as the DNS has them.
 */
enum nexthop_kind {
	NEXTHOP_DOMAIN, /* look for MX records */
	NEXTHOP_HOST,	/* no MX records: addresses */
	NEXTHOP_LITERAL,
	NEXTHOP_UNIX,
};

struct nexthop {
	enum nexthop_kind kind;
	char host[DNS_NAME_MAX + 1]; /* A-labels, or the address as text */
	unsigned port;
	struct addr addr;	      /* LITERAL: with the port */
	char path[DIAL_PATH_MAX + 1]; /* UNIX */
};

/* port: where none is named.  -1 with err (PERM): it is none of these. */
ERR_WARN_UNUSED int nexthop_parse(struct str s, bool lmtp, unsigned port,
				  struct nexthop *n, struct err *err);

/* The next one of a list that is separated by commas or blanks. */
bool nexthop_next(struct str *list, struct str *item);

#endif
