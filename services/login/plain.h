/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_PLAIN_H
#define LOGIN_PLAIN_H

#include "base/buf.h"

/* Longest base64 text of a PLAIN response that is looked at. */
enum { PLAIN_TEXT_MAX = 2040, PLAIN_BYTES_MAX = 1530 };

/*
 * The response of PLAIN (RFC 4616 2): base64 of "authzid NUL authcid NUL
 * password".  Decoded into out (which the caller wipes; limit at least
 * PLAIN_BYTES_MAX); slices point into it.  False: malformed, or an authzid
 * that is not the user's own name: nobody may act for another.
 */
bool plain_parse(struct str text, struct buf *out, struct str *user,
		 struct str *password);

#endif
