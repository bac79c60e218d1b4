/* SPDX-License-Identifier: ISC */
#ifndef NET_CLIENTS_H
#define NET_CLIENTS_H

#include "base/map.h"
#include "net/addr.h"

/*
 * How many connections each client has to this process.  A client is an IPv4
 * address or an IPv6 /64: who has a /64 has 2^64 addresses.
 */
struct clients {
	struct map map;
};

struct client {
	unsigned n; /* connections now */
	struct str key;
	char bytes[16];
};

/* One more of this client; NULL: out of memory. */
struct client *clients_enter(struct clients *cs, const struct addr *peer);
/* One less; c may be gone afterwards. */
void clients_leave(struct clients *cs, struct client *c);
void clients_fini(struct clients *cs);

#endif
