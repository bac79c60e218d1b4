/* SPDX-License-Identifier: ISC */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <event2/event.h>

#include "base/err.h"
#include "base/list.h"

/*
 * The loop of a daemon: libevent's base, and what is done once a turn, after
 * the callbacks: channels and connections that have output send it in one
 * call, log lines go out.  Use libevent's own functions on .base for events.
 */
struct loop {
	struct event_base *base;
	struct list dirty; /* links of struct loop_flush */
	bool stop;
	char *scratch; /* receive buffers of channels, allocated at first use */
};

/* Embedded in what wants to be flushed at the end of the turn. */
struct loop_flush {
	struct list link;
	void (*fn)(struct loop_flush *f);
};

ERR_WARN_UNUSED int loop_init(struct loop *l, struct err *err);
void loop_fini(struct loop *l);
/* Until loop_stop(), or no event is left. */
void loop_run(struct loop *l);
/* One turn: wait for events (or not, if !wait), run callbacks, flush. */
void loop_turn(struct loop *l, bool wait);
void loop_stop(struct loop *l);

void loop_flush_init(struct loop_flush *f, void (*fn)(struct loop_flush *f));
/* Ask for f->fn at the end of this turn; more than once is once. */
void loop_flush_want(struct loop *l, struct loop_flush *f);
void loop_flush_cancel(struct loop_flush *f);

#endif
