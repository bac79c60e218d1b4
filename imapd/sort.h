/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SORT_H
#define IMAPD_SORT_H

#include "keys.h"
#include "parse.h"

/* SORT (RFC 5256, 5957): the order of messages, nothing of sessions. */
enum imap_sort_by {
	SORT_ARRIVAL,
	SORT_CC,
	SORT_DATE,
	SORT_FROM,
	SORT_SIZE,
	SORT_SUBJECT,
	SORT_TO,
	SORT_DISPLAYFROM,
	SORT_DISPLAYTO,
};
struct imap_sort_criterion {
	enum imap_sort_by by;
	bool reverse;
};
enum { SORT_CRITERIA_MAX = 20 };
struct imap_sort_program {
	struct imap_sort_criterion v[SORT_CRITERIA_MAX];
	size_t n;
	/* what the messages are asked for */
	bool needs_keys, needs_sent, needs_size, needs_arrival;
};
/* "(" criteria ")" */
bool imap_sort_parse(struct imap_in *in, struct imap_sort_program *out);

/*
 * The messages.  What is compared of one is a row of bytes, so made that
 * memcmp() gives the order of the whole program, and no row is the start of a
 * longer one.  Eight of them stand in the item, as a number.
 */
struct imap_sort_item {
	uint64_t part; /* at first the first eight */
	uint32_t number;
	uint32_t row; /* the others: in bytes, behind their number (2) */
};
struct imap_sorter {
	struct imap_sort_item *v;
	size_t n, size;
	struct buf bytes;
	/* while it is sorted */
	struct imap_sort_item *tmp;
	bool *tied;
	size_t at; /* up to here all is done */
};
void imap_sorter_init(struct imap_sorter *s);
void imap_sorter_fini(struct imap_sorter *s);

/* A message: numbers ascend from call to call; sent is the moment of its Date,
 * or else of its arrival. -1: no memory. */
struct imap_sort_values {
	int64_t sent, arrival;
	uint64_t size;
	const struct imap_keys *keys;
};
int imap_sorter_add(struct imap_sorter *s, const struct imap_sort_program *p,
		    uint32_t number, const struct imap_sort_values *m);
/* The same if it is known where it will stand: before those with a larger rank.
 * No two have the same, and all have one or none. */
int imap_sorter_add_rank(struct imap_sorter *s, uint32_t number, uint64_t rank);
/* All are there: a portion of the work. 1: call again, 0: v is in order
 * (messages that are equal keep theirs), -1: no memory. */
int imap_sorter_step(struct imap_sorter *s);

#endif
