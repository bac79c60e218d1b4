/* SPDX-License-Identifier: ISC */
#ifndef QMGR_WINDOW_H
#define QMGR_WINDOW_H

#include "base/err.h"
#include "base/str.h"

/*
 * How many deliveries may run to one destination: Postfix's feedback
 * (SCHEDULER_README), as pure functions.  Each success adds g(window) to a
 * sum, and when the sum reaches 1 the window grows by 1; each failure takes
 * f(window) from another, and as soon as that falls below 0 the window shrinks
 * by 1.  Failures also add 1/window to the number of failed cohorts; at the
 * limit the destination is dead.
 */
enum feedback_by { BY_NOTHING, BY_WINDOW, BY_SQRT };
struct feedback {
	double base; /* 0 .. 1 */
	enum feedback_by by;
};
/* "1", "0.5", "1/8", "1/concurrency", "2/sqrt_concurrency". -1: faulty. */
ERR_WARN_UNUSED int feedback_parse(struct str s, struct feedback *f);

struct window_rule {
	unsigned initial;
	unsigned limit; /* 0: none */
	double cohorts; /* how many may fail; 0: any number */
	struct feedback positive, negative;
};

struct window {
	unsigned n; /* at least 1 */
	double success, failure, cohorts;
};

/* At the start, and when a dead destination is back; busy: deliveries out. */
void window_reset(struct window *w, const struct window_rule *r, unsigned busy);
/* The rule has changed. */
void window_limit(struct window *w, const struct window_rule *r);
/* A delivery ended; busy counts it as well. */
void window_success(struct window *w, const struct window_rule *r,
		    unsigned busy);
/* True: the destination is dead. */
bool window_failure(struct window *w, const struct window_rule *r);

#endif
