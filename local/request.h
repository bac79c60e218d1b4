/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_REQUEST_H
#define LOCAL_REQUEST_H

#include "frame/msg_deliver.h"
#include "net/chan.h"

/*
 * A DELIVER request under way: what became of each recipient, until all is
 * known and the answer goes out.
 */
struct result {
	uint32_t slot;
	uint8_t class;
	const char *dsn;
	char *text; /* malloc'd; NULL: delivered */
};

struct request {
	struct chan *chan; /* a reference */
	uint32_t tag;
	char id[QUEUE_ID_MAX + 1];
	unsigned n, pending; /* results; those that are not known yet */
	struct result results[];
};

/* No results yet, room for those of all recipients; NULL: out of memory. */
struct request *request_new(struct chan *c, uint32_t tag,
			    const struct msg_deliver *m);
/* The next recipient: so far delivered. */
struct result *request_add(struct request *req, uint32_t slot);
/* what: "maildir", "mailbox". */
void request_fail(struct request *req, struct result *r, const char *what,
		  const struct err *err);
/* Without an answer. */
void request_free(struct request *req);
/* Send what there is, and free.  No results: nothing was begun, the process
 * leaves and the request is to be made again. */
void request_answer(struct request *req, struct str ok_text);

#endif
