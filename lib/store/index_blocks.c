/* SPDX-License-Identifier: ISC */
/* The blocks of a state: messages by slot, and their base names. */
#include <stdlib.h>

#include "base/enc.h"
#include "base/fsx.h"
#include "store/index_state.h"

/* --- from the snapshot ---------------------------------------------------- */

void
state_drop_blocks(struct state *s)
{
	size_t i;

	for (i = 0; i < s->nb; i++) {
		free(s->b[i].m);
		free(s->b[i].names);
	}
	free(s->b);
	s->b = NULL;
	s->nb = s->size = s->slots = s->near = 0;
}

int
state_use_snapshot(struct state *s, struct snapshot *sn, int fd)
{
	struct block *v = calloc(sn->nb + 1u, sizeof(*v)), *b;
	struct snapshot *snap = malloc(sizeof(*sn));
	const struct snapshot_block *from;
	uint32_t i;

	if (!v || !snap) {
		free(v);
		free(snap);
		return -1;
	}
	state_drop_blocks(s);
	state_drop_snapshot(s);
	s->b = v;
	s->nb = sn->nb;
	s->size = sn->nb + 1u;
	for (i = 0; i < sn->nb; i++) {
		from = &sn->b[i];
		b = &v[i];
		b->n = from->n;
		b->uid = from->uid;
		b->last_uid = from->last_uid;
		b->file = i + 1;
		b->first = s->slots;
		s->slots += b->n;
	}
	*snap = *sn;
	s->snap = snap;
	s->snap_fd = fd;
	return 0;
}

int
state_from_snapshot(struct state *s, struct snapshot *sn, int fd)
{
	if (state_use_snapshot(s, sn, fd) < 0)
		return -1;
	s->t = sn->t;
	s->stamp = sn->stamp;
	s->history.floor = sn->history_floor;
	s->history_due = sn->history_n != 0;
	return 0;
}

void
state_drop_snapshot(struct state *s)
{
	if (!s->snap)
		return;
	snapshot_fini(s->snap);
	free(s->snap);
	s->snap = NULL;
	if (s->snap_fd >= 0)
		fsx_close(s->snap_fd);
	s->snap_fd = -1;
	s->history_due = false;
}

/* n bytes of the snapshot; NULL: they are not there. */
static char *
read_part(struct state *s, uint64_t at, size_t n)
{
	char *p = at <= INT64_MAX ? malloc(n + 1) : NULL;

	if (p && fsx_pread_all(s->snap_fd, p, n, (off_t)at, NULL) < 0) {
		free(p);
		p = NULL;
	}
	return p;
}

static bool
load(struct state *s, struct block *b)
{
	const struct snapshot_block *from = &s->snap->b[b->file - 1];
	size_t n = (size_t)from->n * SNAPSHOT_MESSAGE;
	char *p = read_part(s, from->at, n);
	struct message *m = reallocarray(NULL, from->n, sizeof(*m));
	bool ok = p && m &&
		  snapshot_get_block(str_mem(p, n), from, s->kw.nsets, m);

	free(p);
	if (ok) {
		b->m = m;
		b->room = from->n;
	} else {
		free(m);
	}
	return ok;
}

void
state_need(struct state *s, struct block *b)
{
	if (b->m || load(s, b))
		return;
	s->mend(s->mend_arg);
	BUG_ON(!b->m);
}

static bool
load_names(struct state *s, struct block *b)
{
	const struct snapshot_block *from = &s->snap->b[b->file - 1];
	char *p = read_part(s, from->names_at, from->names_n);

	if (!p)
		return false;
	if (!snapshot_check_names(str_mem(p, from->names_n), from)) {
		free(p);
		return false;
	}
	b->names = p;
	b->names_n = b->names_size = from->names_n;
	return true;
}

void
state_need_names(struct state *s, struct block *b)
{
	if (b->names || load_names(s, b))
		return;
	s->mend(s->mend_arg);
	BUG_ON(!b->names);
}

bool
state_snapshot_hash(struct state *s, uint32_t hash, state_hash_fn *fn,
		    void *arg)
{
	const struct snapshot *sn = s->snap;
	size_t page = snapshot_page_of(sn, hash), n, i;
	bool ok = true, found = false;
	uint64_t v;
	char *p;

	for (; ok && !found && page < snapshot_pages(sn) &&
	       sn->pages[page].hash <= hash;
	     page++) {
		n = snapshot_page_length(sn, page);
		p = read_part(
			s, sn->pages_at + page * SNAPSHOT_PAGE * SNAPSHOT_HASH,
			n);
		ok = p && snapshot_check_page(str_mem(p, n), sn, page);
		for (i = 0; ok && !found && i < n; i += SNAPSHOT_HASH) {
			v = enc_get64(p + i);
			found = v >> 32 == hash && fn(arg, (uint32_t)v);
			if (s->snap != sn) /* it was bad, and is closed */
				ok = found;
		}
		free(p);
	}
	return ok;
}

