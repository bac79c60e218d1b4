/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_TRACE_H
#define RECEIVE_TRACE_H

#include <time.h>

#include "base/buf.h"
#include "net/addr.h"

/* What the Received field says (RFC 5321 4.4). */
struct trace {
	const char *helo;   /* as trace_helo() made it; "": none was given */
	const char *client; /* address of the client as text */
	bool client_ip6;
	struct str by, mail_name;
	bool esmtp;
	const char *rcpt; /* the only recipient, or NULL */
	time_t when;
};

/* "Received: ...\n", folded, LF line ends; -1 if it does not fit. */
int trace_received(struct buf *out, const struct trace *t);

enum { HELO_MAX = 255 };

/* The client's name for itself, with '?' for what has a meaning in header
 * fields or log lines; cut at HELO_MAX. */
void trace_helo(char out[HELO_MAX + 1], struct str helo);

#endif
