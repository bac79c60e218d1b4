/* SPDX-License-Identifier: ISC */
#ifndef STORE_MBOX_READ_H
#define STORE_MBOX_READ_H

#include "base/err.h"
#include "mail/mbox.h"

/*
 * The messages of an mbox file, one after the other.  A message begins with a
 * From_ line (lib/mail/mbox.h) behind an empty line, or where Content-Length
 * leads to; the first may have a From_ line without a date, which was torn
 * (then the file's is taken); ">From " stays as it is.  Lines end with LF; the
 * headers that other programs write for themselves are left out.
 */
struct mbox_sink {
	/* The From_ line without its end, and its date. */
	int (*begin)(void *arg, struct str from, int64_t time, struct err *err);
	/* Bytes of the message. */
	int (*put)(void *arg, struct str s, struct err *err);
	/* info->internal: it is no message.  keywords: a space behind each. */
	int (*end)(void *arg, const struct mbox_info *info, struct str keywords,
		   struct err *err);
};

/* From *at up to the end, where *at is then; at each begin() it is where the
 * message begins, from where one may read again another time.  ERR_PERM,
 * EINVAL: this is no mbox. */
ERR_WARN_UNUSED int mbox_read(int fd, uint64_t *at,
			      const struct mbox_sink *sink, void *arg,
			      struct err *err);

#endif
