/* SPDX-License-Identifier: ISC */
#ifndef PASSWORD_PREP_H
#define PASSWORD_PREP_H

#include "base/buf.h"
#include "base/err.h"

/*
 * SASLprep (RFC 4013): the one form of a password that is typed in many, which
 * SCRAM wants on both sides (RFC 5802 2.2).  ASCII without controls is its own
 * form.
 */

/*
 * Append the prepared form to out.  -1 with err: not UTF-8, a character that
 * may not stand in a password, or a mix of directions (PERM), or out is full
 * (TEMP).  stored: as for a password that is about to be stored, characters
 * that Unicode 3.2 does not assign are refused (RFC 3454 7); else they pass.
 */
ERR_WARN_UNUSED int password_prep(struct str password, bool stored,
				  struct buf *out, struct err *err);

#endif
