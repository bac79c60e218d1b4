/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/enc.h"
#include "store/index_state.h"

/* One base name in the table; uid 0: free. */
struct base_hash {
	uint32_t hash, uid;
};

void
state_init(struct state *s)
{
	*s = (struct state){ 0 };
	keywords_init(&s->kw);
}

static void
block_fini(struct block *b)
{
	free(b->m);
	free(b->names);
}

void
state_drop_hash(struct state *s)
{
	free(s->hash);
	s->hash = NULL;
	s->hash_size = s->hash_used = 0;
}

void
state_fini(struct state *s)
{
	size_t i;

	for (i = 0; i < s->nb; i++)
		block_fini(&s->b[i]);
	free(s->b);
	state_drop_hash(s);
	keywords_fini(&s->kw);
	history_fini(&s->history);
	state_init(s);
}

void
state_from_header(struct state *s, const struct ilog_header *h)
{
	s->t.uidvalidity = h->uidvalidity;
	s->t.uidnext = h->uidnext;
	s->t.recent_from = 1;
	s->t.highestmodseq = h->modseq;
	s->history.floor = h->floor;
}

/* --- finding -------------------------------------------------------------- */

static struct block *
block_of(struct state *s, size_t slot)
{
	size_t lo = 0, hi = s->nb, mid;
	struct block *b;

	BUG_ON(slot >= s->slots);
	if (s->near < s->nb) {
		b = &s->b[s->near];
		if (slot >= b->first && slot < b->first + b->n)
			return b;
		if (slot == b->first + b->n && b[1].n) {
			s->near++;
			return b + 1;
		}
	}
	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (s->b[mid].first <= slot)
			lo = mid;
		else
			hi = mid;
	}
	s->near = lo;
	return &s->b[lo];
}

const struct message *
state_at(struct state *s, size_t slot)
{
	struct block *b = block_of(s, slot);

	return &b->m[slot - b->first];
}

struct message *
state_edit(struct state *s, size_t slot)
{
	struct block *b = block_of(s, slot);

	return &b->m[slot - b->first];
}

