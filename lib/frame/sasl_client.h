/* SPDX-License-Identifier: ISC */
#ifndef FRAME_SASL_CLIENT_H
#define FRAME_SASL_CLIENT_H

#include "frame/asker.h"
#include "frame/msg_sasl.h"
#include "frame/tls_client.h"

/*
 * The asking side of a SASL exchange with authd, as SMTP (RFC 4954), IMAP (RFC
 * 9051 6.2.2, RFC 4959) and POP3 (RFC 5034) have it: base64 in both directions,
 * "=" for an empty initial response, "*" to give up.
 */
enum { SASL_LINE_MAX = (SASL_DATA_MAX + 2) / 3 * 4 }; /* of base64 */

/* Zeroed before the first use; lives in its owner's session. */
struct sasl_exchange {
	/* private */
	struct asker *authd;
	uint32_t tag, number; /* of the request in work, 0: none */
	const struct sasl_events *events;
	void *arg;
	bool open;
};

/* After sasl_begin() or sasl_line() said SASL_ASKED exactly one of them comes,
 * later; slices live during the call, which may free the exchange.  ok and fail
 * end it. */
struct sasl_events {
	/* Send this challenge (base64, may be empty) and read a line. */
	void (*more)(void *arg, struct str challenge);
	void (*ok)(void *arg, struct str user, struct str ticket);
	/* Also what is not known for lack of an answer: with temp. */
	void (*fail)(void *arg, const struct msg_auth_fail *why);
};

enum sasl_input {
	SASL_ASKED,	/* an event will come */
	SASL_CANCELLED, /* by the client; no event */
	SASL_BAD,	/* not base64, or too long; the exchange is over */
	SASL_DOWN,	/* authd cannot be asked; the exchange is over */
};

/* Who asks for whom. */
struct sasl_context {
	uint8_t service;
	const char *client; /* address as text; NULL or "": not known */
	bool secured;
	const struct tls_facts *tls; /* NULL: none */
};

/* Is this mechanism among those announced (blank-separated)?  Nobody may begin
 * one that is not. */
bool sasl_is_offered(struct str announced, struct str mech);
/*
 * The mechanisms to announce, in the order of auth_mechanisms (separated by
 * blanks or commas): without secured only those that do not send the password
 * (SCRAM), and the -PLUS forms only under TLS.  Each is appended in upper case
 * with the prefix ("AUTH="), a blank before it unless out is empty.  -1: out is
 * full.
 */
ERR_WARN_UNUSED int sasl_announce(struct buf *out, struct str auth_mechanisms,
				  bool secured, bool tls, const char *prefix);

/* x must not be open.  initial: base64 as the client sent it, "=" for an empty
 * one, or STR_NULL (p = NULL) for none.  The caller wipes it. */
enum sasl_input sasl_begin(struct sasl_exchange *x, struct asker *authd,
			   const struct sasl_events *events, void *arg,
			   const struct sasl_context *c, struct str mech,
			   struct str initial);
/* A line of the client, without CR LF, after `more`.  The caller wipes it. */
enum sasl_input sasl_line(struct sasl_exchange *x, struct str line);
/* Forget it: no event any more.  Safe on one that is not open. */
void sasl_abandon(struct sasl_exchange *x);

#endif
