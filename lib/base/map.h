/* SPDX-License-Identifier: ISC */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

/*
 * A hash table from byte strings to pointers, under the process's random key.
 * Keys are borrowed: they must live as long as the entry (usually inside the
 * value).
 */
struct map_slot {
	struct str key;
	void *value; /* NULL: empty */
	uint64_t hash;
};

struct map {
	struct map_slot *v;
	size_t n, size;
};

void map_fini(struct map *m);
void *map_get(const struct map *m, struct str key);
/* Insert or replace; value is not NULL; -1 out of memory. */
int map_put(struct map *m, struct str key, void *value);
/* Remove and return the value, or NULL. */
void *map_del(struct map *m, struct str key);
/* Walk: for (i = 0; (v = map_next(m, &i)); ) — no change meanwhile. */
void *map_next(const struct map *m, size_t *i);

/* Keys that are integers: a slice of the caller's own variable. */
#define MAP_KEY(var) ((struct str){ (const char *)&(var), sizeof(var) })

#endif
