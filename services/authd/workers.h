/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_WORKERS_H
#define AUTHD_WORKERS_H

#include "base/list.h"
#include "net/loop.h"

/*
 * Threads for what takes long (a password: 1 to 100 ms), so that the loop
 * never waits.
 *
 * Each asker has a queue of its own; the threads take from them in turn, so
 * that one asker's jobs wait for at most one job of each other asker.  All
 * queues together hold at most the limit, each an equal share of it.
 */
struct work {
	struct list link;
	/* In a thread: touches nothing but the job. */
	void (*run)(struct work *w);
	/* In the loop's thread, once, also for jobs that were not begun when
	 * their queue was closed; the job is the owner's again. */
	void (*done)(struct work *w);
};

struct work_queue {
	struct list ready; /* among those that have something to do */
	struct list todo;
	unsigned n;
};

struct workers;

struct workers *workers_new(struct loop *l, unsigned threads, unsigned limit,
			    struct err *err);
/* Waits for what is being done; done() is called for every job.  All queues
 * must be closed. */
void workers_free(struct workers *p);

void work_queue_open(struct workers *p, struct work_queue *q);
/* What waits there is not begun any more. */
void work_queue_close(struct workers *p, struct work_queue *q);
/* How many jobs one queue may hold now. */
unsigned work_queue_share(struct workers *p);
/* -1: the queue is full; the job stays the caller's. */
ERR_WARN_UNUSED int work_submit(struct workers *p, struct work_queue *q,
				struct work *w);

#endif
