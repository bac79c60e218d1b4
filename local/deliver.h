/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_DELIVER_H
#define LOCAL_DELIVER_H

#include "boxes.h"
#include "peers.h"
#include "syncer.h"

/*
 * The delivering process: takes DELIVER requests, writes each recipient's file
 * while the request is in the buffer, syncs all of a turn together, and
 * answers a request when its last file is durable.
 */
enum { ARRIVED_MAX = 64 };

struct deliver {
	struct loop *loop;
	struct str host;
	struct boxes boxes;
	struct syncer *syncer;
	struct peers peers;
	/* Mailboxes with new mail on disk; spawner is told at the end of the
	 * turn, once each (POKE). */
	struct box *arrived[ARRIVED_MAX];
	unsigned narrived;
	struct loop_flush tell;
};

/* Takes fd, the channel to spawner.  root stays the caller's; host
 * (myhostname) must live as long. */
ERR_WARN_UNUSED int deliver_init(struct deliver *d, struct loop *l, int spawner,
				 int root, struct str host, struct err *err);
/* Ends what is under way and answers it as far as channels are open. */
void deliver_fini(struct deliver *d);

#endif
