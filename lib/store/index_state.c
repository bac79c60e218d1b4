/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/enc.h"
#include "store/index_state.h"

/* Searches for a base name in the snapshot, before a table is made. */
enum { FEW = 32 };

/* One base name in the table; uid 0: free. */
struct base_hash {
	uint32_t hash, uid;
};

void
state_init(struct state *s)
{
	*s = (struct state){ .snap_fd = -1 };
	keywords_init(&s->kw);
}

void
state_drop_hash(struct state *s)
{
	free(s->hash);
	s->hash = NULL;
	s->hash_size = s->hash_used = 0;
	s->few = 0;
}

void
state_fini(struct state *s)
{
	state_drop_blocks(s);
	state_drop_snapshot(s);
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

size_t
state_lower(struct state *s, uint32_t uid)
{
	size_t lo = 0, hi = s->nb, mid;
	struct block *b;

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
	if (uid <= b->uid)
		return b->first;
	state_need(s, b);
	lo = uid - b->uid; /* where it is if none is missing before it */
	if (lo < b->n && b->m[lo].uid == uid)
		return b->first + lo;
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

void
state_hash_add(struct state *s, const struct message *m)
{
	if (s->hash && s->hash_used * 3 >= s->hash_size * 2)
		state_drop_hash(s);
	if (s->hash)
		hash_put(s, m->hash, m->uid);
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

struct search {
	struct state *s;
	struct str base;
	ssize_t slot; /* -1: not found */
};

static bool
is_searched(void *arg, uint32_t uid)
{
	struct search *w = arg;
	size_t slot = state_lower(w->s, uid);
	const struct message *m;

	if (slot == w->s->slots)
		return false;
	m = state_at(w->s, slot);
	if (m->uid != uid || m->gone ||
	    !str_eq(state_base_at(w->s, slot), w->base))
		return false;
	w->slot = (ssize_t)slot;
	return true;
}

/* Without the table: what the snapshot says, and the messages since.  False:
 * not to be had. */
static bool
search_few(struct search *w, uint32_t hash)
{
	struct state *s = w->s;
	const struct message *m;
	size_t i;

	if (!s->snap || s->few++ >= FEW)
		return false;
	if (!state_snapshot_hash(s, hash, is_searched, w))
		return false;
	for (i = s->slots; w->slot < 0 && i-- > 0;) {
		m = state_unsaved(s, i);
		if (!m)
			break;
		if (m->hash == hash)
			(void)is_searched(w, m->uid);
	}
	return true;
}

ssize_t
state_by_base(struct state *s, struct str base)
{
	uint32_t hash = enc_crc32c(0, base.p, base.n);
	struct search w = { .s = s, .base = base, .slot = -1 };
	size_t i;

	if (!s->hash && search_few(&w, hash))
		return w.slot;
	if (!s->hash && !hash_build(s))
		return -1;
	s->hash_asked = true;
	for (i = hash_home(s, hash); s->hash[i].uid;
	     i = (i + 1) & (s->hash_size - 1)) {
		if (s->hash[i].hash == hash && is_searched(&w, s->hash[i].uid))
			break;
	}
	return w.slot;
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
