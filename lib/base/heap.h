/* SPDX-License-Identifier: ISC */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A binary min-heap of items embedded in their owners: pop the smallest key,
 * change or remove any item in O(log n).
 */
struct heap_item {
	uint64_t key;
	size_t at; /* position + 1; 0: not in a heap */
};

struct heap {
	struct heap_item **v;
	size_t n, size;
};

void heap_fini(struct heap *h);
/* Insert, or move to a new key if it is in already; -1 out of memory. */
int heap_set(struct heap *h, struct heap_item *it, uint64_t key);
void heap_remove(struct heap *h, struct heap_item *it);
/* The item with the smallest key, not removed; NULL if empty. */
struct heap_item *heap_top(const struct heap *h);

static inline bool
heap_has(const struct heap_item *it)
{
	return it->at != 0;
}

#endif
