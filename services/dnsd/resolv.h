/* SPDX-License-Identifier: ISC */
#ifndef DNSD_RESOLV_H
#define DNSD_RESOLV_H

#include "net/addr.h"

/* Name servers to ask; pure functions. */
enum { RESOLV_SERVERS_MAX = 8, RESOLV_PORT = 53 };

struct resolv {
	struct addr v[RESOLV_SERVERS_MAX];
	unsigned n;
};

/*
 * The text of resolv.conf(5): its first RESOLV_SERVERS_MAX lines "nameserver
 * ADDRESS".  All other lines (no name is ever completed, so "search" means
 * nothing) and what is no address are passed over.  Beyond the manual, a port
 * may follow: "ADDRESS:PORT", "[ADDRESS]:PORT".
 */
void resolv_parse(struct str text, struct resolv *r);

/* The value of dns_servers.  -1 with err (PERM). */
ERR_WARN_UNUSED int resolv_parse_list(struct str list, struct resolv *r,
				      struct err *err);

bool resolv_same(const struct resolv *a, const struct resolv *b);

#endif
