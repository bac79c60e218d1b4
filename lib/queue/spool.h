/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_SPOOL_H
#define QUEUE_SPOOL_H

#include "queue/qfile.h"

/*
 * The queue on disk.  Below the spool directory:
 *
 *	lock		held (OFD) by the one qmgr that owns the spool
 *	id		spool id and the ids reserved so far
 *	msg/XX/ID	queue file (qfile.h); XX: two hex digits from the id
 *	msg/XX/ID.b	large body
 *	msg/XX/ID.h	header block and body where the header block is huge
 *	msg/XX/ID.log	texts of the last attempts
 *	msg/XX/.ID.new	another envelope being written
 *
 * Every call here may block on the disk and is meant for an I/O thread.  Calls
 * for different messages may run at the same time; for one message the caller
 * makes one call at a time.  All disk calls go through fsx.  The whole table
 * of states is in README.md beside this file.
 */
struct spool;

/* Become the owner; 1: another process holds the lock, try again. */
ERR_WARN_UNUSED int spool_lock(int root, int *lockfd, struct err *err);

/* root: directory descriptor of the spool, stays the caller's.  Makes what is
 * missing; reads or makes the spool id. */
ERR_WARN_UNUSED int spool_open(struct spool **sp, int root, struct err *err);
void spool_close(struct spool *sp);

/* Random, made with the spool; part of Maildir names. */
uint64_t spool_id(const struct spool *sp);
/* Was "id" lost or damaged, so that spool_open() made a new spool id? */
bool spool_is_new(const struct spool *sp);

/*
 * The next id: never used before, not even by a qmgr that crashed.  0: the
 * reservation is used up; spool_reserve() extends it (durably) and is wanted
 * whenever spool_ids_low().  Only spool_reserve() touches the disk.
 */
uint64_t spool_next_id(struct spool *sp);
bool spool_ids_low(struct spool *sp);
ERR_WARN_UNUSED int spool_reserve(struct spool *sp, struct err *err);

/* --- recovery ------------------------------------------------------------- */

/* One message found at start. */
struct spool_found {
	struct qfile_head head;
	struct qfile_msg msg;
	uint64_t size; /* header block and body */
	bool damaged;  /* to be held; err says why.  head may be zero but id */
	bool has_log;
	struct err err;
};

struct spool_counts {
	uint64_t messages;
	uint64_t uncommitted; /* removed: never acknowledged */
	uint64_t orphans;     /* bodies and logs without a message, removed */
	uint64_t damaged;
	uint64_t strange; /* names that are not ours, left alone */
};

/* Walk the queue once; found() gets each message.  -1: a directory or file
 * could not be read (nothing is guessed then: do not start). */
typedef int spool_found_fn(void *arg, const struct spool_found *f);
ERR_WARN_UNUSED int spool_recover(struct spool *sp, spool_found_fn *found,
				  void *arg, struct spool_counts *counts,
				  struct err *err);

/* --- storing -------------------------------------------------------------- */

struct spool_new {
	/* In: id, arrival_us, nrcpts, body, flags, ret; for QFILE_BODY also
	 * body_len and body_crc.  spool_store() fills in the rest. */
	struct qfile_head head;
	struct qfile_msg msg; /* first state; seq is set to 1 */
	/* Recipients that are finished from the start (discarded, or failed
	 * for good); NULL: none. One byte each, enum qfile_rcpt_state. */
	const uint8_t *rcpt_state;
	struct str sender, envid, rcpts;
	struct str header, body; /* body: QFILE_INLINE only */
	int body_fd; /* QFILE_BODY: of the stream; synced here, not closed */
	/* Out */
	int rc; /* 0: durable. -1: nothing is left of it; err says why */
	bool sync_failed; /* the disk, not the space: take nothing new */
	struct err err;
};

/* Write n files, sync them together: one trip of the journal. */
enum { SPOOL_BATCH = 16 };
void spool_store(struct spool *sp, struct spool_new **v, size_t n);

/* A body that comes in parts: ID.b is created, its descriptor returned; the
 * caller appends and keeps the CRC. */
ERR_WARN_UNUSED int spool_body_create(struct spool *sp, uint64_t id, int *fd,
				      struct err *err);
