/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/enc.h"
#include "base/err.h"
#include "base/map.h"

void
map_fini(struct map *m)
{
	free(m->v);
	*m = (struct map){ 0 };
}

/* The slot that holds key, or the empty one where it belongs. */
static struct map_slot *
slot_of(const struct map *m, struct str key, uint64_t hash)
{
	size_t i = hash & (m->size - 1);

	while (m->v[i].value &&
	       !(m->v[i].hash == hash && str_eq(m->v[i].key, key)))
		i = (i + 1) & (m->size - 1);
	return &m->v[i];
}

void *
map_get(const struct map *m, struct str key)
{
	return m->n ? slot_of(m, key, enc_hash(key))->value : NULL;
}

static int
grow(struct map *m)
{
	struct map bigger = { .size = m->size ? m->size * 2 : 16 };
	size_t i;

	bigger.v = calloc(bigger.size, sizeof(*bigger.v));
	if (!bigger.v)
		return -1;
	for (i = 0; i < m->size; i++)
		if (m->v[i].value)
			*slot_of(&bigger, m->v[i].key, m->v[i].hash) = m->v[i];
	bigger.n = m->n;
	free(m->v);
	*m = bigger;
	return 0;
}

int
map_put(struct map *m, struct str key, void *value)
{
	struct map_slot *s;
	uint64_t hash = enc_hash(key);

	BUG_ON(!value);
	if (m->n + 1 > m->size / 4 * 3 && grow(m) < 0)
		return -1;
	s = slot_of(m, key, hash);
	if (!s->value)
		m->n++;
	*s = (struct map_slot){ key, value, hash };
	return 0;
}

void *
map_del(struct map *m, struct str key)
{
	struct map_slot *s;
	size_t hole, i, home, mask = m->size - 1;
	void *value;

	if (!m->n)
		return NULL;
	s = slot_of(m, key, enc_hash(key));
	value = s->value;
	if (!value)
		return NULL;
	m->n--;
	/* Pull later entries of the same run back into the hole. */
	hole = (size_t)(s - m->v);
	for (i = (hole + 1) & mask; m->v[i].value; i = (i + 1) & mask) {
		home = m->v[i].hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->v[hole] = m->v[i];
			hole = i;
		}
	}
	m->v[hole].value = NULL;
	return value;
}

void *
map_next(const struct map *m, size_t *i)
{
	while (*i < m->size)
		if (m->v[(*i)++].value)
			return m->v[*i - 1].value;
	return NULL;
}
