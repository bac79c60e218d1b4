/* SPDX-License-Identifier: ISC */
#ifndef STORE_INDEX_INT_H
#define STORE_INDEX_INT_H

#include "store/blob.h"
#include "store/index_state.h"

/* Private to index.c, index_file.c, index_read.c, index_write.c, index_save.c.
 */

/* What is to be committed: records for the log, the last one unfinished. */
struct pending {
	struct buf b;
	bool begun;
	size_t record;	       /* where the unfinished one begins */
	size_t entry;	       /* where its last entry begins */
	struct ilog_entry key; /* that entry; kind 0: none can be extended */
	size_t last_slot;
	uint64_t modseq; /* of this commit; 0: none needed so far */
	uint32_t uidnext;
	uint32_t nkeywords, nsets; /* that are committed */
};

struct index {
	int dir;
	const char *name;
	const struct index_ops *ops;
	void *arg;
	int fd; /* of the log; -1: not open */
	uint64_t dev, ino, id;
	uint64_t end;	   /* of the log, as far as s has it */
	uint64_t size;	   /* of its file: zeros follow */
	uint64_t durable;  /* it is up to here */
	uint64_t saved;	   /* the snapshot has it up to here */
	uint64_t notes;	   /* changes that only memory knows */
	uint64_t restated; /* what a new log would have, when it was made */
	uint64_t unsynced_since; /* clock_mono_ms(); 0: nothing is due */
	bool locked;
	bool stuck;	/* somebody else holds the lock, for long */
	bool opened;	/* s is what the log said */
	bool broken;	/* s is not whole: read all again */
	bool dir_dirty; /* the log's name may not be durable */
	struct state s;
	struct pending p;
	struct blob_file blob[2];
};

/* Without a look at the files. */
struct index *index_new(int dir, const char *name, const struct index_ops *ops,
			void *arg, struct err *err);
/* Open the log if needed, made empty if there is none, and lock it; *changed:
 * it is not the file we had. */
ERR_WARN_UNUSED int index_lock_file(struct index *ix, bool *changed,
				    struct err *err);

/* --- index_adopt.c */
struct adoption;
enum adopt_result;
/* Of a new index: as store_adopt().  ready() is called with the index's arg
 * under the lock, before the log is replaced. */
typedef int index_ready_fn(void *arg, const struct adoption *a,
			   struct err *err);
ERR_WARN_UNUSED int index_adopt(struct index *ix, struct adoption *a,
				index_ready_fn *ready, enum adopt_result *res,
				struct err *err);
/* The log and the snapshot made anew, from what is in memory. */
ERR_WARN_UNUSED int index_rebuild(struct index *ix, struct err *err);
/* Blobs are found by UIDs: with other UIDs they say what is wrong. */
void index_drop_blobs(struct index *ix);

/* Forget what was not committed. */
void index_drop_pending(struct index *ix);
/* What is in memory now is what the log says; nothing is pending. */
void index_settle(struct index *ix);
void index_finish_record(struct index *ix);
uint64_t index_change_modseq(struct index *ix);
/* What the folder's snapshot says, if it is good in itself; s is new. */
bool index_load(int dir, struct state *s);
/* Write it; has the lock, and no slot is gone. */
ERR_WARN_UNUSED int index_save(struct index *ix, struct err *err);
void index_checkpoint_if(struct index *ix, bool closing);
/* For ilog_parse(): into a state. */
struct index_replay {
	struct state *s;
	bool nomem;
};
bool index_on_record(void *arg, const struct ilog_record *r);

/* Locked: the file that has the name now, of this size, says something else
 * than we know. */
ERR_WARN_UNUSED int index_read_again(struct index *ix, uint64_t size,
				     struct err *err);
/* Locked: others appended, up to size. */
ERR_WARN_UNUSED int index_read_tail(struct index *ix, uint64_t size,
				    struct err *err);
ERR_WARN_UNUSED int index_sync_log(struct index *ix, struct err *err);
void index_note_unsynced(struct index *ix);
/* Replace the log by one that says what s says, and has the lock.  It is to be
 * made durable (index_flush()). */
ERR_WARN_UNUSED int index_write_new(struct index *ix, struct err *err);

#endif
