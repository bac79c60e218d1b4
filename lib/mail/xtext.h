/* SPDX-License-Identifier: ISC */
#ifndef MAIL_XTEXT_H
#define MAIL_XTEXT_H

#include "base/buf.h"

/*
 * xtext (RFC 3461 4): '!' to '~', of which '+' and '=' are written as "+2B"
 * and "+3D", like everything else that has to be.
 */

/* Append what in stands for; -1: not xtext (lower-case digits are taken), or
 * no room. */
int xtext_decode(struct buf *out, struct str in);
int xtext_encode(struct buf *out, struct str in);

/*
 * Append an address of type "utf-8" (RFC 6533 3): what may not stand for itself
 * as "\x{3B4}"; bytes that are not UTF-8 as '?'.  unitext: characters beyond
 * ASCII as they are.  encoded: in has such forms already, which stay.  -1: no
 * room.
 */
int xtext_utf8(struct buf *out, struct str in, bool unitext, bool encoded);

#endif
