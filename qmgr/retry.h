/* SPDX-License-Identifier: ISC */
#ifndef QMGR_RETRY_H
#define QMGR_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* What the scheduler decides, as pure functions.  Times in microseconds of the
 * wall clock. */
struct retry_rule {
	uint64_t min_us, max_us; /* minimal_, maximal_backoff_time */
};

/* The next try of a message deferred now: after as long as it has been in the
 * queue, but within the bounds (Postfix's rule). */
uint64_t retry_next_try(const struct retry_rule *r, uint64_t arrival,
			uint64_t now);
/* Has it been in the queue for too long to be tried again? */
bool retry_expired(uint64_t lifetime_us, uint64_t arrival, uint64_t now);

/* How long a worker that died is left alone: 1 s doubling to 60 s. */
unsigned retry_worker_pause_s(unsigned deaths);

/* Seconds as Postfix logs them: two digits that matter, nothing below 0.01. */
enum { DELAY_MAX = 24 };
const char *retry_delay(uint64_t us, char out[DELAY_MAX]);

#endif
