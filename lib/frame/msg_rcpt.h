/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_RCPT_H
#define FRAME_MSG_RCPT_H

#include "net/msg.h"

/*
 * The recipient as it travels between smtpd, router, qmgr and the delivery
 * agents, and as it stands in the queue file.  Types are fixed; a retry uses
 * the stored route.
 */
enum rcpt_type {
	RCPT_LOCAL = 1, /* where: user name */
	RCPT_VIRTUAL,	/* where: path below virtual_mailbox_base; a trailing
			   "/" means Maildir */
	RCPT_REMOTE,	/* transport: "smtp", "lmtp", "relay", or one of
			   $transports; where: nexthop, "example.com",
			   "[mail.example.com]:587", "unix:/run/x" */
	RCPT_ERROR,	/* dsn and text: why it cannot be delivered */
	RCPT_DISCARD,
};

enum {
	ADDRESS_MAX = 512, /* RFC 5321: 64 + 1 + 255, SMTPUTF8 in octets */
	ORCPT_MAX = 1024,
	ENVID_MAX = 100, /* RFC 3461 4.4 */
	WHERE_MAX = 1024,
	TEXT_MAX = 512,
	TRANSPORT_MAX = 64,
	RCPTS_MAX = 10000, /* recipients in one message, after expansion */
};

enum rcpt_notify { /* RFC 3461 4.1; 0: not given */
		   NOTIFY_NEVER = 1,
		   NOTIFY_SUCCESS = 2,
		   NOTIFY_FAILURE = 4,
		   NOTIFY_DELAY = 8,
		   /* qmgr's own, for no other host: the expansion of original
		      into several is to be reported (RFC 3461 5.2.7) */
		   NOTIFY_EXPANDED = 16,
};

/* As the client gave it. */
struct msg_rcpt_in {
	struct str address; /* "local@domain", quoting undone where needless;
			       "postmaster" may lack a domain */
	struct str orcpt;   /* "rfc822;addr", decoded from xtext */
	uint8_t notify;
};

/* As router made it. */
struct msg_rcpt {
	uint8_t type;
	struct str where;
	struct str transport;
	struct str dsn; /* RCPT_ERROR: "5.1.1" */
	struct str text;
	struct str address;  /* final, in envelope form */
	struct str original; /* as the client gave it */
	struct str orcpt;
	uint8_t notify;
};

extern const struct msg_def msg_rcpt_in_def, msg_rcpt_def;

#endif
