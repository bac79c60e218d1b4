/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_WRITE_H
#define LOCAL_WRITE_H

#include "frame/msg_deliver.h"
#include "store/maildir.h"

/*
 * One message into one Maildir: written to tmp/, renamed into new/ without
 * replacing, not synced yet.  No file is ever opened for reading and none is
 * unlinked: what cannot be finished is left empty in tmp/, where mail readers
 * sweep.
 */
struct write_msg {
	const struct msg_deliver *m;
	struct str host; /* myhostname */
	bool counted;	 /* lf is known: after the first recipient */
	uint64_t lf;	 /* line ends of header and body */
};

/* Return-Path, X-Original-To, Delivered-To: what stands in front of each
 * recipient's copy. */
enum { WRITE_HEAD_MAX = 3 * (ADDRESS_MAX + 20) };
void write_head(struct buf *head, struct str sender,
		const struct msg_deliver_rcpt *rcpt);

void write_msg_init(struct write_msg *w, const struct msg_deliver *m,
		    struct str host);

enum write_result {
	WRITE_FAILED, /* err says why */
	WRITE_NEW,    /* written.fd is the file; sync it, then close it */
	WRITE_FOUND,  /* maybe_done, and it was: written.fd is -1; the file
			 system must be synced, for the file may be in memory
			 only */
};

struct written {
	int fd;
	char name[MAILDIR_NAME_MAX + 1]; /* in new/; "" if found */
};

/*
 * err->code ENOENT: the Maildir has gone, or was never made.  EEXIST: a file
 * of this very name stands in new/ and nobody said that it might.
 */
ERR_WARN_UNUSED enum write_result write_rcpt(
	struct write_msg *w, const struct maildir_box *box,
	const struct msg_deliver_rcpt *rcpt, struct written *out,
	struct err *err);

/* The sync failed, so nobody knows what is on the disk: take the file out of
 * new/ again, that the next attempt may write it. */
void write_undo(const struct maildir_box *box, struct written *w);

#endif
