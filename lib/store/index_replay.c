/* SPDX-License-Identifier: ISC */
/* What a record of the log does to the state. */
#include <errno.h>
#include <stdlib.h>

#include "store/index_state.h"

static void
tell_changed(struct state *s, size_t slot)
{
	if (s->ops)
		s->ops->changed(s->arg, slot);
}

static bool
apply_message(struct state *s, const struct ilog_entry *e)
{
	struct message m = {
		.uid = e->uid,
		.keywords = e->set,
		.flags = e->flags,
		.modseq = e->modseq,
		.disk = e->disk,
		.wsize = e->wsize,
		.mtime = e->mtime,
	};

	if (e->set >= s->kw.nsets || e->modseq > s->t.highestmodseq ||
	    state_add(s, &m, e->text) < 0)
		return false;
	if (e->uid >= s->t.uidnext)
		s->t.uidnext = e->uid + 1;
	if (s->ops)
		s->ops->added(s->arg, s->slots - 1);
	return true;
}

/* One message of those an entry is about. */
static void
apply_to(struct state *s, const struct ilog_entry *e, uint64_t modseq,
	 size_t slot)
{
	struct message *m = state_edit(s, slot);

	if (e->kind == ILOG_GONE) {
		state_set_gone(s, slot, modseq);
		return;
	}
	state_count(s, m, false);
	if (e->kind == ILOG_STATE) {
		m->flags = e->flags;
		m->keywords = e->set;
		m->modseq = modseq;
	} else {
		m->disk = e->disk;
	}
	state_count(s, m, true);
}

static bool
apply_ranges(struct state *s, const struct ilog_entry *e, uint64_t modseq)
{
	const struct message *m;
	uint32_t i, lo, hi;
	size_t slot;

	if (e->kind == ILOG_STATE && e->set >= s->kw.nsets)
		return false;
	for (i = 0; i < e->n; i++) {
		ilog_range(e, i, &lo, &hi);
		for (slot = state_lower(s, lo); slot < s->slots; slot++) {
			m = state_at(s, slot);
			if (m->uid > hi)
				break;
			if (m->gone)
				continue;
			apply_to(s, e, modseq, slot);
			if (e->kind != ILOG_NAMED)
				tell_changed(s, slot);
		}
		if (e->kind == ILOG_GONE)
			history_add(state_history(s), modseq, lo, hi);
	}
	return true;
}

static bool
apply_expunged(struct state *s, const struct ilog_entry *e)
{
	struct history *h = state_history(s);
	uint32_t i, lo, hi;

	if (e->modseq > INT64_MAX ||
	    (h->n && e->modseq < h->v[h->n - 1].modseq))
		return false;
	for (i = 0; i < e->n; i++) {
		ilog_range(e, i, &lo, &hi);
		history_add(h, e->modseq, lo, hi);
	}
	return true;
}

/* The next one, or one we know. */
static bool
apply_keyword(struct state *s, const struct ilog_entry *e)
{
	if (e->number < s->kw.n)
		return keywords_find(&s->kw, e->text) == e->number;
	return e->number == s->kw.n &&
	       keywords_add(&s->kw, e->text) == e->number;
}

static bool
apply_set(struct state *s, const struct ilog_entry *e)
{
	uint32_t *ids, i, known;
	bool ok;

	if (e->n == 0 || e->n > s->kw.n || e->number > s->kw.nsets)
		return false;
	ids = reallocarray(NULL, e->n, sizeof(*ids));
	if (!ids)
		return false;
	for (i = 0; i < e->n; i++)
		ids[i] = ilog_id(e, i);
	known = keywords_find_set(&s->kw, ids, e->n);
	if (known == UINT32_MAX)
		known = keywords_add_set(&s->kw, ids, e->n);
	ok = known == e->number;
	free(ids);
	return ok;
}

static bool
apply_entry(struct state *s, const struct ilog_entry *e, uint64_t modseq)
{
	switch (e->kind) {
	case ILOG_MESSAGE:
		return apply_message(s, e);
	case ILOG_STATE:
	case ILOG_NAMED:
	case ILOG_GONE:
		return apply_ranges(s, e, modseq);
	case ILOG_EXPUNGED:
		return apply_expunged(s, e);
	case ILOG_KEYWORD:
		return apply_keyword(s, e);
	case ILOG_SET:
		return apply_set(s, e);
	case ILOG_RECENT:
		s->t.recent_from = e->uid;
		return true;
	case ILOG_STAMP:
		s->stamp = (struct index_stamp){ e->stamp[0], e->stamp[1],
						 e->stamp[2], e->stamp[3] };
		return true;
	}
	return false;
}

bool
state_apply(struct state *s, const struct ilog_record *r)
{
	struct str in = r->entries;
	struct ilog_entry e;

	errno = 0;
	if (r->modseq > s->t.highestmodseq)
		s->t.highestmodseq = r->modseq;
	while (ilog_next(&in, &e))
		if (!apply_entry(s, &e, s->t.highestmodseq))
			return false;
	if (r->uidnext > s->t.uidnext)
		s->t.uidnext = r->uidnext;
	return in.n == 0;
}
