/* SPDX-License-Identifier: ISC */
#ifndef FRAME_USER_SESSION_H
#define FRAME_USER_SESSION_H

#include "frame/msg_spawner.h"
#include "net/addr.h"
#include "net/chan.h"

/*
 * What imapd and pop3d know of each client beside its protocol: who it is, for
 * the log, for posthouse who and kick, and for the limits.
 */
struct user_session {
	char id[SESSION_ID_MAX + 1]; /* as in login's line of the log */
	char client[ADDR_TEXT_MAX];  /* "192.0.2.1:4711" */
	struct addr addr;
	bool secured;	/* TLS */
	uint64_t since; /* seconds since 1970 */
};

void user_session_init(struct user_session *us, const struct msg_client *m);

/* Do these two count against the limit of one address?  What comes over
 * loopback is webmail or a proxy, and many people's: it never does. */
bool user_session_same_client(const struct user_session *a,
			      const struct user_session *b);

/* The row of an answer to WHO. */
void user_session_row(const struct user_session *us, struct chan *c,
		      uint32_t tag, struct str state);
/* Is this session to be ended? */
bool user_session_is_meant(const struct user_session *us,
			   const struct msg_kick *m);

#endif
