/* SPDX-License-Identifier: ISC */
#ifndef STORE_INDEX_INT_H
#define STORE_INDEX_INT_H

#include "store/blob.h"
#include "store/index_state.h"

/* Private to index.c and index_file.c. */

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
	uint64_t durable;  /* it is up to here */
	uint64_t restated; /* what a new log would have, when it was made */
	uint64_t unsynced_since; /* clock_mono_ms(); 0: nothing is due */
	bool locked;
	bool opened;	/* s is what the log said */
	bool broken;	/* s is not whole: read all again */
	bool dir_dirty; /* the log's name may not be durable */
	struct state s;
	struct pending p;
	struct blob_file blob[2];
};

/* Forget what was not committed. */
void index_drop_pending(struct index *ix);
/* What is in memory now is what the log says; nothing is pending. */
void index_settle(struct index *ix);
void index_finish_record(struct index *ix);
uint64_t index_change_modseq(struct index *ix);
/* Replace the log by one that says what s says, and has the lock. */
ERR_WARN_UNUSED int index_write_new(struct index *ix, struct err *err);

#endif
