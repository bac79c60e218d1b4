/* SPDX-License-Identifier: ISC */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include "base/buf.h"

/*
 * SMTP replies (RFC 5321 4.2).  text may have several lines, parted by '\n';
 * each becomes "CODE-" or, the last, "CODE ", with the enhanced status code
 * (RFC 2034) after it if dsn is not NULL.  Bytes that may not stand in a reply
 * become '?'; a line is cut at 512 octets (RFC 5321 4.5.3.1.5).  -1 if out
 * overflows.
 */
enum { REPLY_LINE_MAX = 512 };

int reply_format(struct buf *out, unsigned code, const char *dsn,
		 struct str text);

#endif
