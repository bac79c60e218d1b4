/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_QFILE_H
#define QUEUE_QFILE_H

#include "base/err.h"
#include "base/str.h"

/*
 * The bytes of a queue file: pure functions, no I/O.  Little-endian.
 *
 *	0	head, 128 bytes, zeros up to 512: written once
 *	512	slots of 64 bytes, never across a 512-byte sector: slot 0 and
 *		slot 8 are the message's two, the others one a recipient
 *	env_off	envelope: sender, envid, recipients (a run of encoded records
 *		that only qmgr looks into); then the header block; then the
 *		body, unless it stands in a file of its own
 *
 * Everything but the slots is immutable and covered by CRCs.  A slot has its
 * sequence number and a CRC that includes queue id and slot number, so that a
 * stale block never passes for one.  A recipient's slot that is bad (or still
 * zero) means "to do"; of the message's slots the good one with the higher
 * sequence counts, and if both are bad the message goes on hold.
 */
enum {
	QFILE_HEAD = 128,
	QFILE_SLOTS = 512, /* offset of the first slot */
	QFILE_SLOT = 64,
	QFILE_RCPTS_MAX = 10000,
	QFILE_ENV_MAX = 64 * 1024 * 1024, /* 10,000 recipients of any size */
	QFILE_HEADER_MAX = 16 * 1024 * 1024,
};

enum qfile_body {
	QFILE_INLINE, /* after the header block */
	QFILE_BODY,   /* in ID.b */
	QFILE_TEXT,   /* header block and body in ID.h; header_len is 0 */
};

struct qfile_head {
	uint64_t id, spool_id;
	uint64_t arrival_us; /* wall clock */
	uint64_t file_len;   /* of the whole queue file */
	uint32_t nrcpts;
	uint32_t env_off, env_len, env_crc;
	uint32_t sender_len, envid_len; /* the first parts of the envelope */
	uint32_t header_len, header_crc;
	uint64_t body_len;
	uint32_t body_crc;
	uint8_t body;  /* enum qfile_body */
	uint8_t flags; /* as the receiver gave them; qmgr's business */
	uint8_t ret;
};

enum qfile_state {
	QFILE_ACTIVE = 1, /* to be sent at next_try_us */
	QFILE_HELD,	  /* not sent until released */
};

/* Why a message is on hold; the text stands in ID.log. */
enum qfile_reason {
	QFILE_NONE,
	QFILE_ADMIN,   /* the administrator said so */
	QFILE_FAILED,  /* a recipient failed for good (of older releases) */
	QFILE_EXPIRED, /* maximal_queue_lifetime (of older releases) */
	QFILE_KILLER,  /* workers died of it */
	QFILE_DAMAGED, /* found at start or first use */
	QFILE_CHILD,   /* a report whose parent does not name it yet */
};

/*
 * Reports (DSN) are messages of their own: children of the message they are
 * about.  They are stored on hold, then the parent's slots say that they were
 * made, then they are released.  What was reported together is a generation:
 * the recipients' slots bear its number, and count as long as the message's
 * slot has not reached it as the states that they had before.
 */
enum {
	QFILE_CHILDREN = 3, /* of one generation */
	QFILE_WARNED = 1,   /* flags: a delay was reported */
	QFILE_EXPANDED = 2, /* flags: expansions were reported */
};

struct qfile_msg { /* slot of the message */
	uint32_t seq;
	uint8_t state, reason;
	uint8_t kills; /* workers that died with it */
	uint8_t flags;
	uint32_t tries;
	uint64_t next_try_us;
	uint32_t reports;		/* generations of reports so far */
	uint64_t child[QFILE_CHILDREN]; /* of the last one; 0: none */
	uint64_t parent;		/* QFILE_CHILD only */
};

enum qfile_rcpt_state {
	QFILE_TODO,
	QFILE_DONE,	/* settled */
	QFILE_GAVE_UP,	/* failed for good, to be reported */
	QFILE_REPORTED, /* failed for good, settled */
	QFILE_SENT,	/* delivered, to be reported */
};

