/* SPDX-License-Identifier: ISC */
#ifndef MAIL_DOWNGRADE_H
#define MAIL_DOWNGRADE_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * A message with 8-bit bodies for a host that does not take 8BITMIME (RFC 6152
 * 3): each MIME part that has such bytes becomes quoted-printable (RFC 2045
 * 6.7), also inside message/rfc822; everything else stays as it is, byte for
 * byte.  Text without a MIME header is declared as unknown-8bit (RFC 1428).
 * Header fields are not touched.  Signatures over the old form break; without
 * it the message would have to be returned.
 *
 * The text (LF line ends) is read by position, up to three times, so that
 * nothing of its size is kept.
 */
struct downgrade;

/* Up to n bytes from this place of the text; 0: its end; -1: an error. */
typedef ssize_t downgrade_read_fn(void *arg, uint64_t at, char *to, size_t n);

/*
 * 0 with *dp NULL: no body has such bytes, send it as it is.  0 with *dp: read
 * the text from there.  -1: PERM, it cannot be converted (err says why); TEMP,
 * no memory, or it cannot be read.
 */
ERR_WARN_UNUSED int downgrade_new(struct downgrade **dp,
				  downgrade_read_fn *read, void *arg,
				  struct err *err);
/* Append about max (at least 512) bytes of the new text to out, which must have
 * room for max + DOWNGRADE_SLACK.  1: there is more, 0: that was all, -1: it
 * cannot be read. */
enum { DOWNGRADE_SLACK = 1024 };
ERR_WARN_UNUSED int downgrade_next(struct downgrade *d, struct buf *out,
				   size_t max, struct err *err);
void downgrade_free(struct downgrade *d);

#endif
