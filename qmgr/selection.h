/* SPDX-License-Identifier: ISC */
#ifndef QMGR_SELECTION_H
#define QMGR_SELECTION_H

#include "message.h"

/*
 * The messages that an order or a list is about.  Their ids are collected at
 * once, then they come in batches, oldest first: what is in memory (state, age,
 * size) is looked at in the loop, what stands in the queue file (site,
 * addresses) in a thread.  Each batch passes a thread, so that mail goes on
 * between them; a message may have gone when its turn comes.
 */
enum { SELECTION_BATCH = 64 };

struct selection {
	struct qmgr *q;
	uint64_t *ids; /* candidates */
	size_t n, at;
	bool sorted;
	char missing[QUEUE_ID_MAX + 20]; /* what to say of the first id that is
					    not there, "": all are */
	/* The tests, as in msg_queue. */
	char *mem;
	uint8_t states;
	uint64_t older_us, younger_us, larger, smaller;
	struct str site, sender, rcpt;
	/* The batch. */
	uint64_t batch[SELECTION_BATCH];
	size_t nbatch;
	struct io_job job;
	void (*ready)(struct selection *s);
};

/* ready: a batch is there; with nbatch 0 it was the last.  It may end the
 * selection's owner. */
ERR_WARN_UNUSED int selection_init(struct selection *s, struct qmgr *q,
				   const struct msg_queue *m,
				   void (*ready)(struct selection *s));
void selection_fini(struct selection *s);
/* Find the next batch, then call ready. */
void selection_more(struct selection *s);

/* As the administrator sees it; 0: as good as gone. */
enum queue_state selection_state(const struct message *m);

/* --- pure ----------------------------------------------------------------- */

/* "user@domain", "@domain", "user@", "<>"; letters' case does not count. */
bool selection_address(struct str pattern, struct str address);
/* "example.com", "[relay]:587", "smtp:[relay]:587": of a route, or the domain
 * of the address. */
bool selection_site(struct str site, const struct msg_rcpt *r);
/* Does this envelope pass the tests? */
bool selection_envelope(const struct selection *s, const struct spool_text *t);

#endif
