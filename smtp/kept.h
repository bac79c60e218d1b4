/* SPDX-License-Identifier: ISC */
#ifndef SMTP_KEPT_H
#define SMTP_KEPT_H

#include "base/heap.h"
#include "base/map.h"
#include "session.h"

/*
 * Sessions that wait for the next letter to the same site, which is then sent
 * without a question to the DNS or to router.  A site is what decides who is
 * connected to and how: transport, nexthop, and the sender where his password
 * depends on him.  The last one that was put is taken first, so that those
 * that are not needed become old.
 */
enum { KEPT_MAX = 500 };

struct kept {
	struct loop *loop;
	struct map sites; /* struct kept_site */
	struct heap by_time;
	unsigned n;
	struct event *timer;
	uint64_t armed_ms; /* 0: not */
};

ERR_WARN_UNUSED int kept_init(struct kept *k, struct loop *l, struct err *err);
/* All get a QUIT. */
void kept_fini(struct kept *k);
/* The session with the server at this address becomes the cache's own until it
 * is taken; it goes when the server closes it, says anything, or after ms.
 * False: no room, it is still the caller's. */
bool kept_put(struct kept *k, struct str site, struct session *s,
	      const struct addr *at, unsigned ms);
/* The caller's from now on; NULL: there is none. */
struct session *kept_take(struct kept *k, struct str site, struct addr *at);

#endif
