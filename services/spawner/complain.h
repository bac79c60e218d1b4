/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_COMPLAIN_H
#define SPAWNER_COMPLAIN_H

#include <sys/stat.h>

#include "base/map.h"

/*
 * What is tried every half a minute, and fails each time, is said once for each
 * state of the file it is about, and again after COMPLAIN_AGAIN_MS.  Pure but
 * for memory; times are monotonic.
 */
enum { COMPLAIN_AGAIN_MS = 3600 * 1000, COMPLAIN_MAX = 1000 };

struct complaints {
	struct map by_key; /* of struct complaint */
};

void complaints_fini(struct complaints *c);
/* Is it to be said?  st: of the file, all zero if it was not seen.  Above
 * COMPLAIN_MAX, and without memory, all is said. */
bool complain(struct complaints *c, struct str key, const struct stat *st,
	      uint64_t now_ms);
/* It went well: the next failure is news. */
void complain_no_more(struct complaints *c, struct str key);

#endif
