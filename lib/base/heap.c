/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "base/heap.h"

void
heap_fini(struct heap *h)
{
	free(h->v);
	*h = (struct heap){ 0 };
}

static void
place(struct heap *h, size_t i, struct heap_item *it)
{
	h->v[i] = it;
	it->at = i + 1;
}

static size_t
sift_up(struct heap *h, size_t i, struct heap_item *it)
{
	while (i && h->v[(i - 1) / 2]->key > it->key) {
		place(h, i, h->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, it);
	return i;
}

static void
sift_down(struct heap *h, size_t i, struct heap_item *it)
{
	size_t c;

	while ((c = 2 * i + 1) < h->n) {
		if (c + 1 < h->n && h->v[c + 1]->key < h->v[c]->key)
			c++;
		if (h->v[c]->key >= it->key)
			break;
		place(h, i, h->v[c]);
		i = c;
	}
	place(h, i, it);
}

int
heap_set(struct heap *h, struct heap_item *it, uint64_t key)
{
	struct heap_item **v;
	size_t size;

	it->key = key;
	if (it->at) {
		sift_down(h, sift_up(h, it->at - 1, it), it);
		return 0;
	}
	if (h->n == h->size) {
		size = h->size ? h->size * 2 : 64;
		v = reallocarray(h->v, size, sizeof(*v));
		if (!v)
			return -1;
		h->v = v;
		h->size = size;
	}
	sift_up(h, h->n++, it);
	return 0;
}

void
heap_remove(struct heap *h, struct heap_item *it)
{
	struct heap_item *last;
	size_t i;

	if (!it->at)
		return;
	i = it->at - 1;
	BUG_ON(i >= h->n || h->v[i] != it);
	it->at = 0;
	last = h->v[--h->n];
	if (last != it)
		sift_down(h, sift_up(h, i, last), last);
}

struct heap_item *
heap_top(const struct heap *h)
{
	return h->n ? h->v[0] : NULL;
}