/* If it cannot be read, it begins now. */
struct history *
state_history(struct state *s)
{
	size_t n;
	char *p;

	if (!s->history_due)
		return &s->history;
	s->history_due = false;
	n = (size_t)s->snap->history_n * SNAPSHOT_EXPUNGED;
	p = read_part(s, s->snap->history_at, n);
	if (!p || !snapshot_get_history(str_mem(p, n), s->snap, &s->history)) {
		s->history.n = 0;
		s->history.floor = s->t.highestmodseq;
	}
	free(p);
	return &s->history;
}

void
state_trim(struct state *s)
{
	struct block *b;

	if (!s->hash_asked || s->slots < STATE_SMALL)
		state_drop_hash(s);
	s->hash_asked = false;
	s->few = 0;
	for (b = s->b; b && b < s->b + s->nb; b++) {
		if (!b->file)
			continue;
		free(b->names);
		b->names = NULL;
		if (b->dirty)
			continue;
		free(b->m);
		b->m = NULL;
	}
}

/* --- by slot -------------------------------------------------------------- */

static struct block *
block_of(struct state *s, size_t slot)
{
	/* No block has more: it is not before this one, often it is this. */
	size_t lo = slot / SNAPSHOT_BLOCK, hi = s->nb, mid;
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
	if (slot < s->b[lo].first + s->b[lo].n)
		hi = lo + 1;
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

	state_need(s, b);
	return &b->m[slot - b->first];
}

const struct message *
state_unsaved(struct state *s, size_t slot)
{
	struct block *b = block_of(s, slot);

	return b->file ? NULL : &b->m[slot - b->first];
}

struct message *
state_edit(struct state *s, size_t slot)
{
	struct block *b = block_of(s, slot);

	state_need(s, b);
	b->dirty = true;
	return &b->m[slot - b->first];
}

void
state_set_gone(struct state *s, size_t slot, uint64_t modseq)
{
	struct message *m = state_edit(s, slot);

	state_count(s, m, false);
	m->gone = true;
	m->modseq = modseq;
	s->t.gone++;
	block_of(s, slot)->ngone++;
}

struct str
state_base_at(struct state *s, size_t slot)
{
	struct block *b = block_of(s, slot);
	const struct message *m;

	state_need(s, b);
	state_need_names(s, b);
	m = &b->m[slot - b->first];
	if (m->name > b->names_n || m->basen > b->names_n - m->name)
		return STR_NULL;
	return str_mem(b->names + m->name, m->basen);
}

struct str
state_base(struct state *s, const struct message *m)
{
	size_t slot = state_lower(s, m->uid);

	return slot == s->slots ? STR_NULL : state_base_at(s, slot);
}

/* --- adding --------------------------------------------------------------- */

/* A block that has room for one more message. */
static struct block *
last_block(struct state *s)
{
	struct block *b = s->nb ? &s->b[s->nb - 1] : NULL;

	if (b && !b->file && b->n < SNAPSHOT_BLOCK)
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

/* Room in the block.  It doubles, so that a small folder stays small; behind
 * one that was filled just now it is what that took. */
static bool
block_room(struct state *s, struct block *b, size_t name)
{
	const struct block *full = s->nb > 1 && !b[-1].file ? b - 1 : NULL;
	size_t room = b->n ? b->n * 2u : full ? SNAPSHOT_BLOCK : 4;
	size_t size = b->names_size;
	struct message *m;
	char *names;

	if (b->n == b->room) {
		m = reallocarray(b->m, room, sizeof(*m));
		if (!m)
			return false;
		b->m = m;
		b->room = (uint32_t)room;
	}
	if (!size)
		size = full ? full->names_n + MAILDIR_NAME_MAX : 128;
	while (size < b->names_n + name)
		size *= 2;
	if (size != b->names_size) {
		names = realloc(b->names, size);
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
	if (!block_room(s, b, base.n)) {
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
	state_hash_add(s, to);
	return 0;
}

/* --- taking out ----------------------------------------------------------- */

static void
block_compact(struct block *b)
{
	uint32_t i, n = 0;

	if (!b->ngone)
		return;
	for (i = 0; i < b->n; i++)
		if (!b->m[i].gone)
			b->m[n++] = b->m[i];
	b->n = n;
	b->ngone = 0;
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
			free(s->b[i].m);
			free(s->b[i].names);
			continue;
		}
		s->b[i].first = s->slots;
		s->slots += s->b[i].n;
		if (n != i)
			s->b[n] = s->b[i];
		n++;
	}
	s->nb = n;
	memset(&s->b[n], 0, sizeof(*s->b));
	s->t.gone = 0;
}
