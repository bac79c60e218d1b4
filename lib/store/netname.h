/* SPDX-License-Identifier: ISC */
#ifndef STORE_NETNAME_H
#define STORE_NETNAME_H

#include "base/buf.h"

/*
 * Append UTF-8 in Unicode's normal form C, as names of mailboxes have it
 * (Net-Unicode, RFC 5198; RFC 9051 5.1); -1, and out unchanged, if in is not
 * UTF-8, has U+2028 or U+2029 in it, or out has no room.  ICU has its tables in
 * its library: no file is read.
 */
int netname_normalize(struct buf *out, struct str in);

#endif
