/* SPDX-License-Identifier: ISC */
#include "base/sort.h"

enum { VALUES = 256 }; /* of a byte */

static inline size_t
digit(uint64_t key, unsigned shift)
{
	return key >> shift & (VALUES - 1);
}

/* By one byte of the key. */
static void
deal(const struct sort_item *from, struct sort_item *to, size_t n,
     unsigned shift)
{
	size_t place[VALUES] = { 0 }, at = 0, i, here;

	for (i = 0; i < n; i++)
		place[digit(from[i].key, shift)]++;
	for (i = 0; i < VALUES; i++) {
		here = place[i];
		place[i] = at;
		at += here;
	}
	for (i = 0; i < n; i++)
		to[place[digit(from[i].key, shift)]++] = from[i];
}

struct sort_item *
sort_items(struct sort_item *v, struct sort_item *spare, size_t n)
{
	struct sort_item *to = spare, *was;
	uint64_t differ = 0;
	unsigned shift;
	size_t i;

	for (i = 1; i < n; i++)
		differ |= v[i].key ^ v[0].key;
	for (shift = 0; shift < 64; shift += 8) {
		if (!digit(differ, shift))
			continue;
		deal(v, to, n, shift);
		was = v;
		v = to;
		to = was;
	}
	return v;
}
