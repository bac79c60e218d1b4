/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "receive/uids.h"

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

/* Make room: forget somebody who matters no more. */
static void
sweep(struct uids *us, uint64_t now)
{
	struct uid_use *u;
	size_t i = 0;

	while ((u = map_next(&us->map, &i)))
		if (!u->connections && u->hour_end <= now) {
			map_del(&us->map, MAP_KEY(u->uid));
			free(u);
			return; /* a walk bears no change */
		}
}

struct uid_use *
uids_enter(struct uids *us, uint32_t uid, uint64_t now)
{
	struct uid_use *u = map_get(&us->map, MAP_KEY(uid));

	if (!u) {
		if (us->map.n >= UIDS_MAX)
			sweep(us, now);
		if (us->map.n >= UIDS_MAX)
			return NULL;
		u = calloc(1, sizeof(*u));
		if (!u)
			return NULL;
		u->uid = uid;
		if (map_put(&us->map, MAP_KEY(u->uid), u) < 0) {
			free(u);
			return NULL;
		}
	}
	u->connections++;
	return u;
}

void
uids_leave(struct uid_use *u)
{
	u->connections--;
}

/* An interval that is over begins anew. */
static void
roll(unsigned *n, uint64_t *end, unsigned length, uint64_t now)
{
	if (*end > now)
		return;
	*n = 0;
	*end = now + length;
}

bool
uids_message(struct uid_use *u, unsigned per_minute, unsigned per_hour,
	     uint64_t now)
{
	roll(&u->minute, &u->minute_end, MINUTE_MS, now);
	roll(&u->hour, &u->hour_end, HOUR_MS, now);
	if ((per_minute && u->minute >= per_minute) ||
	    (per_hour && u->hour >= per_hour))
		return false;
	u->minute++;
	u->hour++;
	return true;
}

void
uids_fini(struct uids *us)
{
	struct uid_use *u;
	size_t i = 0;

	while ((u = map_next(&us->map, &i)))
		free(u);
	map_fini(&us->map);
}
