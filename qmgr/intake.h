/* SPDX-License-Identifier: ISC */
#ifndef QMGR_INTAKE_H
#define QMGR_INTAKE_H

#include "qmgr.h"

/*
 * A message on its way in:
 *
 *	COMMIT ─────────────────────────────► EXPANDING ─► STORING ─► stored
 *	STREAM ─► CREATING ─► RECEIVING ─► ENDING ─┘
 *
 * CREATING: ID.b is made.  RECEIVING: parts and the body come.  ENDING: COMMIT
 * has come, the last of the body not yet.  EXPANDING: router is asked.
 * STORING: a thread writes and syncs; from here on it cannot be called back.
 * DISCARDING: what was streamed is being removed.
 */
enum intake_state {
	INTAKE_CREATING,
	INTAKE_RECEIVING,
	INTAKE_ENDING,
	INTAKE_EXPANDING,
	INTAKE_STORING,
	INTAKE_DISCARDING,
};

enum {
	INTAKE_HEADER_MAX = 4 * 1024 * 1024,
	INTAKE_STREAMS_MAX = 2000, /* of all receivers: two descriptors each */
	/* Header and recipients of streamed messages that are not stored yet,
	 * of one receiver and of all.  smtpd sends them just before COMMIT. */
	INTAKE_HELD_MAX = 64 * 1024 * 1024,
	INTAKE_HELD_ALL_MAX = 384 * 1024 * 1024,
};

/* What only a streamed message has. */
struct stream {
	int pipe;    /* reading end, kernel descriptor; -1: at EOF */
	int body_fd; /* fsx descriptor of ID.b, -1: none */
	struct event *ev;
	bool moving; /* a job uses pipe and body_fd */
	bool eof;
	uint64_t body_len;
	uint32_t body_crc;
	uint64_t want_len; /* as COMMIT says */
	uint32_t want_crc;
	int rc;
	struct err err;
	struct buf rcpts; /* RCPTS frames, each {u32 length, u32 count, raw} */
	uint32_t nrcpts;
	size_t held; /* bytes of parts that came */
};

struct intake {
	struct list link; /* in receiver.intakes */
	struct qmgr *q;
	struct receiver *rx; /* NULL: gone */
	struct chan *chan;   /* a reference; sends to a closed one are lost */
	uint32_t tag;
	enum intake_state state;
	uint64_t id; /* 0: none yet */
	uint64_t arrival_us;
	uint8_t flags, ret;
	bool hold;
	uint32_t router_tag;
	struct buf text; /* header ++ body ++ sender ++ envid */
	size_t header_len, body_len, sender_len, envid_len;
	struct buf rcpts; /* expanded */
	uint32_t nrcpts;
	uint8_t *rcpt_state; /* NULL: all are to do */
	struct stream *stream;
	struct io_job job;
	struct spool_new rec;
	int body_fd; /* read-only, for delivery */
};

/* --- stream.c ------------------------------------------------------------- */

/* STREAM has come: make the body's file and a pipe. */
void stream_begin(struct intake *it);
/* Stop, remove what there is, then intake_free(). */
void stream_discard(struct intake *it);
void stream_free(struct stream *s);

/* --- receiver.c ----------------------------------------------------------- */

void intake_refuse(struct intake *it, unsigned code, struct str dsn,
		   const char *text);
void intake_free(struct intake *it);
/* COMMIT has come and so has all of the body. */
void intake_expand(struct intake *it);

/* --- router_client.c ------------------------------------------------------ */

/* Ask router; goes on with intake_store() or intake_refuse(). */
void expand_start(struct intake *it, const struct msg_list *last);

/* --- store.c -------------------------------------------------------------- */

/* Expanded: write it. */
void intake_store(struct intake *it);

struct str intake_sender(const struct intake *it);

#endif
