/* SPDX-License-Identifier: ISC */
#ifndef QMGR_ADMIN_H
#define QMGR_ADMIN_H

#include "message.h"

/* One request to list or change the queue, with the rights of its row. */
void admin_order(struct qmgr *q, struct chan *c, uint32_t tag,
		 const struct msg_queue *m);

void admin_change(struct qmgr *q, struct chan *c, uint32_t tag,
		  const struct msg_queue_change *m);

/* What admin.c and listing.c share. */
void admin_reply(struct chan *c, uint32_t tag, unsigned status, uint32_t count,
		 const char *text);

/* Answer LIST or SHOW. */
void listing_new(struct qmgr *q, struct chan *c, uint32_t tag,
		 const struct msg_queue *msg);
/* Those that wait for ctl to read. */
void listings_fini(struct qmgr *q);

#endif
