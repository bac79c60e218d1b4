/* SPDX-License-Identifier: ISC */
#ifndef DNSD_EDITION_H
#define DNSD_EDITION_H

#include "dnsd.h"

/*
 * An edition is a context of libunbound made from one state of the settings.
 * With other settings there is a new one, which questions go to from then on;
 * the old one lives until those it has are answered.
 *
 * Name servers that are asked by forwarding may strip what DNSSEC needs, and
 * then everything looks forged.  So an edition that forwards asks first for the
 * SOA of its anchor's zone: if even that looks forged, an edition without
 * anchors takes its place; it is tried anew after an hour.
 */
struct edition {
	struct list link; /* in dnsd.old */
	struct dnsd *d;
	struct resolver *resolver;
	struct list flights;
	unsigned questions; /* on its flights */
	uint64_t born_ms;
	bool forwards;
	bool validates; /* has anchors */
	bool probing;	/* nothing else is asked meanwhile */
	bool unproved;	/* the probe was not answered */
	struct resolver_query probe;
	struct event *timer;
};

/* Replace d->now by an edition of the present settings; if that cannot be made
 * (logged), it stays. */
void edition_renew(struct dnsd *d);
/* Forget it and its flights.  Not from inside a callback of libunbound. */
void edition_free(struct edition *e);
/* An answer was forged or broken: perhaps it is the name servers after all. */
void edition_bogus(struct edition *e);

#endif
