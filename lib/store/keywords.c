/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "store/keywords.h"

void
keywords_init(struct keywords *k)
{
	*k = (struct keywords){ .nsets = 1 };
}

void
keywords_fini(struct keywords *k)
{
	keywords_cut(k, 0, 1);
	free(k->v);
	free(k->set);
	map_fini(&k->by_name);
	map_fini(&k->by_ids);
	keywords_init(k);
}

/* --- names ---------------------------------------------------------------- */

static struct str
fold(char out[KEYWORD_NAME_MAX], struct str name)
{
	size_t i;

	if (name.n > KEYWORD_NAME_MAX)
		return STR_NULL;
	for (i = 0; i < name.n; i++)
		out[i] = ascii_lower(name.p[i]);
	return str_mem(out, name.n);
}

uint32_t
keywords_find(const struct keywords *k, struct str name)
{
	char folded[KEYWORD_NAME_MAX];
	struct keyword *w = map_get(&k->by_name, fold(folded, name));

	return w ? w->id : KEYWORD_NONE;
}

bool
keyword_is_name(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f ||
		    strchr("(){%*\"\\]", s.p[i]))
			return false;
	return s.n && s.n <= KEYWORD_NAME_MAX;
}

uint32_t
keywords_add(struct keywords *k, struct str name)
{
	struct keyword **v = k->v, *w;
	char folded[KEYWORD_NAME_MAX];
	struct str key;

	key = fold(folded, name);
	if (!key.p || k->n == INDEX_KEYWORDS_MAX || !keyword_is_name(name) ||
	    keywords_find(k, name) != KEYWORD_NONE)
		return KEYWORD_NONE;
	if (k->n == k->size) {
		v = reallocarray(k->v, k->size * 2u + 16, sizeof(*v));
		if (!v)
			return KEYWORD_NONE;
		k->v = v;
		k->size = k->size * 2 + 16;
	}
	w = malloc(sizeof(*w) + 2 * (name.n + 1));
	if (!w)
		return KEYWORD_NONE;
	w->id = k->n;
	memcpy(w->name, name.p, name.n);
	w->name[name.n] = '\0';
	w->folded = w->name + name.n + 1;
	memcpy(w->folded, key.p, key.n);
	w->folded[key.n] = '\0';
	if (map_put(&k->by_name, str_mem(w->folded, key.n), w) < 0) {
		free(w);
		return KEYWORD_NONE;
	}
	v[k->n] = w;
	return k->n++;
}

/* --- sets ----------------------------------------------------------------- */

static struct str
ids_key(const uint32_t *ids, uint32_t n)
{
	return str_mem(ids, n * sizeof(*ids));
}

uint32_t
keywords_find_set(const struct keywords *k, const uint32_t *ids, uint32_t n)
{
	struct keyword_set *s;

	if (n == 0)
		return 0;
	s = map_get(&k->by_ids, ids_key(ids, n));
	return s ? s->number : UINT32_MAX;
}

static bool
are_ids(const struct keywords *k, const uint32_t *ids, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (ids[i] >= k->n || (i && ids[i] <= ids[i - 1]))
			return false;
	return n != 0;
}

uint32_t
keywords_add_set(struct keywords *k, const uint32_t *ids, uint32_t n)
{
	struct keyword_set **set = k->set, *s;

	if (k->nsets == UINT32_MAX || !are_ids(k, ids, n) ||
	    keywords_find_set(k, ids, n) != UINT32_MAX)
		return UINT32_MAX;
	if (k->nsets >= k->sets_size) {
		set = reallocarray(k->set, k->sets_size * 2u + 16,
				   sizeof(struct keyword_set *));
		if (!set)
			return UINT32_MAX;
		k->set = set;
		k->sets_size = k->sets_size * 2 + 16;
		set[0] = NULL;
	}
	s = malloc(sizeof(*s) + n * sizeof(*ids));
	if (!s)
		return UINT32_MAX;
	s->number = k->nsets;
	s->n = n;
	memcpy(s->ids, ids, n * sizeof(*ids));
	if (map_put(&k->by_ids, ids_key(s->ids, n), s) < 0) {
		free(s);
		return UINT32_MAX;
	}
	set[k->nsets] = s;
	return k->nsets++;
}

const uint32_t *
keywords_set(const struct keywords *k, uint32_t set, size_t *n)
{
	*n = 0;
	if (set == 0 || set >= k->nsets)
		return NULL;
	*n = k->set[set]->n;
	return k->set[set]->ids;
}

void
keywords_cut(struct keywords *k, uint32_t n, uint32_t nsets)
{
	struct keyword_set *s;
	struct keyword *w;

	while (k->nsets > nsets) {
		s = k->set[--k->nsets];
		map_del(&k->by_ids, ids_key(s->ids, s->n));
		free(s);
	}
	while (k->n > n) {
		w = k->v[--k->n];
		map_del(&k->by_name, str_of(w->folded));
		free(w);
	}
}
