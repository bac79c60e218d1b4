/* SPDX-License-Identifier: ISC */
#include "store/index_state.h"

/* The message is so now; true: somebody is to be told. */
static bool
become(struct state *s, struct message *to, const struct message *from)
{
	bool differ =
		to->flags != from->flags || to->keywords != from->keywords;

	state_count(s, to, false);
	to->flags = from->flags;
	to->keywords = from->keywords;
	to->modseq = from->modseq;
	to->disk = from->disk;
	if (from->wsize != MESSAGE_UNKNOWN)
		to->wsize = from->wsize;
	if (from->mtime != MESSAGE_NO_TIME)
		to->mtime = from->mtime;
	if (from->lacks)
		to->lacks = from->lacks;
	state_count(s, to, true);
	return differ;
}

/* Everything but the messages. */
static void
take_rest(struct state *s, struct state *other)
{
	struct keywords kw = s->kw;
	struct history history;

	(void)state_history(s);
	history = s->history;

	s->kw = other->kw;
	other->kw = kw;
	s->history = other->history;
	other->history = history;
	s->stamp = other->stamp;
	s->t.uidnext = other->t.uidnext;
	s->t.recent_from = other->t.recent_from;
	s->t.highestmodseq = other->t.highestmodseq;
}

bool
state_merge(struct state *s, struct state *other, const struct index_ops *ops,
	    void *arg)
{
	size_t slot, old = s->slots, from = 0;
	const struct message *n, *m;

	if (other->t.uidnext < s->t.uidnext ||
	    other->t.highestmodseq < s->t.highestmodseq)
		return false;
	take_rest(s, other);
	for (slot = 0; slot < old; slot++) {
		m = state_at(s, slot);
		while (from < other->slots &&
		       (n = state_at(other, from))->uid < m->uid) {
			if (!n->gone)
				return false;
			from++;
		}
		n = from < other->slots ? state_at(other, from) : NULL;
		if (n && n->uid == m->uid)
			from++;
		else
			n = NULL;
		if (n && n->gone)
			n = NULL;
		if (m->gone && n)
			return false;
		if (m->gone)
			continue;
		if (!n) {
			state_set_gone(s, slot, s->t.highestmodseq);
			ops->changed(arg, slot);
		} else if (become(s, state_edit(s, slot), n)) {
			ops->changed(arg, slot);
		}
	}
	for (; from < other->slots; from++) {
		n = state_at(other, from);
		if (n->gone)
			continue;
		if (state_add(s, n, state_base_at(other, from)) < 0)
			return false;
		ops->added(arg, s->slots - 1);
	}
	return true;
}
