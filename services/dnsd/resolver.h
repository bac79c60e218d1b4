/* SPDX-License-Identifier: ISC */
#ifndef DNSD_RESOLVER_H
#define DNSD_RESOLVER_H

#include "net/loop.h"
#include "resolv.h"

/*
 * One context of libunbound on our loop: its settings, its cache, its
 * questions.  Settings are final; for others another context is made.
 */
struct resolver_conf {
	bool forward;
	/* forward: who is asked; else: instead of the root's servers */
	const struct resolv *servers;
	size_t cache;	    /* bytes */
	struct str anchors; /* DS and DNSKEY records, a line each, ";" begins a
			       comment; nothing: DNSSEC is not checked */
};

struct resolver;

struct resolver *resolver_new(struct loop *l, const struct resolver_conf *c,
			      struct err *err);
/* Not from inside a callback, and only after every question that is open was
 * cancelled. */
void resolver_free(struct resolver *r);

/* The answer: a message of the DNS with its rcode, or why there is none. */
struct resolver_answer {
	unsigned rcode; /* not 0: packet is empty */
	struct str packet;
	bool secure;
	const char *bogus; /* not NULL: forged, or broken; why */
};
typedef void resolver_cb(void *arg, const struct resolver_answer *a);

/* A question, in the memory of who asks, until cb or resolver_cancel(). */
struct resolver_query {
	resolver_cb *cb;
	void *arg;
	int id;
};

/* name in normal form.  cb may be called from inside.  -1 with err: it is not
 * called. */
ERR_WARN_UNUSED int resolver_ask(struct resolver *r, struct resolver_query *q,
				 const char *name, uint16_t type,
				 struct err *err);
void resolver_cancel(struct resolver *r, const struct resolver_query *q);

/* The zone of the first anchor, in normal form; false: there is none. */
bool resolver_anchor_zone(struct str anchors, char *out, size_t size);

#endif
