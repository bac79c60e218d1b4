/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_VIEW_H
#define IMAPD_VIEW_H

#include "store/store.h"

struct imap_session;

/*
 * A session's view of its mailbox: sequence numbers, and what the client was
 * told of each message.  It follows the mailbox only in imap_view_sync(),
 * which says each difference as it takes it over; so a number never means
 * another message than the client thinks (RFC 3501 2.3.1.2, RFC 2180).
 */
struct imap_view_msg {
	uint32_t uid;
	uint8_t flags; /* IMAP_*, as told */
	bool recent;
};

struct imap_view {
	struct mailbox *mb;
	struct mailbox_watch watch;
	bool readonly;
	struct imap_view_msg *v; /* [0] is message 1 */
	size_t n, size;
	size_t recent;
	uint64_t mod; /* mailbox_mod() up to which all was told */
	/* a sync that goes on when output has flown */
	int phase;
	size_t at, keep;
	uint64_t target;
	bool grown;
};

/* 0, or -1 with err.  The view is complete; nothing is said. */
int imap_view_open(struct imap_session *s, struct mailbox *mb, bool readonly,
		   struct err *err);
void imap_view_close(struct imap_session *s);

/* Say what is new and take it over; true: all said, false: call again when
 * output has flown. */
bool imap_view_sync(struct imap_session *s, bool expunge_too);

/* The message behind a number of the view (0-based); NULL: gone. */
struct message *imap_view_message(const struct imap_view *v, size_t i);
/* Index of the first entry with at least this UID. */
size_t imap_view_lower(const struct imap_view *v, uint32_t uid);

#endif
