/* SPDX-License-Identifier: ISC */
#include "frame/config.h"

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Damerau-Levenshtein distance, each pair of neighbours swapped at most once:
 * three rows of the table are enough.
 */
static size_t
distance(struct str a, struct str b)
{
	size_t rows[3][MAINCF_NAME_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2], *spare;
	size_t i, j;

	for (j = 0; j <= b.n; j++)
		last[j] = j;
	for (i = 1; i <= a.n; i++) {
		now[0] = i;
		for (j = 1; j <= b.n; j++) {
			size_t swap = a.p[i - 1] != b.p[j - 1];

			now[j] = least(least(last[j] + 1, now[j - 1] + 1),
				       last[j - 1] + swap);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1])
				now[j] = least(now[j], before[j - 2] + 1);
		}
		spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[b.n];
}

const char *
config_nearest(const struct config *c, struct str name)
{
	size_t best = 2 + name.n / 4, d, i = 0;
	const struct config_value *v;
	const char *found = NULL;

	if (name.n > MAINCF_NAME_MAX)
		return NULL;
	while ((v = map_next(&c->by_name, &i))) {
		if (!v->row || v->name.n > MAINCF_NAME_MAX)
			continue;
		d = distance(name, v->name);
		/* The map has no order; the answer does not depend on it. */
		if (d > best ||
		    (d == best && (!found || strcmp(v->row->name, found) > 0)))
			continue;
		best = d;
		found = v->row->name;
	}
	return found;
}
