/* SPDX-License-Identifier: ISC */
#ifndef QMGR_IO_H
#define QMGR_IO_H

#include "base/list.h"
#include "net/loop.h"

/*
 * The threads that touch the disk.  The scheduler hands jobs over and gets
 * them back in its loop; results come in one wake-up for as many jobs as are
 * ready.  A thread takes several jobs of one kind at once, so that stores
 * share a trip of the journal.
 */
struct io;
struct io_job;

struct io_kind {
	/* In a thread: do n jobs (1 .. batch). */
	void (*run)(struct io_job **v, size_t n);
	/* In the loop, for each; the job is the owner's again. */
	void (*done)(struct io_job *j);
	unsigned batch; /* at most IO_BATCH */
};

enum { IO_BATCH = 16, IO_QUEUES = 2 };

/* Stores and everything else wait in queues of their own and take turns. */
enum io_queue { IO_STORE, IO_OTHER };

struct io_job {
	struct list link;
	const struct io_kind *kind;
};

ERR_WARN_UNUSED int io_start(struct io **io, struct loop *l, unsigned threads,
			     struct err *err);
/* Finish all jobs, also those not begun, call their done(), end the threads. */
void io_stop(struct io *io);

void io_submit(struct io *io, enum io_queue queue, const struct io_kind *kind,
	       struct io_job *j);
/* Jobs handed over whose done() was not called yet. */
size_t io_pending(const struct io *io);

#endif
