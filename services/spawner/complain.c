/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "complain.h"

struct complaint {
	struct stat st;
	uint64_t said_ms;
	struct str key;
	char key_mem[];
};

static void
drop(struct complaints *c, struct complaint *e)
{
	map_del(&c->by_key, e->key);
	free(e);
}

void
complaints_fini(struct complaints *c)
{
	struct complaint *e;
	size_t i;

	while ((i = 0, e = map_next(&c->by_key, &i)))
		drop(c, e);
	map_fini(&c->by_key);
}

static bool
is_due(const struct complaint *e, uint64_t now)
{
	return now - e->said_ms >= COMPLAIN_AGAIN_MS;
}

static void
forget_old(struct complaints *c, uint64_t now)
{
	struct complaint *e;
	size_t i = 0;

	while ((e = map_next(&c->by_key, &i)))
		if (is_due(e, now)) {
			drop(c, e);
			i = 0; /* the map has changed */
		}
}

static struct complaint *
complaint_new(struct complaints *c, struct str key, uint64_t now)
{
	struct complaint *e;

	if (c->by_key.n >= COMPLAIN_MAX)
		forget_old(c, now);
	if (c->by_key.n >= COMPLAIN_MAX)
		return NULL;
	e = calloc(1, sizeof(*e) + key.n);
	if (!e)
		return NULL;
	memcpy(e->key_mem, key.p, key.n);
	e->key = str_mem(e->key_mem, key.n);
	if (map_put(&c->by_key, e->key, e) < 0) {
		free(e);
		return NULL;
	}
	return e;
}

/* Reading it changes neither. */
static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool
complain(struct complaints *c, struct str key, const struct stat *st,
	 uint64_t now)
{
	struct complaint *e = map_get(&c->by_key, key);

	if (e && is_same(&e->st, st) && !is_due(e, now))
		return false;
	if (!e)
		e = complaint_new(c, key, now);
	if (e) {
		e->st = *st;
		e->said_ms = now;
	}
	return true;
}

void
complain_no_more(struct complaints *c, struct str key)
{
	struct complaint *e = map_get(&c->by_key, key);

	if (e)
		drop(c, e);
}
