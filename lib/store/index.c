/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/clock.h"
#include "store/index_int.h"

/* --- looking -------------------------------------------------------------- */

size_t
index_slots(const struct index *ix)
{
	return ix->s.slots;
}

const struct message *
index_at(struct index *ix, size_t slot)
{
	return state_at(&ix->s, slot);
}

size_t
index_lower(struct index *ix, uint32_t uid)
{
	return state_lower(&ix->s, uid);
}

const struct message *
index_find(struct index *ix, uint32_t uid)
{
	size_t slot = state_lower(&ix->s, uid);
	const struct message *m;

	if (slot == ix->s.slots)
		return NULL;
	m = state_at(&ix->s, slot);
	return m->uid == uid && !m->gone ? m : NULL;
}

ssize_t
index_by_base(struct index *ix, struct str base)
{
	return state_by_base(&ix->s, base);
}

struct str
index_base(struct index *ix, const struct message *m)
{
	return state_base(&ix->s, m);
}

void
index_totals(const struct index *ix, struct index_totals *out)
{
	*out = ix->s.t;
}

void
index_stamp(const struct index *ix, struct index_stamp *out)
{
	*out = ix->s.stamp;
}

bool
index_vanished(struct index *ix, uint64_t since, index_range_fn *fn, void *arg)
{
	return history_since(state_history(&ix->s), since, fn, arg);
}

/* --- keywords ------------------------------------------------------------- */

size_t
index_keywords(const struct index *ix)
{
	return ix->s.kw.n;
}

const char *
index_keyword(const struct index *ix, uint32_t id)
{
	BUG_ON(id >= ix->s.kw.n);
	return ix->s.kw.v[id]->name;
}

uint32_t
index_keyword_find(const struct index *ix, struct str name)
{
	return keywords_find(&ix->s.kw, name);
}

const uint32_t *
index_set(const struct index *ix, uint32_t set, size_t *n)
{
	return keywords_set(&ix->s.kw, set, n);
}

