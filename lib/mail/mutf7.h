/* SPDX-License-Identifier: ISC */
#ifndef MAIL_MUTF7_H
#define MAIL_MUTF7_H

#include "base/buf.h"

/*
 * Modified UTF-7, the names of mailboxes in IMAP (RFC 3501 5.1.3): printable
 * ASCII stands for itself, "&" is "&-", everything else is UTF-16 in base64
 * with "," for "/" between "&" and "-".
 */

/* Append as UTF-8; -1 (and out unchanged) if in is not in the one form that
 * encoding gives: a name has one spelling only. */
int mutf7_decode(struct buf *out, struct str in);
/* Append UTF-8 as modified UTF-7; -1 if in is not UTF-8 or has a control. */
int mutf7_encode(struct buf *out, struct str in);
bool mutf7_is_valid(struct str in);

#endif
