/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "store/history.h"

void
history_fini(struct history *h)
{
	free(h->v);
	*h = (struct history){ 0 };
}

/* Forget the oldest n. */
static void
forget(struct history *h, size_t n)
{
	h->floor = h->v[n - 1].modseq;
	h->n -= n;
	memmove(h->v, h->v + n, h->n * sizeof(*h->v));
}

void
history_add(struct history *h, uint64_t modseq, uint32_t lo, uint32_t hi)
{
	struct expunged *v, *last = h->n ? &h->v[h->n - 1] : NULL;

	if (last && last->modseq == modseq && last->hi != UINT32_MAX &&
	    last->hi + 1 == lo) {
		last->hi = hi;
		return;
	}
	if (!h->v || h->n == h->size) {
		v = reallocarray(h->v, h->size * 2 + 16, sizeof(*v));
		if (!v) {
			h->n = 0;
			h->floor = modseq;
			return;
		}
		h->v = v;
		h->size = h->size * 2 + 16;
	}
	h->v[h->n++] = (struct expunged){ modseq, lo, hi };
	if (h->n == HISTORY_MAX + HISTORY_MAX / 8)
		forget(h, HISTORY_MAX / 8);
}

static int
by_lo(const void *a, const void *b)
{
	const struct expunged *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

bool
history_since(const struct history *h, uint64_t since, index_range_fn *fn,
	      void *arg)
{
	size_t lo = 0, hi = h->n, mid, n, i;
	struct expunged *v, *at;

	if (since < h->floor)
		return false;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (h->v[mid].modseq <= since)
			lo = mid + 1;
		else
			hi = mid;
	}
	n = h->n - lo;
	if (n == 0)
		return true;
	v = reallocarray(NULL, n, sizeof(*v));
	if (!v)
		return false;
	memcpy(v, h->v + lo, n * sizeof(*v));
	qsort(v, n, sizeof(*v), by_lo);
	for (at = v, i = 1; i < n; i++) {
		if (v[i].lo <= at->hi || v[i].lo == at->hi + 1) {
			if (v[i].hi > at->hi)
				at->hi = v[i].hi;
		} else {
			fn(arg, at->lo, at->hi);
			at = &v[i];
		}
	}
	fn(arg, at->lo, at->hi);
	free(v);
	return true;
}
