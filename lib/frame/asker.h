/* SPDX-License-Identifier: ISC */
#ifndef FRAME_ASKER_H
#define FRAME_ASKER_H

#include "frame/daemon.h"

/*
 * The asking side of a row, as every <peer>_client.c uses it: connects through
 * master, connects again after EOF, keeps no more requests in flight than the
 * row allows (the rest waits here), matches answers by tag, and lets requests
 * fail at their deadline or at EOF.
 */
struct asker;

/* The last answer (MSG_REPLY) to a request, or NULL: EOF or deadline, so
 * nobody knows whether it was done (ERR_TEMP).  Also called with each part
 * (MSG_PART) that comes under the tag before the reply.  Fields of type MSG_FD
 * may be taken by setting them to -1.
 *
 * Where a row has several kinds of requests, the service, if it has been taken
 * over, may answer one with what belongs to another: look at def. */
typedef void asker_reply_cb(void *arg, const struct msg_def *def, void *msg);

/* A note from the service (a message under no request's tag). */
typedef void asker_note_cb(void *arg, const struct msg_def *def, void *msg);

/* Connection up or down; may be NULL. */
typedef void asker_state_cb(void *arg, bool up);

struct asker *asker_new(struct daemon *d, enum service_id service,
			asker_note_cb *note, asker_state_cb *state, void *arg);
/* To one worker of a service, counted from 1: for who deals work out to all of
 * them. */
struct asker *asker_new_worker(struct daemon *d, enum service_id service,
			       unsigned worker, asker_note_cb *note,
			       asker_state_cb *state, void *arg);
/* The same over a channel made by other means (spawner's OPENED); it does not
 * reconnect: after EOF every request fails. Takes fd. */
struct asker *asker_new_fd(struct loop *l, int fd, const struct chan_row *row,
			   asker_state_cb *state, void *arg);
/* Notes from a service that asker_new_fd() talks to. */
void asker_set_note(struct asker *a, asker_note_cb *note);
/* Outstanding callbacks are called with NULL first. */
void asker_free(struct asker *a);

/*
 * Send a request.  deadline_ms 0: none.  The message is encoded at once, so
 * its slices may go; descriptors are duplicated.  Returns the tag (never 0),
 * or 0 if it cannot be queued (too many wait: ASKER_QUEUE_MAX, or the message
 * breaks its table): cb is then not called.
 */
enum { ASKER_QUEUE_MAX = 4096 };
uint32_t asker_send(struct asker *a, const struct msg_def *def, const void *msg,
		    unsigned deadline_ms, asker_reply_cb *cb, void *arg);
/* Parts (no MSG_REQUEST flag) that belong before a request with this tag: take
 * a fresh tag, send the parts, then the request with asker_send_tagged().
 * -1 if the connection is down: the sequence is void. */
uint32_t asker_tag(struct asker *a);
int asker_send_part(struct asker *a, uint32_t tag, const struct msg_def *def,
		    const void *msg);
uint32_t asker_send_tagged(struct asker *a, uint32_t tag,
			   const struct msg_def *def, const void *msg,
			   unsigned deadline_ms, asker_reply_cb *cb, void *arg);
/* Forget a request: its callback is not called; its answer is dropped. */
void asker_cancel(struct asker *a, uint32_t tag);
/* Bytes of messages that the service has not read yet: who may be told less
 * instead looks here first. */
size_t asker_unsent(const struct asker *a);
bool asker_is_up(const struct asker *a);
/* Requests sent or waiting. */
unsigned asker_pending(const struct asker *a);

#endif
