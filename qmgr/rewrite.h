/* SPDX-License-Identifier: ISC */
#ifndef QMGR_REWRITE_H
#define QMGR_REWRITE_H

#include "message.h"

/*
 * Another envelope for a message that waits or is held: requeue (router is
 * asked again who those to do are) or a change by the administrator.
 *
 *	READING ─► ASKING ─► WRITING ─► as before, or due now
 *	   └───────────────────┘
 *
 * The message is busy meanwhile.  What is on disk changes at once, by one
 * rename (spool_rewrite()): whatever goes wrong before leaves it as it was.
 * Recipients keep their numbers, so that deliveries in doubt still find
 * themselves; one that goes is kept as done and discarded.
 *
 *	a recipient	requeue				change
 *	done		stays; is not sent again	stays
 *	to do		as router says of its original	goes if it is in drop;
 *			address: stays with a new	else stays, perhaps
 *			route, or goes			with a new route
 *	new		what else router says		those of add
 */
typedef void rewrite_cb(void *arg, int rc, const struct err *err);

/* change NULL: requeue.  done is called later, once; -1: it will not be. */
ERR_WARN_UNUSED int rewrite_start(struct message *m,
				  const struct msg_queue_change *change,
				  rewrite_cb *done, void *arg, struct err *err);
/* Those that wait for router have failed. */
void rewrites_fini(struct qmgr *q);

#endif
