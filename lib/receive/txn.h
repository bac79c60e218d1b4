/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_TXN_H
#define RECEIVE_TXN_H

#include "frame/msg_qmgr.h"
#include "mail/smtpline.h"
#include "net/loop.h"
#include "receive/policy.h"
#include "receive/trace.h"

/*
 * One mail transaction: the envelope, and the text as it comes in.  A small
 * message stays in .text until its end; a large one is streamed: .text then
 * holds the header block and what the pipe to qmgr has not taken yet.
 */
enum {
	/* Unsent text above which the client has to wait, and below which it
	 * may go on. */
	TXN_HIGH = 256 * 1024,
	TXN_LOW = 128 * 1024,
	TXN_STEP = 64 * 1024,		 /* of input at a time */
	TXN_RCPTS_MAX = 2 * 1024 * 1024, /* bytes of encoded recipients */
	TXN_KEEP = 96 * 1024, /* memory kept for the next transaction */
};

enum txn_stream {
	STREAM_NONE,
	STREAM_ASKED, /* STREAM sent, no pipe yet */
	STREAM_OPEN,
	STREAM_CLOSED, /* all of the body is in the pipe */
};

struct txn {
	struct path sender;
	bool body_8bit, utf8;
	uint8_t ret; /* enum commit_ret */
	size_t envid_n;
	char envid[ENVID_MAX];
	uint64_t declared; /* SIZE=, or 0 */
	struct buf rcpts;  /* list of msg_rcpt_in, encoded */
	unsigned nrcpts;
	char rcpt[PATH_TEXT_MAX + 1]; /* the last one accepted */

	struct smtpdata scan;
	struct header_scan header;
	enum header_result header_state;
	struct buf text;
	size_t own;   /* length of our Received field at its beginning */
	size_t split; /* length of the header block, once it is known */
	struct policy_fault fault; /* the message will be refused */
	char fault_dsn[16], fault_text[TEXT_MAX + 1]; /* qmgr's words */

	enum txn_stream stream;
	uint32_t tag;	/* of the stream */
	unsigned epoch; /* of the connection to qmgr that has the tag */
	int pipe;
	struct event *writable;
	size_t sent; /* offset in text: body before it is in the pipe */
	uint64_t body_len;
	uint32_t body_crc;
};

void txn_init(struct txn *t);
void txn_fini(struct txn *t);
/* Forget everything.  The stream must have been given up (qmgr_abort()). */
void txn_reset(struct txn *t);

/* The arguments of MAIL, which are in order. */
void txn_begin(struct txn *t, const struct smtp_mail *m);
/* -1: no more fit. */
int txn_add_rcpt(struct txn *t, const struct smtp_rcpt *rcpt);

/* DATA begins: our Received field goes first.  -1: no memory. */
int txn_begin_text(struct txn *t, const struct receive_conf *c,
		   const struct trace *trace);

/* Is there too much unsent text to take more now? */
bool txn_is_full(const struct txn *t);
/* Take text off the input; returns the octets used; t->scan.done at the end.
 * From a fault on the text is dropped, but its end is still looked for. */
size_t txn_take(struct txn *t, const struct receive_conf *c, struct str in);
/* After the end: settle the header block and the faults. */
void txn_finish(struct txn *t, const struct receive_conf *c);

/* Must (or may, already) the message be streamed? */
bool txn_is_large(const struct txn *t);

struct str txn_header(const struct txn *t);
/* The message's own, behind our Received field, and others in their stead
 * (-1: no memory). */
struct str txn_own_header(const struct txn *t);
ERR_WARN_UNUSED int txn_put_header(struct txn *t, struct str header);
/* Of the body: all of it, or what is not in the pipe yet. */
struct str txn_body(const struct txn *t);
/* The end of the body for who reads the pipe. */
void txn_close_pipe(struct txn *t);
/* n bytes of txn_body() are in the pipe. */
void txn_sent(struct txn *t, size_t n);

struct str txn_message_id(const struct txn *t);

/* The message is refused at its end; the first fault stands. */
void txn_fail(struct txn *t, unsigned code, const char *dsn, const char *text);

#endif
