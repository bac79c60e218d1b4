/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_ORDER_H
#define IMAPD_ORDER_H

#include "session.h"
#include "sort.h"

/*
 * The order that a SORT of all messages of a mailbox has found, for the next
 * SORT of any of them: webmail sorts at each look at a folder.  What is sorted
 * by never changes, so an order holds until a message comes that is not in it,
 * and also for those that are left when others go.
 *
 * A user's process keeps one, eight bytes a message, for a minute at most after
 * it was of use (imap_order_age()).
 */
struct imap_order;

/* The order, if it has all messages that s sees.  It is the caller's then,
 * until imap_order_give(); NULL: none is there, or another one has it. */
struct imap_order *imap_order_take(struct imap_session *s,
				   const struct imap_sort_program *p);
/* For the next one; o may be NULL. */
void imap_order_give(struct imap_user *u, struct imap_order *o);
/* Where the message stands: smaller for those before it.  at: 0 at first; then
 * UIDs ascend. */
uint64_t imap_order_rank(const struct imap_order *o, uint32_t uid, size_t *at);
/* Make one of what was sorted, if that was all that s sees; numbers are UIDs if
 * s->uid says so.  NULL: not all, or no memory. */
struct imap_order *imap_order_new(struct imap_session *s,
				  const struct imap_sort_program *p,
				  const struct imap_sorter *sorted);
/* Called every STORE_POLL_MS or oftener: what was not taken since goes. */
void imap_order_age(struct imap_user *u);
void imap_order_drop(struct imap_user *u);

#endif
