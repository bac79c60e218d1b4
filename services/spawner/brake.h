/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_BRAKE_H
#define SPAWNER_BRAKE_H

#include "base/map.h"

/*
 * Users' processes that end badly at once, again and again, are not forked as
 * fast as their clients come back: after the second such death in a row 1 s
 * passes, then 2 s, up to 60 s.  One that lived for BRAKE_LIFE_MS, or ended
 * well, ends the row.  Pure but for memory; times are monotonic.
 */
enum {
	BRAKE_LIFE_MS = 60 * 1000,
	BRAKE_PAUSE_MAX_S = 60,
	BRAKE_FORGET_MS = 10 * 60 * 1000, /* after the last death */
	BRAKE_MANY = 1000,		  /* then old ones are looked for */
};

struct brake {
	struct map by_key; /* struct brake_row */
};

void brake_fini(struct brake *b);
/* A process ended.  Returns for how many seconds none is to follow it. */
unsigned brake_note(struct brake *b, struct str key, bool badly,
		    uint64_t lived_ms, uint64_t now_ms);
/* Milliseconds until one may be forked; 0: now. */
uint64_t brake_wait(const struct brake *b, struct str key, uint64_t now_ms);

#endif
