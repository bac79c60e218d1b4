/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_TESTBED_H
#define IMAPD_TESTBED_H

#include "flate.h"
#include "session.h"

/*
 * One user's imapd over a store in memory (fsx_test), for tests: INBOX has
 * three messages, there are "A" and "A.B"; one client, or two.
 */
struct testbed {
	struct imap_user u;
	int client[2];	   /* our ends of the connections, -1: none */
	struct buf got[2]; /* what the server said */
	bool packed[2];	   /* COMPRESS has been done; both ways go through */
	struct flate flate[2];
	bool plain; /* ... but what we send does not: no good client */
	int root;
	unsigned arrived;
};

/* flags: the messages have some, two are \Deleted. */
void testbed_init(struct testbed *b, bool flags);
void testbed_fini(struct testbed *b);
/* Client 0 or 1 has logged in. */
void testbed_connect(struct testbed *b, int i);
/* Until nothing more happens. */
void testbed_settle(struct testbed *b);
/* Send and settle. */
void testbed_say(struct testbed *b, int i, struct str s);
/* A message is put into INBOX by somebody else, and what the timer does
 * without inotify (this disk has none). */
void testbed_arrive(struct testbed *b);

#endif
