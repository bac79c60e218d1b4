/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_MBOX_SERVE_H
#define LOCAL_MBOX_SERVE_H

#include "base/param.h"
#include "peers.h"
#include "store/mbox_file.h"

/*
 * The process of one mbox.  What comes while the file is locked by others
 * waits, and is tried again by a timer (deliver_lock_delay); all that waits is
 * written under one lock and made durable by one sync.  spawner may lease the
 * locked file for the taker: the lock is kept until the last copy of a pipe's
 * end is closed, by whatever death.
 */
struct mbox_serve {
	struct loop *loop;
	struct peers peers;
	struct mbox_file file;
	uint64_t limit; /* mailbox_size_limit */
	unsigned attempts_max, delay_s, attempts;
	struct list letters; /* of struct letter: to be written */
	struct list leases;  /* of struct lease: asked for */
	int leased;	     /* reading end while the lease lasts; -1 */
	struct event *on_return, *retry;
	struct loop_flush work;
	bool waiting; /* for the lock */
	bool leaving; /* the file is not the mailbox any more */
};

/* fd: the open mbox, dir: its directory; both stay the caller's, as name and
 * params.  Takes spawner. */
ERR_WARN_UNUSED int mbox_serve_init(struct mbox_serve *s, struct loop *l,
				    int spawner, int dir, const char *name,
				    int fd, const struct params *params,
				    struct err *err);
/* What waits is dropped: the queue has it. */
void mbox_serve_fini(struct mbox_serve *s);

#endif
