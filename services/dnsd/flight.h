/* SPDX-License-Identifier: ISC */
#ifndef DNSD_FLIGHT_H
#define DNSD_FLIGHT_H

#include "answer.h"
#include "edition.h"

/*
 * All questions for the same records are one flight, which is asked of
 * libunbound once; each has a deadline of its own.  A flight nobody waits for
 * any more goes on for a while, so that the cache has its answer when the
 * question comes again.
 */
struct flight {
	struct list link; /* in dnsd.waiting or edition.flights */
	struct dnsd *d;
	struct edition *edition; /* NULL: waits to be asked */
	struct str key;
	uint16_t type;
	char name[DNS_NAME_MAX + 1];
	char bytes[DNS_NAME_MAX + 3]; /* of the key */
	struct list questions;
	struct resolver_query query;
	struct answer doubtful; /* while it is asked whether to believe it */
	struct event *linger;
};

/* Ask for an asker; the answer goes to its channel. */
void flight_ask(struct dnsd *d, struct chan *c, uint32_t tag, const char *name,
		uint16_t type);
/* Forget it; its questions are answered TEMP. */
void flight_free(struct flight *f);
/* Nobody joins it from now on. */
void flight_unshare(struct flight *f);
/* Ask what waits, as far as there is room. */
void flights_start(struct dnsd *d);

/* Answer one question. */
void answer_send(struct chan *c, uint32_t tag, const struct answer *a);

#endif
