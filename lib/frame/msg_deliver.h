/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_DELIVER_H
#define FRAME_MSG_DELIVER_H

#include "frame/msg_qmgr.h"

/* qmgr → deliver.  Types 64-71. */
enum { MSG_DELIVER = 64, MSG_DELIVERED };

/* One recipient of the message: where it goes below deliver's root. */
struct msg_deliver_rcpt {
	uint32_t slot;	     /* its number in the queue file */
	struct str path;     /* "posthouse.test/alice/": a Maildir below the
				root, created if missing */
	struct str address;  /* for Delivered-To */
	struct str original; /* for X-Original-To */
	uint8_t maybe_done;  /* look for our own file first */
};

/*
 * Request: write this message into these mailboxes, then sync all of them.
 * The text is header ++ body, where body is inline, or (body_fd >= 0) the
 * first body_len bytes of a read-only file.  deliver parses nothing.
 */
struct msg_deliver {
	struct str id; /* queue id, text */
	uint64_t queue_id, spool_id;
	uint64_t arrival_us;
	struct str sender; /* for Return-Path */
	struct msg_list rcpts;
	struct str header;
	struct str body;
	uint64_t body_len;
	int body_fd;
};

/* Reply: one result a recipient, in the same order.  ok=1: on disk, synced. */
enum deliver_class { DELIVER_OK, DELIVER_TEMP, DELIVER_PERM };
struct msg_deliver_result {
	uint32_t slot;
	uint8_t class;	 /* enum deliver_class */
	struct str dsn;	 /* "2.0.0", "4.2.2" */
	struct str text; /* "delivered to maildir" */
};
struct msg_delivered {
	struct msg_list results;
};

extern const struct msg_def msg_deliver_rcpt_def, msg_deliver_def,
	msg_deliver_result_def, msg_delivered_def;

#endif
