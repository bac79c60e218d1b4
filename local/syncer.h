/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_SYNCER_H
#define LOCAL_SYNCER_H

#include <stdbool.h>
#include <sys/types.h>

#include "net/loop.h"

/*
 * Makes files durable beside the loop.  Whatever waits when a sync ends is the
 * next batch: one file is synced by fsync, several by one syncfs for each file
 * system, which is one journal commit.  If that takes longer than
 * SYNCER_SLOW_MS, somebody else's writing is being paid for: then each file
 * has its own fsync, in SYNCER_THREADS at once, for SYNCER_CAREFUL_MS.
 */
enum {
	SYNCER_THREADS = 8,
	SYNCER_SLOW_MS = 60,
	SYNCER_CAREFUL_MS = 10000,
};

struct sync_job {
	struct sync_job *next;
	int fd;	    /* an open file or directory; stays the owner's */
	dev_t dev;  /* its file system */
	bool whole; /* fsync of fd is not enough: syncfs */
	int error;  /* errno, or 0 */
};

struct syncer;

/* Called in the loop for each job, in no order. */
typedef void syncer_done_cb(void *arg, struct sync_job *job);

/* Starts no thread before it is needed. */
struct syncer *syncer_new(struct loop *l, syncer_done_cb *done, void *arg,
			  struct err *err);
/* Waits for the jobs under way; their callbacks are called. */
void syncer_free(struct syncer *s);

/* The job is the syncer's until done; the threads start on it at the end of
 * the loop's turn, so that one turn's jobs are a batch. */
void syncer_add(struct syncer *s, struct sync_job *job);
/* Jobs added and not done. */
unsigned syncer_pending(const struct syncer *s);

#endif
