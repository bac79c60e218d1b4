/* SPDX-License-Identifier: ISC */
#ifndef NET_CHAN_H
#define NET_CHAN_H

#include "net/loop.h"
#include "net/msg.h"

/*
 * A channel: one end of an AF_UNIX SOCK_SEQPACKET pair between an asker and a
 * service, bound to a row of the channel table.  The row says which messages
 * may travel in each direction, which fields this asker may not set, and how
 * many requests may be unanswered.  A peer that breaks the row, or sends what
 * does not decode, loses the channel; the receiver goes on.
 */
struct chan_msg {
	const struct msg_def *def;
	uint64_t deny; /* bit i: field i must be zero, empty, -1 */
};

struct chan_row {
	const char *name;
	uint8_t asker, service;		   /* enum service_id */
	uint16_t inflight;		   /* unanswered requests at most */
	const struct chan_msg *to_service; /* end: def NULL */
	const struct chan_msg *to_asker;   /* end: def NULL */
};

enum chan_side { CHAN_ASKER, CHAN_SERVICE };

struct chan;

struct chan_ops {
	/*
	 * A message, decoded and checked.  Slices live until the callback
	 * returns.  Descriptors belong to the channel and are closed after the
	 * callback, unless the callback takes them by setting the field to -1.
	 */
	void (*on_msg)(struct chan *c, void *arg, uint32_t tag,
		       const struct msg_def *def, void *msg);
	/* EOF, error or a breach by the peer, once, and not after
	 * chan_close().  The owner drops its pointer; the channel frees
	 * itself. */
	void (*on_close)(struct chan *c, void *arg);
};

/* Takes fd (closed on failure too). */
struct chan *chan_new(struct loop *l, int fd, const struct chan_row *row,
		      enum chan_side side, const struct chan_ops *ops,
		      void *arg);
/* Send what is queued as far as possible, then close and free.  Safe inside
 * the channel's own callbacks. */
void chan_close(struct chan *c);

/* Keep the struct (not the connection) alive: for answers that come later.
 * Sends on a channel that is closed are dropped and return -1. */
struct chan *chan_ref(struct chan *c);
void chan_unref(struct chan *c);
bool chan_is_open(const struct chan *c);

/*
 * Queue one frame; it is sent at the end of the turn.  Descriptors in the
 * message are duplicated: they stay the caller's.  -1 if the message breaks
 * its own table (logged), the channel is closed, or more than CHAN_QUEUE_MAX
 * bytes wait (the channel is then closed as stuck).
 */
enum { CHAN_QUEUE_MAX = 16 * 1024 * 1024 };
int chan_send(struct chan *c, uint32_t tag, const struct msg_def *def,
	      const void *msg);
/* Memory of what waits to be sent, in bytes. */
size_t chan_queued(const struct chan *c);

/* Stop and start reading (back-pressure). */
void chan_pause(struct chan *c);
void chan_resume(struct chan *c);

void *chan_arg(const struct chan *c);
const struct chan_row *chan_row(const struct chan *c);
/* Requests received and not answered yet (service), or sent and not answered
 * (asker). */
unsigned chan_inflight(const struct chan *c);

#endif
