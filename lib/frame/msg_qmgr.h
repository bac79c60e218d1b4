/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_QMGR_H
#define FRAME_MSG_QMGR_H

#include "frame/msg_rcpt.h"

/* To qmgr: messages from the receivers, orders from the administrator.
 * Types 48-63. */
enum {
	MSG_STREAM = 48,
	MSG_STREAM_PIPE,
	MSG_RCPTS,
	MSG_HEADER,
	MSG_COMMIT,
	MSG_STORED,
	MSG_REFUSED,
	MSG_ABORT,
	MSG_PRESSURE,
	MSG_QUEUE,
	MSG_QUEUE_ROW,
	MSG_QUEUE_TEXT,
	MSG_QUEUE_DONE,
	MSG_QUEUE_ATTEMPT,
	MSG_QUEUE_CHANGE,
};

enum {
	COMMIT_ENVELOPE_MAX = 15 * 1024, /* encoded recipients and sender */
	COMMIT_INLINE_MAX = 48 * 1024,	 /* header block + body */
	HEADER_PART_MAX = 60 * 1024,
	QUEUE_ID_MAX = 24,
	QUEUE_IDS_MAX = 2000,  /* in one request */
	QUEUE_ADDRS_MAX = 100, /* in one change */
	ATTEMPT_TEXT_MAX = 2048,
};

/*
 * A message is committed by ONE frame if its envelope and text fit the limits
 * above.  Otherwise, under one tag: STREAM (request) → STREAM_PIPE; RCPTS and
 * HEADER parts; the body through the pipe, closed at its end; then COMMIT
 * naming counts, body length and CRC.  EOF of the channel, or ABORT, before
 * COMMIT discards everything.
 */
struct msg_stream {
	uint64_t size; /* as declared by SIZE, or 0 */
};
struct msg_stream_pipe {
	int fd; /* write end */
};
struct msg_rcpts {
	struct msg_list rcpts; /* msg_rcpt_in */
};
struct msg_header {
	struct str header; /* MSG_BYTES, LF line ends */
};

enum commit_flags {
	COMMIT_8BITMIME = 1, /* BODY=8BITMIME was declared */
	COMMIT_SMTPUTF8 = 2,
	COMMIT_STREAMED = 4, /* counts below describe what came under the tag */
	COMMIT_HOLD = 8,     /* store it on hold; only of ctl */
};
enum commit_ret { RET_NONE, RET_FULL, RET_HDRS };

/* Text has LF line ends.  header ends with the last header line's LF; body is
 * what follows, with the empty line in front. */
struct msg_commit {
	uint8_t flags;
	uint8_t ret;
	struct str sender; /* "" for <> */
	struct str envid;
	struct msg_list rcpts;
	struct str header;
	struct str body;
	/* of the whole message, only with COMMIT_STREAMED */
	uint32_t nrcpts;
	uint32_t header_len;
	uint64_t body_len;
	uint32_t body_crc; /* enc_crc32c of the body */
};

struct msg_stored {
	struct str id; /* the queue id as text */
};

/* To STREAM or COMMIT: not stored, say this to the client. */
struct msg_refused {
	uint16_t code; /* 451, 452, 550 … */
	struct str dsn;
	struct str text;
};

/* receiver → qmgr, note: forget the tag (client gone, too big …). */
struct msg_abort {
	uint8_t unused;
};

/* qmgr → receiver, note, at once and at every change: refuse MAIL while on. */
struct msg_pressure {
	uint8_t on;
	struct str text; /* "Insufficient system storage" */
};

/*
 * ctl → qmgr, request; LIST and FLUSH also of submitd.  It is about the
 * messages that are named (id, or ids where id is empty) and pass all of the
 * tests; an empty or zero test lets all pass.
 */
enum queue_verb {
	QUEUE_LIST = 1,
	QUEUE_SHOW, /* of one id */
	QUEUE_HOLD,
	QUEUE_RELEASE,
	QUEUE_DELETE,
	QUEUE_FLUSH,   /* try now */
	QUEUE_REQUEUE, /* ask router again for the recipients that are to do */
};
enum queue_state { QUEUE_ACTIVE = 1, QUEUE_DEFERRED, QUEUE_HELD };
enum queue_text { QUEUE_NO_TEXT, QUEUE_HEADER, QUEUE_ALL_TEXT };
struct msg_queue_id {
	struct str id;
};
struct msg_queue {
	uint8_t verb;
	struct str id;		  /* a queue id, "ALL", or "" */
	struct msg_list ids;	  /* msg_queue_id */
	uint8_t states;		  /* bits: 1 << enum queue_state */
	uint64_t older_us;	  /* arrived before, wall clock */
	uint64_t younger_us;	  /* arrived after */
	uint64_t larger, smaller; /* bytes */
	/* A recipient that is to do has this nexthop, "transport:nexthop", or
	 * domain. */
	struct str site;
	struct str sender; /* "user@domain", "@domain", "user@", "<>" */
	struct str rcpt;   /* the same, of a recipient that is to do */
	uint8_t text;	   /* SHOW: enum queue_text */
};

/* part of LIST and SHOW: one message. */
struct msg_queue_rcpt {
	struct str address, original;
	uint8_t type;
	uint8_t done;
	struct str text; /* last attempt's outcome or reason to hold */
	uint8_t notify;	 /* only of SHOW; rcpt_notify */
	struct str orcpt;
	struct str transport, where; /* the route; only to ctl */
};
struct msg_queue_row {
	struct str id;
	uint8_t state;
	uint64_t arrival_us, next_try_us; /* wall clock */
	uint32_t tries;
	uint64_t size;
	struct str sender;
	struct str reason;     /* of the message as a whole */
	struct msg_list rcpts; /* msg_queue_rcpt; several rows with the same id
				  if they do not fit one frame */
	uint8_t ret;	       /* only of SHOW; commit_ret */
	struct str envid;
	uint8_t flags; /* only of SHOW; commit_flags */
};

/* part of SHOW: one of the last attempts, oldest first. */
struct msg_queue_attempt {
	struct str address; /* "": of the message as a whole */
	uint8_t class;	    /* enum deliver_class */
	uint64_t when_us;
	struct str text; /* MSG_BYTES: a dialogue has many lines */
};

/*
 * ctl → qmgr, request, answered by QUEUE_DONE: another envelope for a message
 * that is not being delivered; recipients that are done stay so.  In this
 * order: those to do that are in drop (or all) go, those in add are asked of
 * router and come, those to do get the route.
 */
enum queue_change {
	CHANGE_SENDER = 1,
	CHANGE_DROP_ALL = 2,
	CHANGE_ROUTE = 4,
};
struct msg_queue_change {
	struct str id;
	uint8_t what;
	struct str sender;
	struct msg_list drop;	     /* msg_rcpt_in, by address */
	struct msg_list add;	     /* msg_rcpt_in */
	struct str transport, where; /* CHANGE_ROUTE */
};

/* part of SHOW: header and body as stored. */
struct msg_queue_text {
	struct str text; /* MSG_BYTES */
};

/* reply. */
struct msg_queue_done {
	uint8_t status; /* exit status */
	uint32_t count; /* messages listed or changed */
	struct str text;
};

extern const struct msg_def msg_stream_def, msg_stream_pipe_def, msg_rcpts_def,
	msg_header_def, msg_commit_def, msg_stored_def, msg_refused_def,
	msg_abort_def, msg_pressure_def, msg_queue_def, msg_queue_id_def,
	msg_queue_rcpt_def, msg_queue_row_def, msg_queue_text_def,
	msg_queue_done_def, msg_queue_attempt_def, msg_queue_change_def;

#endif
