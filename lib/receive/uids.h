/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_UIDS_H
#define RECEIVE_UIDS_H

#include "base/map.h"

/*
 * How much the users of this host take of this process: connections now, and
 * messages in the current minute and hour.  Who has no connection and whose
 * hour is over is forgotten.
 */
enum { UIDS_MAX = 4096 };

struct uids {
	struct map map;
};

struct uid_use {
	uint32_t uid;
	unsigned connections;
	unsigned minute, hour;	       /* messages */
	uint64_t minute_end, hour_end; /* monotonic ms */
};

/* One more connection; NULL: no memory, or more users than UIDS_MAX. */
struct uid_use *uids_enter(struct uids *us, uint32_t uid, uint64_t now);
void uids_leave(struct uid_use *u);
/* Count a message; false: it is one too many (0: no limit). */
bool uids_message(struct uid_use *u, unsigned per_minute, unsigned per_hour,
		  uint64_t now);
void uids_fini(struct uids *us);

#endif