size_t
state_lower(struct state *s, uint32_t uid)
{
	size_t lo = 0, hi = s->nb, mid;
	const struct block *b;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->b[mid].last_uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == s->nb)
		return s->slots;
	b = &s->b[lo];
	s->near = lo;
	lo = 0;
	hi = b->n;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (b->m[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return b->first + lo;
}

static struct block *
block_with(struct state *s, uint32_t uid)
{
	size_t slot = state_lower(s, uid);

	return slot == s->slots ? NULL : block_of(s, slot);
}

struct str
state_base(struct state *s, const struct message *m)
{
	struct block *b = block_with(s, m->uid);

	if (!b || m->name > b->names_n || m->basen > b->names_n - m->name)
		return STR_NULL;
	return str_mem(b->names + m->name, m->basen);
}

/* --- by base name --------------------------------------------------------- */

static size_t
hash_home(const struct state *s, uint32_t hash)
{
	return (size_t)(hash * 0x9e3779b97f4a7c15u >> 20) & (s->hash_size - 1);
}

static void
hash_put(struct state *s, uint32_t hash, uint32_t uid)
{
	size_t i = hash_home(s, hash);

	while (s->hash[i].uid)
		i = (i + 1) & (s->hash_size - 1);
	s->hash[i] = (struct base_hash){ hash, uid };
	s->hash_used++;
}

static bool
hash_build(struct state *s)
{
	const struct message *m;
	size_t slot, n = 64;

	state_drop_hash(s);
	while (n < s->slots * 2)
		n *= 2;
	s->hash = calloc(n, sizeof(*s->hash));
	if (!s->hash)
		return false;
	s->hash_size = n;
	for (slot = 0; slot < s->slots; slot++) {
		m = state_at(s, slot);
		if (!m->gone)
			hash_put(s, m->hash, m->uid);
	}
	return true;
}

ssize_t
state_by_base(struct state *s, struct str base)
{
	uint32_t hash = enc_crc32c(0, base.p, base.n);
	const struct message *m;
	size_t i, slot;

	if (!s->hash && !hash_build(s))
		return -1;
	for (i = hash_home(s, hash); s->hash[i].uid;
	     i = (i + 1) & (s->hash_size - 1)) {
		if (s->hash[i].hash != hash)
			continue;
		slot = state_lower(s, s->hash[i].uid);
		if (slot == s->slots)
			continue;
		m = state_at(s, slot);
		if (m->uid == s->hash[i].uid && !m->gone &&
		    str_eq(state_base(s, m), base))
			return (ssize_t)slot;
	}
	return -1;
}

/* --- totals --------------------------------------------------------------- */

static void
add_to(uint64_t *total, bool yes, bool in)
{
	if (yes)
		*total += in ? 1 : UINT64_MAX;
}

void
state_count(struct state *s, const struct message *m, bool in)
{
	uint64_t named = m->disk & ~MESSAGE_IN_NEW;

	add_to(&s->t.messages, true, in);
	add_to(&s->t.unseen, !(m->flags & MAILDIR_SEEN), in);
	add_to(&s->t.deleted, m->flags & MAILDIR_TRASHED, in);
	add_to(&s->t.in_new, m->disk & MESSAGE_IN_NEW, in);
	add_to(&s->t.unnamed, named != m->flags, in);
}

/* --- adding --------------------------------------------------------------- */

/* A block that has room for one more message. */
static struct block *
last_block(struct state *s)
{
	struct block *b = s->nb ? &s->b[s->nb - 1] : NULL;

	if (b && b->n < BLOCK_SLOTS)
		return b;
	/* One more, empty, stands behind the last. */
	if (s->nb + 1 >= s->size) {
		b = reallocarray(s->b, s->size * 2 + 2, sizeof(*b));
		if (!b)
			return NULL;
		s->b = b;
		s->size = s->size * 2 + 2;
	}
	b = &s->b[s->nb++];
	memset(b, 0, 2 * sizeof(*b));
	b->first = s->slots;
	return b;
}

/* Room in the block; it doubles, so that a small folder stays small. */
static bool
block_room(struct block *b, size_t name)
{
	size_t size = b->names_size ? b->names_size : 128;
	struct message *m = b->m;
	char *names = b->names;

	if (b->n < 4 ? b->n == 0 : (b->n & (b->n - 1)) == 0) {
		m = reallocarray(m, b->n ? b->n * 2 : 4, sizeof(*m));
		if (!m)
			return false;
		b->m = m;
	}
	while (size < b->names_n + name)
		size *= 2;
	if (size != b->names_size) {
		names = realloc(names, size);
		if (!names)
			return false;
		b->names = names;
		b->names_size = size;
	}
	return true;
}

int
state_add(struct state *s, const struct message *m, struct str base)
{
	struct block *b;
	struct message *to;

	if (s->nb && m->uid <= s->b[s->nb - 1].last_uid)
		return -1;
	b = last_block(s);
	if (!b)
		return -1;
	if (!block_room(b, base.n)) {
		if (b->n == 0)
			s->nb--;
		return -1;
	}
	to = &b->m[b->n];
	*to = *m;
	to->name = b->names_n;
	to->basen = (uint8_t)base.n;
	to->hash = enc_crc32c(0, base.p, base.n);
	memcpy(b->names + b->names_n, base.p, base.n);
	b->names_n += base.n;
	if (b->n++ == 0)
		b->uid = m->uid;
	b->last_uid = m->uid;
	s->slots++;
	state_count(s, to, true);
	if (s->hash && s->hash_used * 3 >= s->hash_size * 2)
		state_drop_hash(s);
	if (s->hash)
		hash_put(s, to->hash, to->uid);
	return 0;
}

/* --- taking out ----------------------------------------------------------- */

static void
block_compact(struct block *b)
{
	uint32_t i, n = 0;

	for (i = 0; i < b->n; i++)
		if (!b->m[i].gone)
			b->m[n++] = b->m[i];
	b->n = n;
	if (n) {
		b->uid = b->m[0].uid;
		b->last_uid = b->m[n - 1].uid;
	}
}

void
state_compact(struct state *s)
{
	size_t i, n = 0;

	if (!s->t.gone)
		return;
	s->slots = s->near = 0;
	for (i = 0; i < s->nb; i++) {
		block_compact(&s->b[i]);
		if (!s->b[i].n) {
			block_fini(&s->b[i]);
			continue;
		}
		s->b[i].first = s->slots;
		s->slots += s->b[i].n;
		if (n != i)
			s->b[n] = s->b[i];
		n++;
	}
	s->nb = n;
	if (s->b)
		memset(&s->b[n], 0, sizeof(*s->b));
	s->t.gone = 0;
}
