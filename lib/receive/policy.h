/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_POLICY_H
#define RECEIVE_POLICY_H

#include "frame/msg_router.h"
#include "mail/header.h"
#include "mail/path.h"
#include "mail/smtpdata.h"
#include "receive/conf.h"

/* Decisions, as pure functions of values. */

enum policy_rcpt {
	POLICY_ACCEPT,
	POLICY_REJECT,	     /* with the words of router */
	POLICY_RELAY_DENIED, /* 554 5.7.1 */
	POLICY_TRY_AGAIN,    /* 451 4.3.0: nobody could say */
};

/* Before router is asked: must this address be refused for its form alone? */
bool policy_routing_denied(const struct receive_conf *c, bool trusted,
			   const struct path *rcpt);
/* What router said (NULL: it did not answer) for a client that is trusted
 * (mynetworks) or not. */
enum policy_rcpt policy_rcpt(bool trusted, const struct msg_routed *m);

/* May a message of this declared size come (RFC 1870 6.1)? */
bool policy_size_ok(const struct receive_conf *c, uint64_t size);

/* Why a message is refused at its end. */
struct policy_fault {
	unsigned code; /* 0: it is not */
	const char *dsn, *text;
};

/* What the DATA scanner saw (enum smtpdata_fault). */
struct policy_fault policy_data_fault(unsigned faults);
/* What the header block showed. */
struct policy_fault policy_header_fault(const struct receive_conf *c,
					enum header_result r,
					const struct header_scan *h);

#endif
