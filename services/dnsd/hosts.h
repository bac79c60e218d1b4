/* SPDX-License-Identifier: ISC */
#ifndef DNSD_HOSTS_H
#define DNSD_HOSTS_H

#include "base/map.h"
#include "base/pool.h"
#include "net/addr.h"

/* The names of hosts(5). */
enum {
	HOSTS_POOL_MAX = 8 << 20,
	HOSTS_ADDRS_MAX = 32, /* of one name; more are passed over */
};

struct host_addr {
	struct host_addr *next; /* in the order of the file */
	struct addr addr;	/* port 0 */
};

struct host {
	struct str name; /* normal form */
	unsigned n;
	struct host_addr *first, *last;
};

struct hosts {
	struct pool pool;
	struct map by_name;
};

/* Lines with faults and names that are none are passed over.  -1: larger than
 * HOSTS_POOL_MAX allows; what came first is there. */
ERR_WARN_UNUSED int hosts_parse(struct hosts *h, struct str text);
void hosts_fini(struct hosts *h);
/* name is in normal form (name.h); NULL: the file does not have it. */
const struct host *hosts_find(const struct hosts *h, struct str name);

#endif
