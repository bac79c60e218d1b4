/* SPDX-License-Identifier: ISC */
#ifndef MAIL_MBOX_H
#define MAIL_MBOX_H

#include "base/buf.h"

/*
 * The lines of an mbox file that say something about its messages: pure.
 */
enum { MBOX_LINE_MAX = 8192 };

/* "From ADDRESS Www Mmm dd hh:mm[:ss] [zone] yyyy [zone]", without the line
 * end.  RFC 4155: the time is UTC, if no numeric zone says otherwise.  *t:
 * seconds since 1970. */
bool mbox_from_line(struct str line, int64_t *t);

/* What Dovecot and UW-IMAP write into headers, for themselves. */
struct mbox_info {
	uint64_t flags;	      /* MAILDIR_FLAG letters of store/maildir.h */
	bool old;	      /* a client has been told of it */
	uint32_t uid;	      /* X-UID; 0: none */
	uint32_t uidvalidity; /* X-IMAPbase, in the first message; 0: none */
	uint32_t last_uid;
	bool internal;	/* X-IMAP, in the first: a message that is none */
	int64_t length; /* Content-Length; -1: none */
};
/* A header line.  True: it is theirs, not the message's; keywords are appended
 * with a space behind each.  Continuations are handed in with the name of the
 * line that they continue (`last`, kept by this function). */
enum mbox_field { MBOX_NONE, MBOX_KEYWORDS, MBOX_OTHER };
bool mbox_header_line(struct str line, enum mbox_field *last,
		      struct mbox_info *info, struct buf *keywords);

#endif
