/* SPDX-License-Identifier: ISC */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "mail/bounce_template.h"

/*
 * Delivery status notifications as a pure function: multipart/report (RFC
 * 6522) of a text for people, message/delivery-status (RFC 3464) and the
 * original message or its header; with the forms of RFC 6533 where the
 * original was an SMTPUTF8 message.
 *
 * No byte of a peer is trusted: values are single lines, escaped and folded,
 * the boundary stands nowhere in what is enclosed, and nothing in the result
 * is a CR or NUL.
 */
enum dsn_action {
	DSN_FAILED,
	DSN_DELAYED,
	DSN_DELIVERED,
	DSN_RELAYED,
	DSN_EXPANDED,
};

struct dsn_rcpt {
	enum dsn_action action;
	struct str address;  /* final */
	struct str original; /* as the client gave it; "": the same */
	struct str orcpt;    /* "rfc822;a@b.test", decoded; "": none */
	struct str status;   /* "5.1.1" */
	struct str text;     /* for people */
	struct str mta;	     /* the other host's name; "": none answered */
	struct str reply;    /* its words; "": text is ours */
	uint64_t last_us;    /* of the last attempt; 0: none */
	uint64_t until_us;   /* will be tried until; 0: will not */
};

struct dsn {
	const struct bounce_template *template;
	const struct bounce_value *values; /* of the template's text */
	size_t nvalues;
	bool postmaster; /* a copy for the postmaster, by its own subject */
	struct str hostname, mail_name, origin;
	struct str id; /* queue id of the report */
	struct str to; /* who gets it */
	uint64_t now_us;
	uint64_t seed; /* random, of the boundary */
	/* The message it is about. */
	struct str about; /* its queue id */
	struct str sender, envid;
	uint64_t arrival_us;
	bool utf8;		 /* it was an SMTPUTF8 message */
	bool full;		 /* return all of it, not only its header */
	size_t size;		 /* of a header that is returned, at most */
	struct str header, body; /* body begins with the empty line */
	const struct dsn_rcpt *rcpts;
	size_t nrcpts;
};

struct dsn_built {
	size_t header_len; /* of the report's own header block in out */
	bool eight;	   /* BODY=8BITMIME is needed */
	bool utf8;	   /* SMTPUTF8 is needed */
};

enum { DSN_MAX = 64 * 1024 * 1024 };

/* Append the report with LF line ends: its header block, then the body with
 * the empty line in front.  -1 (TEMP): no room in out. */
ERR_WARN_UNUSED int dsn_build(struct buf *out, const struct dsn *d,
			      struct dsn_built *built, struct err *err);

#endif
