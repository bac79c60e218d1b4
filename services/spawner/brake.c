/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "brake.h"

struct brake_row {
	struct str key;
	unsigned deaths;
	uint64_t died_ms, until_ms;
	char key_mem[];
};

static void
drop(struct brake *b, struct brake_row *r)
{
	map_del(&b->by_key, r->key);
	free(r);
}

void
brake_fini(struct brake *b)
{
	struct brake_row *r;
	size_t i;

	while ((i = 0, r = map_next(&b->by_key, &i)))
		drop(b, r);
	map_fini(&b->by_key);
}

static void
forget_old(struct brake *b, uint64_t now)
{
	struct brake_row *r;
	size_t i = 0;

	while ((r = map_next(&b->by_key, &i)))
		if (now - r->died_ms > BRAKE_FORGET_MS) {
			drop(b, r);
			i = 0; /* the map has changed */
		}
}

static struct brake_row *
row_new(struct brake *b, struct str key, uint64_t now)
{
	struct brake_row *r;

	if (b->by_key.n >= BRAKE_MANY)
		forget_old(b, now);
	r = calloc(1, sizeof(*r) + key.n);
	if (!r)
		return NULL;
	memcpy(r->key_mem, key.p, key.n);
	r->key = str_mem(r->key_mem, key.n);
	if (map_put(&b->by_key, r->key, r) < 0) {
		free(r);
		return NULL;
	}
	return r;
}

unsigned
brake_note(struct brake *b, struct str key, bool badly, uint64_t lived_ms,
	   uint64_t now)
{
	struct brake_row *r = map_get(&b->by_key, key);
	unsigned pause;

	if (!badly || lived_ms >= BRAKE_LIFE_MS) {
		if (r)
			drop(b, r);
		return 0;
	}
	if (!r)
		r = row_new(b, key, now);
	if (!r)
		return 0; /* without memory there is no brake */
	r->died_ms = now;
	if (r->deaths < 8)
		r->deaths++;
	if (r->deaths == 1)
		return 0;
	pause = 1u << (r->deaths - 2);
	if (pause > BRAKE_PAUSE_MAX_S)
		pause = BRAKE_PAUSE_MAX_S;
	r->until_ms = now + 1000ull * pause;
	return pause;
}

uint64_t
brake_wait(const struct brake *b, struct str key, uint64_t now)
{
	const struct brake_row *r = map_get(&b->by_key, key);

	return r && r->until_ms > now ? r->until_ms - now : 0;
}
