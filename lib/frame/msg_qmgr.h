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
};

enum {
	COMMIT_ENVELOPE_MAX = 15 * 1024, /* encoded recipients and sender */
	COMMIT_INLINE_MAX = 48 * 1024,	 /* header block + body */
	HEADER_PART_MAX = 60 * 1024,
	QUEUE_ID_MAX = 24,
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

/* ctl → qmgr, request. */
enum queue_verb {
	QUEUE_LIST = 1,
	QUEUE_SHOW,
	QUEUE_HOLD,
	QUEUE_RELEASE,
	QUEUE_DELETE,
	QUEUE_FLUSH,
};
struct msg_queue {
	uint8_t verb;
	struct str id; /* a queue id, or "ALL" */
};

/* part of LIST and SHOW: one message. */
enum queue_state { QUEUE_ACTIVE = 1, QUEUE_DEFERRED, QUEUE_HELD };
struct msg_queue_rcpt {
	struct str address, original;
	uint8_t type;
	uint8_t done;
	struct str text; /* last attempt's outcome or reason to hold */
	uint8_t notify;	 /* only of SHOW; rcpt_notify */
	struct str orcpt;
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
	msg_abort_def, msg_pressure_def, msg_queue_def, msg_queue_rcpt_def,
	msg_queue_row_def, msg_queue_text_def, msg_queue_done_def;

#endif