/* Is the message still to be sent to this one (once more, if the
 * administrator wants it)? */
static inline bool
qfile_to_do(uint8_t rcpt_state)
{
	return rcpt_state == QFILE_TODO || rcpt_state == QFILE_GAVE_UP;
}

struct qfile_rcpt { /* slot of a recipient */
	uint32_t seq;
	uint8_t state;
	uint32_t tries;
	uint64_t when_us; /* of the last result */
	uint32_t reports; /* the generation that settled it; 0: none had to */
};

/* Fill in env_off and file_len from the lengths; false if over a limit. */
bool qfile_layout(struct qfile_head *h);
void qfile_put_head(const struct qfile_head *h, uint8_t out[QFILE_HEAD]);

/*
 * Read a head.  in may be the beginning of the file, size is its length on
 * disk.  QFILE_TORN: another length than what was to be written, no head, or
 * the head of another id (a spare), so it was never committed.  QFILE_BAD:
 * damaged, or not ours; err says what.
 */
enum qfile_verdict { QFILE_GOOD, QFILE_TORN, QFILE_BAD };
enum qfile_verdict qfile_get_head(struct str in, uint64_t size, uint64_t id,
				  struct qfile_head *h, struct err *err);

/* Where the slots stand in the file. */
uint32_t qfile_msg_off(uint32_t seq);	/* odd: slot 0, even: slot 8 */
uint32_t qfile_rcpt_off(uint32_t rcpt); /* 0 .. nrcpts-1 */

void qfile_put_msg(const struct qfile_head *h, const struct qfile_msg *m,
		   uint8_t out[QFILE_SLOT]);
void qfile_put_rcpt(const struct qfile_head *h, uint32_t rcpt,
		    const struct qfile_rcpt *r, uint8_t out[QFILE_SLOT]);

/* file: at least the first env_off bytes.  False: both slots are bad. */
bool qfile_get_msg(const struct qfile_head *h, struct str file,
		   struct qfile_msg *m);
/* reports: of the message's slot.  False: the slot is bad or was never written;
 * *r is then "to do". */
bool qfile_get_rcpt(const struct qfile_head *h, struct str file, uint32_t rcpt,
		    uint32_t reports, struct qfile_rcpt *r);

/* The envelope, checked against its CRC; slices of env. */
struct qfile_env {
	struct str sender, envid;
	struct str rcpts;
};
ERR_WARN_UNUSED int qfile_get_env(const struct qfile_head *h, struct str env,
				  struct qfile_env *e, struct err *err);

/*
 * Attempt records of ID.log: {u32 crc of the rest, u16 length of the text, u8
 * class, u8 zero, u32 recipient, u64 when, text}.
 */
enum {
	QLOG_HEAD = 20,
	QLOG_TEXT_MAX = 2048 - QLOG_HEAD,
	QLOG_KEEP = 3,		    /* per recipient */
	QLOG_MESSAGE = 0xffffffffu, /* recipient: the message as a whole */
};
struct qlog {
	uint32_t rcpt;
	uint8_t class; /* enum deliver_class */
	uint64_t when_us;
	struct str text; /* "4.2.2 mailbox is full"; cut at QLOG_TEXT_MAX */
};
/* Returns bytes written to out (QLOG_HEAD + text at most). */
size_t qlog_put(uint64_t id, const struct qlog *r, uint8_t *out);
/* Cut the next record off *in; false at the end or at a torn tail. */
bool qlog_next(uint64_t id, struct str *in, struct qlog *r);
/* The lines of a text: "4.2.2 mailbox is full", the name of the host that
 * said so, and its words (which may be several lines). */
struct qlog_text {
	struct str dsn, text, mta, reply;
};
struct qlog_text qlog_split(struct str text);

/* Queue ids as text: upper-case hexadecimal, at least 12 digits, so that the
 * tools which read Postfix's logs know them. */
enum { QID_MAX = 17 };
const char *qid_text(uint64_t id, char out[QID_MAX]);
/* False: not an id in exactly this form. */
bool qid_parse(struct str s, uint64_t *id);

#endif
