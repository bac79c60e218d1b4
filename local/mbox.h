/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_MBOX_H
#define LOCAL_MBOX_H

#include "frame/msg_deliver.h"
#include "store/mbox_file.h"

/*
 * Messages appended to an mbox that is locked (lib/store/mbox_file.h): a line
 * "From SENDER  DATE" (UTC, RFC 4155), the fields that a Maildir gets too, the
 * text with ">" before each line that begins with "From " (mboxo), and an
 * empty line.  Status, X-Status, X-UID, Content-Length and the like are left
 * out.  What fails leaves the file as long as it was.
 */
struct mbox_batch {
	struct mbox_file *file;
	uint64_t limit; /* of the file, bytes; 0: none */
	off_t start;	/* the file's length before all of this */
	off_t size;	/* and now */
	struct timespec atime;
	char tail[2]; /* its last two bytes */
	size_t ntail;
	bool broken; /* it could not be cut back: nothing more */
};

/* The file is locked.  err->code EINVAL: it does not begin as an mbox does. */
ERR_WARN_UNUSED int mbox_begin(struct mbox_batch *b, struct mbox_file *file,
			       uint64_t limit, struct err *err);
/* One message, for one recipient; err->code EFBIG: there is no room below the
 * limit.  date: seconds since 1970. */
ERR_WARN_UNUSED int mbox_append(struct mbox_batch *b,
				const struct msg_deliver *m,
				const struct msg_deliver_rcpt *rcpt,
				int64_t date, struct err *err);
/* All that was appended is durable; or none of it is there. */
ERR_WARN_UNUSED int mbox_commit(struct mbox_batch *b, struct err *err);

#endif
