/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_THREAD_H
#define IMAPD_THREAD_H

#include "base/map.h"
#include "keys.h"

/*
 * THREAD (RFC 5256 3): which message answers which, nothing of sessions.
 * Nothing recurses; all is O(n log n), also when references are hostile.
 */
enum imap_thread_how { THREAD_ORDEREDSUBJECT, THREAD_REFERENCES };
enum {
	THREAD_DUMMIES_MAX = 1000000, /* ids that no message has; others
					 are not regarded */
	THREAD_STEPS_MAX = 50000000,  /* looking for loops; then no more
					 links are made */
};

/* A message, or an id that was referred to (message -1), or somebody's idea of
 * what is above both (the same). Indices, -1: none. */
struct imap_thread_node {
	int32_t message;
	int32_t parent, child, next;
	bool parental; /* something was put below it once */
};
struct imap_thread_message {
	int64_t sent;
	uint32_t number;
	uint32_t base_at, base_n; /* base subject, in texts */
	bool is_reply;
};
struct imap_thread_id {
	uint64_t id; /* 0: free */
	int32_t node;
};
struct imap_threader {
	enum imap_thread_how how;
	struct imap_thread_message *messages;
	size_t n, size;
	struct imap_thread_node *nodes;
	size_t nnodes, nodes_size;
	struct imap_thread_id *ids; /* a hash table */
	size_t nids, ids_size;
	uint64_t secret;
	size_t dummies, steps;
	struct buf texts;
	/* of imap_threader_step() */
	unsigned phase;
	size_t at;	     /* the next thread of a phase in portions */
	struct map subjects; /* base subject: a place in leaders */
	int32_t *leaders;    /* who stands for the subject of each thread */
	/* the result: threads in order */
	int32_t *tops;
	size_t ntops;
};
void imap_threader_init(struct imap_threader *t, enum imap_thread_how how);
void imap_threader_fini(struct imap_threader *t);
/* Messages in the order of their numbers; sent as in imap_sort_values. -1: no
 * memory. */
int imap_threader_add(struct imap_threader *t, uint32_t number, int64_t sent,
		      const struct imap_keys *k);
/* All are there: a portion of the work. 1: call again, 0: done, -1: no
 * memory. */
int imap_threader_step(struct imap_threader *t);
/* Append thread i of ntops: "(1 2 (3)(4))". */
void imap_threader_put(const struct imap_threader *t, size_t i,
		       struct buf *out);

/* For thread_tree.c: a new node, -1: no memory; the base subject of a
 * message. */
int32_t imap_threader_node(struct imap_threader *t, int32_t message);
struct str imap_threader_base(const struct imap_threader *t, int32_t message);

#endif