/* Never mind: remove ID.b. Errors are ignored; recovery removes orphans. */
void spool_body_discard(struct spool *sp, uint64_t id);

/* --- later life ----------------------------------------------------------- */

/* The message as read back: one allocation at .mem, freed by the caller with
 * free(). */
struct spool_text {
	struct qfile_head head;
	struct qfile_msg msg; /* reason QFILE_DAMAGED if both slots were bad */
	struct qfile_env env;
	uint8_t *rcpt_state;	 /* nrcpts of enum qfile_rcpt_state */
	struct str header, body; /* body: QFILE_INLINE */
	char *mem;
};
enum spool_read {
	SPOOL_ENVELOPE, /* head, slots, envelope */
	SPOOL_ALL,	/* and header block and inline body, CRCs checked */
	SPOOL_CHECK,	/* and the CRC of the body in its own file */
};
/* -1: TEMP could not be read now, PERM damaged. */
ERR_WARN_UNUSED int spool_read(struct spool *sp, uint64_t id,
			       enum spool_read what, struct spool_text *t,
			       struct err *err);
/* ID.b or ID.h, read-only. */
ERR_WARN_UNUSED int spool_body_open(struct spool *sp, uint64_t id,
				    enum qfile_body body, int *fd,
				    struct err *err);

/* Results: some recipients' slots and the message's slot, then synced. */
struct spool_mark {
	uint32_t rcpt;
	struct qfile_rcpt slot;
};
ERR_WARN_UNUSED int spool_mark(struct spool *sp, const struct qfile_head *h,
			       const struct spool_mark *v, size_t n,
			       const struct qfile_msg *msg, /* NULL: as is */
			       struct err *err);

/*
 * Another envelope: sender, and the encoded recipients, those that were there
 * under the numbers that they have, new ones behind them.  rcpt_state has one
 * byte for each; where it is not what stands on disk, it is written.  head gets
 * the new one.  All or nothing, and durable; 1: done, but a power cut may bring
 * the old envelope back.  -1: nothing has changed.
 */
struct spool_edit {
	struct str sender, rcpts;
	uint32_t nrcpts;
	const uint8_t *rcpt_state; /* enum qfile_rcpt_state */
	struct qfile_msg msg;	   /* with the next seq */
};
ERR_WARN_UNUSED int spool_rewrite(struct spool *sp, uint64_t id,
				  const struct spool_edit *e,
				  struct qfile_head *head, struct err *err);

/* Append attempt texts; not synced: a text may be lost, a state never.  Keeps
 * the last QLOG_KEEP of each recipient when the file has grown. */
ERR_WARN_UNUSED int spool_log_add(struct spool *sp, uint64_t id,
				  uint32_t nrcpts, const struct qlog *v,
				  size_t n, struct err *err);
/* The whole log, newest last, in *mem (free()); *mem NULL: there is none. */
ERR_WARN_UNUSED int spool_log_read(struct spool *sp, uint64_t id, char **mem,
				   struct str *log, struct err *err);

/* The message is finished.  Its file goes, or is kept for the next message, at
 * once; that it does not come back is durable with the next spool_tidy(); a
 * body of its own goes after that.  at_once: until then it may come back with
 * a power cut, but not when the process is killed. */
ERR_WARN_UNUSED int spool_remove(struct spool *sp, uint64_t id,
				 enum qfile_body body, bool has_log,
				 bool at_once, struct err *err);

/* Is there work for spool_tidy()? */
bool spool_untidy(struct spool *sp);
/* Does the spool keep files of finished messages?  Then spool_tidy() is wanted
 * once a second as well, to give them up when no message comes. */
bool spool_has_spares(struct spool *sp);
/* Sync the directories from which names went (within a second), then remove
 * the bodies of those messages. */
ERR_WARN_UNUSED int spool_tidy(struct spool *sp, struct err *err);

/* Can the disk be written and synced again? */
ERR_WARN_UNUSED int spool_probe(struct spool *sp, struct err *err);
ERR_WARN_UNUSED int spool_free_bytes(struct spool *sp, uint64_t *bytes,
				     struct err *err);

#endif
