/* SPDX-License-Identifier: ISC */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/buf.h"
#include "net/loop.h"

/*
 * A buffered stream to a client: limits, a deadline, output that leaves once a
 * turn (so that pipelined replies share a packet).
 *
 * Input: on_input is called whenever unread input grew, and again after
 * conn_resume(); it looks at conn_input(), eats what it understands with
 * conn_consume() and returns.  When the unread input reaches in_limit no more
 * is read until some is consumed.
 */
enum conn_end {
	CONN_EOF,      /* the peer closed its side */
	CONN_ERROR,    /* reset or other error */
	CONN_DEADLINE, /* nothing happened in time */
	CONN_STUCK,    /* output passed its limit: the peer does not read */
};

struct conn;

struct conn_ops {
	void (*on_input)(struct conn *c, void *arg);
	/* Output fell to nothing after conn_write(); may be NULL. */
	void (*on_drained)(struct conn *c, void *arg);
	/* Once; the connection still exists until the owner calls
	 * conn_close(), which it should do here (a last reply may be
	 * written first, for CONN_DEADLINE). */
	void (*on_end)(struct conn *c, void *arg, enum conn_end why);
};

/* Takes fd and makes it non-blocking; closed on failure.  Sockets accepted from
 * master's listeners have TCP_NODELAY from there. */
struct conn *conn_new(struct loop *l, int fd, size_t in_limit, size_t out_limit,
		      const struct conn_ops *ops, void *arg);
/* Try once to send what waits, then close (lingering output of a closed
 * connection is left to the kernel) and free.  Safe in callbacks. */
void conn_close(struct conn *c);
/* Close once all output is sent, or after timeout_ms; no callback follows. */
void conn_close_drained(struct conn *c, unsigned timeout_ms);
/* Give the descriptor away (unsent output is sent first as far as possible;
 * -1 if some remains or the connection ended); the conn is freed, *input gets
 * the unread bytes (owned by the caller: buf_fini()). */
int conn_detach(struct conn *c, struct buf *input);

struct str conn_input(const struct conn *c);
void conn_consume(struct conn *c, size_t n);
/* As if these bytes had been read first (hand-over of pending input). */
int conn_preload(struct conn *c, struct str s);

/* Queue output; -1 (and CONN_STUCK later) above out_limit. */
int conn_write(struct conn *c, struct str s);
int conn_writef(struct conn *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The output buffer itself, to format into; sent at the end of the turn. */
struct buf *conn_out(struct conn *c);
/* Bytes not yet taken by the kernel. */
size_t conn_unsent(const struct conn *c);

/* While paused no input is read and on_input is not called.  conn_resume()
 * calls on_input at the end of the turn if unread input is there. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* Sees all bytes: of the input as they are read (what is there already, at
 * once), of the output as they are sent.  It lives as long as the connection,
 * which may be longer than its owner's interest; end() is the last call. */
struct conn_tap {
	void (*bytes)(struct conn_tap *t, bool out, struct str s);
	void (*end)(struct conn_tap *t);
};
void conn_tap(struct conn *c, struct conn_tap *t);

/* CONN_DEADLINE after ms without a new call; 0: none. */
void conn_deadline(struct conn *c, unsigned ms);

#endif
