/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_TRACE_H
#define RECEIVE_TRACE_H

#include <time.h>

#include "base/buf.h"
#include "frame/tls_client.h"
#include "net/addr.h"

/* What the Received field says (RFC 5321 4.4). */
struct trace {
	const char *helo;   /* as trace_helo() made it; "": none was given */
	const char *client; /* address of the client as text; NULL: is not
			       told */
	bool client_ip6;
	bool local; /* a program of this host, run by: */
	uint32_t uid;
	struct str by, mail_name;
	bool esmtp, utf8; /* RFC 6531: SMTPUTF8 was declared */
	bool authenticated;
	const char *user;	     /* NULL: is not told */
	bool tls;		     /* spoken at all */
	const struct tls_facts *how; /* NULL: is not told */
	bool cert_asked;
	const char *rcpt; /* the only recipient, or NULL */
	time_t when;
};

/* "Received: ...\n", folded, LF line ends; -1 if it does not fit. */
int trace_received(struct buf *out, const struct trace *t);

/* "TLSv1.3 with cipher ...", as Postfix says it, with this before the details
 * of the keys (a blank, or a fold). */
int trace_tls(struct buf *out, const struct tls_facts *f, const char *fold);

enum { HELO_MAX = 255 };

/* The client's name for itself, with '?' for what has a meaning in header
 * fields or log lines; cut at HELO_MAX. */
void trace_helo(char out[HELO_MAX + 1], struct str helo);

#endif
