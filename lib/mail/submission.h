/* SPDX-License-Identifier: ISC */
#ifndef MAIL_SUBMISSION_H
#define MAIL_SUBMISSION_H

#include "base/buf.h"
#include "base/err.h"
#include "mail/path.h"

/*
 * What is put right in the header of a message that a user or a program
 * submits (RFC 6409 8), and nowhere else.  Header blocks have LF line ends and
 * no empty line, as everywhere inside.
 */
struct submission {
	struct str origin;   /* goes behind an address without a domain */
	struct str sender;   /* the envelope's, "" for <>, for a missing From */
	struct str name;     /* the sender's own, UTF-8, may be empty */
	struct str date;     /* of date_format() */
	struct str id_left;  /* of a Message-ID: never the same twice */
	struct str id_right; /* myhostname */
};

/*
 * Append the header with these changes: Bcc, Resent-Bcc and Return-Path are
 * left out; "@origin" goes behind each address without a domain in the fields
 * that hold addresses, where that is certain; From, Date and Message-ID are
 * added at the end if they are missing (Resent-From and so on in a message
 * that was resent, RFC 5322 3.6.6).  Everything else stays byte for byte.  A
 * second time it changes nothing.  -1 (TEMP): no room in out.
 */
ERR_WARN_UNUSED int submission_fix(struct buf *out, struct str header,
				   const struct submission *s, struct err *err);

/* Append a From (or other) field's value: NAME <address>, the name quoted or
 * encoded (RFC 2047) as it needs; a name that is not UTF-8 is left out. */
void submission_mailbox(struct buf *out, struct str name, struct str address);

/*
 * The recipients that a header names (sendmail -t): of To, Cc and Bcc, or,
 * where there is one, of Resent-To, Resent-Cc and Resent-Bcc.  rcpt() gets
 * each in envelope form, a bare local part without a domain, in the order of
 * the text and as often as they stand there; it returns -1 (with *err) to end
 * it.  -1 (PERM): what is no address; nothing may be sent then.
 */
typedef int submission_rcpt(void *arg, const struct path *p, struct err *err);
ERR_WARN_UNUSED int submission_rcpts(struct str header, submission_rcpt *rcpt,
				     void *arg, struct err *err);

#endif
