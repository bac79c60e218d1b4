/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_PEERS_H
#define LOCAL_PEERS_H

#include "net/chan.h"

/*
 * The channels of a delivering process: to spawner, and those to qmgr that
 * spawner passes on (USER_PEER).  It stops the loop when none of qmgr's has
 * been left for DELIVER_IDLE_S, or the last one is closed and spawner is gone.
 */
typedef void peers_msg_fn(struct chan *c, void *arg, uint32_t tag,
			  const struct msg_def *def, void *msg);

struct peers_ops {
	peers_msg_fn *on_deliver; /* a request of qmgr's */
	peers_msg_fn *on_spawner; /* beside USER_PEER; may be NULL */
	bool (*busy)(void *arg);  /* work is under way: stay */
};

struct peers {
	struct loop *loop;
	const struct peers_ops *ops;
	void *arg;
	struct list askers;   /* of struct asker_link */
	struct chan *spawner; /* NULL: gone */
	struct event *idle;
	bool paused;
};

/* Takes fd, the channel to spawner, by this row. */
ERR_WARN_UNUSED int peers_init(struct peers *p, struct loop *l, int fd,
			       const struct chan_row *row,
			       const struct peers_ops *ops, void *arg,
			       struct err *err);
void peers_fini(struct peers *p);

/* Read no more requests, or read again. */
void peers_pause(struct peers *p, bool pause);
/* Work has ended: perhaps that was the last of it. */
void peers_rest(struct peers *p);
/* Close this channel of qmgr's, as if we had died: the queue still has the
 * message. */
void peers_drop(struct peers *p, struct chan *c);

#endif