bool
index_set_has(const struct index *ix, uint32_t set, uint32_t id)
{
	const uint32_t *ids;
	size_t i, n;

	ids = keywords_set(&ix->s.kw, set, &n);
	for (i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* --- what is to be committed ---------------------------------------------- */

void
index_drop_pending(struct index *ix)
{
	struct pending *p = &ix->p;

	buf_shrink(&p->b, 8192);
	p->begun = false;
	p->key.kind = 0;
	p->modseq = 0;
	p->uidnext = ix->s.t.uidnext;
	keywords_cut(&ix->s.kw, p->nkeywords, p->nsets);
}

void
index_settle(struct index *ix)
{
	ix->p.nkeywords = ix->s.kw.n;
	ix->p.nsets = ix->s.kw.nsets;
	index_drop_pending(ix);
}

/* Greater than any that was ever told, also before a power cut that took what
 * was not synced: so it is the time. */
uint64_t
index_change_modseq(struct index *ix)
{
	uint64_t now;

	if (ix->p.modseq)
		return ix->p.modseq;
	now = clock_wall_us();
	ix->p.modseq =
		now > ix->s.t.highestmodseq ? now : ix->s.t.highestmodseq + 1;
	return ix->p.modseq;
}

void
index_finish_record(struct index *ix)
{
	struct pending *p = &ix->p;
	struct ilog_record r = {
		.modseq = p->modseq ? p->modseq : ix->s.t.highestmodseq,
		.uidnext = p->uidnext,
		.durable = ix->durable,
	};

	if (p->begun)
		ilog_end(&p->b, p->record, &r);
	p->begun = false;
	p->key.kind = 0;
}

/* Room for an entry, in a record that is not too long. */
static void
begin_entry(struct index *ix)
{
	struct pending *p = &ix->p;

	BUG_ON(!ix->locked);
	if (p->begun && p->b.n - p->record > ILOG_BODY_FULL)
		index_finish_record(ix);
	if (!p->begun) {
		p->record = p->b.n;
		ilog_begin(&p->b);
		p->begun = true;
	}
	p->entry = p->b.n;
	p->key.kind = 0;
}

static void
put_entry(struct index *ix, const struct ilog_entry *e)
{
	begin_entry(ix);
	ilog_put(&ix->p.b, e);
	ix->p.key = *e;
}

static bool
only_gone_between(struct index *ix, size_t slot)
{
	size_t i = ix->p.last_slot + 1;

	while (i < slot && state_at(&ix->s, i)->gone)
		i++;
	return i == slot;
}

/* One more slot for an entry with ranges. */
static void
put_slot(struct index *ix, const struct ilog_entry *e, size_t slot)
{
	struct pending *p = &ix->p;
	uint32_t uid = state_at(&ix->s, slot)->uid;

	if (p->key.kind != e->kind || p->key.flags != e->flags ||
	    p->key.set != e->set || p->key.disk != e->disk ||
	    p->b.n - p->record > ILOG_BODY_FULL) {
		put_entry(ix, e);
		ilog_put_range(&p->b, p->entry, uid, uid);
	} else if (slot > p->last_slot && only_gone_between(ix, slot)) {
		ilog_extend_range(&p->b, uid);
	} else {
		ilog_put_range(&p->b, p->entry, uid, uid);
	}
	p->last_slot = slot;
}

uint32_t
index_keyword_add(struct index *ix, struct str name)
{
	uint32_t id = keywords_find(&ix->s.kw, name);
	struct ilog_entry e = { .kind = ILOG_KEYWORD, .text = name };

	if (id != KEYWORD_NONE)
		return id;
	id = keywords_add(&ix->s.kw, name);
	if (id == KEYWORD_NONE)
		return id;
	e.number = id;
	put_entry(ix, &e);
	return id;
}

static int
by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* A new set of these ids, ascending. */
static uint32_t
make_set(struct index *ix, const uint32_t *ids, uint32_t n)
{
	uint32_t set = keywords_add_set(&ix->s.kw, ids, n), i;
	struct ilog_entry e = { .kind = ILOG_SET, .number = set };

	if (set == UINT32_MAX)
		return set;
	put_entry(ix, &e);
	for (i = 0; i < n; i++)
		ilog_put_id(&ix->p.b, ix->p.entry, ids[i]);
	ix->p.key.kind = 0;
	return set;
}

uint32_t
index_set_make(struct index *ix, const uint32_t *ids, size_t n)
{
	uint32_t *v, set, m = 0;
	size_t i;

	if (n == 0)
		return 0;
	v = reallocarray(NULL, n, sizeof(*v));
	if (!v)
		return UINT32_MAX;
	memcpy(v, ids, n * sizeof(*v));
	qsort(v, n, sizeof(*v), by_id);
	for (i = 0; i < n; i++)
		if (i == 0 || v[i] != v[i - 1])
			v[m++] = v[i];
	set = keywords_find_set(&ix->s.kw, v, m);
	if (set == UINT32_MAX)
		set = make_set(ix, v, m);
	free(v);
	return set;
}

uint32_t
index_add(struct index *ix, const struct index_new *a)
{
	struct ilog_entry e = {
		.kind = ILOG_MESSAGE,
		.uid = ix->p.uidnext,
		.modseq = index_change_modseq(ix),
		.flags = a->flags,
		.disk = a->disk,
		.set = a->keywords,
		.wsize = a->wsize,
		.mtime = a->mtime,
		.text = a->base,
	};

	BUG_ON(a->base.n == 0 || a->base.n > MAILDIR_NAME_MAX ||
	       a->keywords >= ix->s.kw.nsets);
	if (e.uid >= UINT32_MAX - 1)
		return 0;
	put_entry(ix, &e);
	if (buf_overflown(&ix->p.b))
		return 0;
	return ix->p.uidnext++;
}

void
index_state(struct index *ix, size_t slot, uint64_t flags, uint32_t keywords)
{
	struct ilog_entry e = { .kind = ILOG_STATE,
				.flags = flags,
				.set = keywords };

	BUG_ON(keywords >= ix->s.kw.nsets);
	index_change_modseq(ix);
	put_slot(ix, &e, slot);
}

void
index_named(struct index *ix, size_t slot, uint64_t disk)
{
	struct ilog_entry e = { .kind = ILOG_NAMED, .disk = disk };

	put_slot(ix, &e, slot);
}

void
index_gone(struct index *ix, size_t slot)
{
	struct ilog_entry e = { .kind = ILOG_GONE };

	index_change_modseq(ix);
	put_slot(ix, &e, slot);
}

void
index_set_recent(struct index *ix, uint32_t recent_from)
{
	struct ilog_entry e = { .kind = ILOG_RECENT, .uid = recent_from };

	put_entry(ix, &e);
}

void
index_set_stamp(struct index *ix, const struct index_stamp *s)
{
	struct ilog_entry e = { .kind = ILOG_STAMP,
				.stamp = { s->new_mtime_ns, s->new_ctime_ns,
					   s->cur_mtime_ns, s->cur_ctime_ns } };

	put_entry(ix, &e);
}

/* --- in memory only ------------------------------------------------------- */

void
index_note_size(struct index *ix, size_t slot, uint64_t wsize)
{
	state_edit(&ix->s, slot)->wsize = wsize;
	ix->notes++;
}

void
index_note_lacks(struct index *ix, size_t slot, uint8_t lacks)
{
	state_edit(&ix->s, slot)->lacks = lacks;
	ix->notes++;
}

void
index_note_mtime(struct index *ix, size_t slot, int64_t mtime)
{
	state_edit(&ix->s, slot)->mtime = mtime;
	ix->notes++;
}

void
index_compact(struct index *ix)
{
	BUG_ON(ix->p.begun);
	state_compact(&ix->s);
}

void
index_trim(struct index *ix)
{
	state_trim(&ix->s);
	blob_trim(&ix->blob[BLOB_SEND]);
	blob_trim(&ix->blob[BLOB_KEYS]);
}

/* --- blobs ---------------------------------------------------------------- */

bool
index_blob(struct index *ix, const struct message *m, enum blob which,
	   struct str *out)
{
	struct blob_file *f = &ix->blob[which];
	uint32_t uid = m->uid;
	uint64_t at = m->blob[which];

	if (!at && blob_open(f)) {
		/* Opening it may have told of it. */
		m = index_find(ix, uid);
		at = m ? m->blob[which] : 0;
	}
	return at && blob_get(f, at - 1, uid, out);
}

void
index_blob_put(struct index *ix, size_t slot, enum blob which, struct str s)
{
	uint32_t uid = state_at(&ix->s, slot)->uid;
	uint64_t at = blob_put(&ix->blob[which], uid, s);

	if (!at)
		return;
	state_edit(&ix->s, slot)->blob[which] = at + 1;
	ix->notes++;
}
