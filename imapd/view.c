/* SPDX-License-Identifier: ISC */
/* What a session's client knows of its mailbox, and how it learns more. */
#include <stdlib.h>

#include "base/log.h"
#include "session.h"

/* Phases of a sync. */
enum { QUIET, FLAGS, EXPUNGES };

enum { VANISHED_LINE = 8000 }; /* bytes of UIDs in a response, about */

/* --- lists of slots --------------------------------------------------------
 */

static bool
slots_add(struct imap_slots *l, size_t slot)
{
	size_t size;
	size_t *p;

	if (l->n == l->size) {
		size = l->size ? l->size * 2 : 16;
		p = realloc(l->v, size * sizeof(*p));
		if (!p)
			return false;
		l->v = p;
		l->size = size;
	}
	l->v[l->n++] = slot;
	return true;
}

static void
slots_fini(struct imap_slots *l)
{
	free(l->v);
	*l = (struct imap_slots){ 0 };
}

/* How many are below slot. */
static size_t
slots_below(const struct imap_slots *l, size_t slot)
{
	size_t lo = 0, hi = l->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (l->v[mid] < slot)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
slots_has(const struct imap_slots *l, size_t slot)
{
	size_t i = slots_below(l, slot);

	return i < l->n && l->v[i] == slot;
}

static int
by_slot(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return (x > y) - (x < y);
}

/* Into the ascending list to come those of from, ascending, and empty it. */
static bool
slots_merge(struct imap_slots *to, struct imap_slots *from)
{
	size_t a = to->n, b = from->n, at = a + b;

	while (to->n < at)
		if (!slots_add(to, 0))
			return false;
	while (b) {
		if (a && to->v[a - 1] > from->v[b - 1])
			to->v[--at] = to->v[--a];
		else
			to->v[--at] = from->v[--b];
	}
	slots_fini(from);
	return true;
}

/* --- open and close --------------------------------------------------------
 */

static void
on_change(struct mailbox_watch *w)
{
	struct imap_view *v = LIST_OF(w, struct imap_view, watch);
	struct imap_session *s = LIST_OF(v, struct imap_session, view);

	s->news = true;
	if (s->stage == STAGE_IDLE)
		imap_wake(s);
}

/* Only while nothing waits in todo and nobody holds. */
static void
on_compact(struct mailbox_watch *w)
{
	struct imap_view *v = LIST_OF(w, struct imap_view, watch);

	v->known -= v->gone.n;
	slots_fini(&v->gone);
}

static bool
add_recent(struct imap_view *v, uint32_t lo, uint32_t hi)
{
	struct imap_ranges *r = &v->recent;
	struct imap_range *p;
	size_t size;

	if (r->n && r->v[r->n - 1].hi + 1 == lo) {
		r->v[r->n - 1].hi = hi;
		return true;
	}
	if (r->n == r->size) {
		size = r->size ? r->size * 2 : 4;
		p = realloc(r->v, size * sizeof(*p));
		if (!p)
			return false;
		r->v = p;
		r->size = size;
	}
	r->v[r->n++] = (struct imap_range){ lo, hi };
	return true;
}

/* EXAMINE shows what is \Recent and leaves it to others.  (RFC 9051 has no such
 * flag; that it was seen counts, too.) */
static bool
take_recent(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	struct index_totals t;
	uint32_t from, last;

	mailbox_totals(v->mb, &t);
	from = t.recent_from;
	if (!v->readonly)
		mailbox_claim_recent(v->mb, &from);
	last = v->recent.n ? v->recent.v[v->recent.n - 1].hi : 0;
	if (from <= last)
		from = last + 1;
	return from >= t.uidnext || add_recent(v, from, t.uidnext - 1);
}

/* The slots behind those that are known. */
static bool
take_arrivals(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	size_t n = mailbox_slots(v->mb);

	for (; v->known < n; v->known++)
		if (mailbox_at(v->mb, v->known)->gone &&
		    !slots_add(&v->gone, v->known))
			return false;
	return take_recent(s);
}

int
imap_view_open(struct imap_session *s, struct mailbox *mb, bool readonly,
	       struct err *err)
{
	struct imap_view *v = &s->view;
	struct index_totals t;
	bool ok;

	*v = (struct imap_view){ .mb = mb, .readonly = readonly };
	mailbox_totals(mb, &t);
	v->modseq = t.highestmodseq;
	v->uidvalidity = t.uidvalidity;
	if (t.gone == 0) { /* then no slot has to be looked at */
		v->known = mailbox_slots(mb);
		ok = take_recent(s);
	} else {
		ok = take_arrivals(s);
	}
	if (!ok) {
		slots_fini(&v->gone);
		*v = (struct imap_view){ 0 };
		return err_set(err, ERR_TEMP, 0, "out of memory");
	}
	list_init(&v->watch.link);
	v->watch.on_change = on_change;
	v->watch.on_compact = on_compact;
	v->watch.holds = true; /* until the command ends */
	mailbox_watch_add(mb, &v->watch);
	return 0;
}

void
imap_view_close(struct imap_session *s)
{
	struct imap_view *v = &s->view;

	if (!v->mb)
		return;
	mailbox_watch_remove(&v->watch);
	mailbox_release(v->mb);
	slots_fini(&v->gone);
	slots_fini(&v->todo);
	free(v->recent.v);
	free(v->saved.v);
	*v = (struct imap_view){ 0 };
}

/* --- numbers ---------------------------------------------------------------
 */

uint32_t
imap_view_count(const struct imap_view *v)
{
	return (uint32_t)(v->known - v->gone.n);
}

size_t
imap_view_slot(const struct imap_view *v, uint32_t seq)
{
	size_t lo = 0, hi = v->gone.n, mid, i = seq - 1;

	/* gone.v[k] - k messages stand before the k-th slot that is gone. */
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (v->gone.v[mid] - mid <= i)
			lo = mid + 1;
		else
			hi = mid;
	}
	return i + lo;
}

uint32_t
imap_view_seq(const struct imap_view *v, size_t slot)
{
	size_t below;

	if (slot >= v->known)
		return 0;
	below = slots_below(&v->gone, slot);
	if (below < v->gone.n && v->gone.v[below] == slot)
		return 0;
	return (uint32_t)(slot - below) + 1;
}

uint32_t
imap_view_seq_of_uid(struct imap_view *v, uint32_t uid)
{
	size_t slot = mailbox_lower(v->mb, uid);

	if (slot >= v->known || mailbox_at(v->mb, slot)->uid != uid)
		return 0;
	return imap_view_seq(v, slot);
}

uint32_t
imap_view_last_uid(struct imap_view *v)
{
	uint32_t n = imap_view_count(v);

	return n ? mailbox_at(v->mb, imap_view_slot(v, n))->uid : 0;
}

const struct message *
imap_view_at(struct imap_view *v, size_t slot)
{
	const struct message *m;

	if (mailbox_deleted(v->mb))
		return NULL;
	m = mailbox_at(v->mb, slot);
	return m->gone ? NULL : m;
}

bool
imap_view_is_recent(const struct imap_view *v, uint32_t uid)
{
	const struct imap_set set = { .v = v->recent.v, .n = v->recent.n };

	return set.n && imap_set_has(&set, uid);
}

/* How many messages the client has with UIDs below. */
static size_t
known_below(struct imap_view *v, uint64_t uid)
{
	size_t slot = uid > UINT32_MAX ? v->known
				       : mailbox_lower(v->mb, (uint32_t)uid);

	if (slot > v->known)
		slot = v->known;
	return slot - slots_below(&v->gone, slot);
}

uint32_t
imap_view_recent(struct imap_view *v)
{
	size_t i, n = 0;

	for (i = 0; i < v->recent.n; i++)
		n += known_below(v, (uint64_t)v->recent.v[i].hi + 1) -
		     known_below(v, v->recent.v[i].lo);
	return (uint32_t)n;
}

/* --- sets ------------------------------------------------------------------
 */

bool
imap_view_resolve(struct imap_session *s, struct imap_set *set, bool uids)
{
	struct imap_view *v = &s->view;
	uint32_t count = imap_view_count(v);

	if (set->saved) {
		*set = v->saved;
		set->saved = true;
		set->uids = true;
		return true;
	}
	set->uids = uids;
	imap_set_resolve(set, uids ? imap_view_last_uid(v) : count);
	if (uids || set->n == 0 || set->v[set->n - 1].hi <= count)
		return true;
	imap_reply(s, "BAD %s: No such message number", s->cmd->name);
	return false;
}

int
imap_view_save(struct imap_view *v, const struct imap_range *r, size_t n)
{
	free(v->saved.v);
	v->saved = (struct imap_set){ 0 };
	if (n == 0)
		return 0;
	v->saved.v = malloc(n * sizeof(*r));
	if (!v->saved.v)
		return -1;
	memcpy(v->saved.v, r, n * sizeof(*r));
	v->saved.n = n;
	return 0;
}

void
imap_walk_begin(struct imap_walk *w, struct imap_view *v,
		const struct imap_set *set)
{
	(void)v;
	*w = (struct imap_walk){ .set = set };
}

/* The slots of the next range. */
static bool
next_range(struct imap_walk *w, struct imap_view *v)
{
	const struct imap_range *r;

	if (w->range == w->set->n)
		return false;
	r = &w->set->v[w->range++];
	if (w->set->uids) {
		w->next = mailbox_lower(v->mb, r->lo);
		w->end = r->hi == UINT32_MAX ? v->known
					     : mailbox_lower(v->mb, r->hi + 1);
		if (w->end > v->known)
			w->end = v->known;
	} else {
		w->next = imap_view_slot(v, r->lo);
		w->end = imap_view_slot(v, r->hi) + 1;
	}
	w->gone = slots_below(&v->gone, w->next);
	return true;
}

bool
imap_walk_next(struct imap_walk *w, struct imap_view *v)
{
	for (;;) {
		while (w->gone < v->gone.n && v->gone.v[w->gone] == w->next) {
			w->next++;
			w->gone++;
		}
		if (w->next < w->end)
			break;
		if (!next_range(w, v))
			return false;
	}
	w->slot = w->next++;
	w->seq = (uint32_t)(w->slot - w->gone) + 1;
	return true;
}

/* --- the feed --------------------------------------------------------------
 */

/* Too much has changed for the feed, or the folder is no more. */
static void
look_at_all(struct imap_view *v, bool deleted)
{
	const struct message *m;
	size_t slot;

	for (slot = 0; slot < v->known && !v->failed; slot++) {
		m = mailbox_at(v->mb, slot);
		if (deleted || m->modseq > v->modseq)
			v->failed |= !slots_add(&v->todo, slot);
	}
}

/* All that is in the feed into todo. */
static void
drain(struct imap_view *v)
{
	struct index_totals t;
	bool all = false;
	size_t slot;

	while (mailbox_feed(v->mb, &v->watch, &slot)) {
		if (slot == FEED_ALL)
			all = true;
		else if (slot < v->known) /* else the client has not met it */
			v->failed |= !slots_add(&v->todo, slot);
	}
	if (mailbox_deleted(v->mb) && !v->deleted) {
		v->deleted = true;
		look_at_all(v, true);
	} else if (all) {
		look_at_all(v, false);
	}
	mailbox_totals(v->mb, &t);
	v->modseq = t.highestmodseq;
	v->watch.holds = true;
}

/* Ascending, each once, none that was said to be gone. */
static void
order(struct imap_view *v)
{
	struct imap_slots *l = &v->todo;
	size_t i, keep = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(l->v[0]), by_slot);
	for (i = 0; i < l->n; i++)
		if ((keep == 0 || l->v[keep - 1] != l->v[i]) &&
		    !slots_has(&v->gone, l->v[i]))
			l->v[keep++] = l->v[i];
	l->n = keep;
}

int
imap_view_change(struct imap_view *v, const uint32_t *uids, size_t n,
		 const struct flag_change *c, struct err *err)
{
	struct imap_slots *l = &v->todo;
	size_t start, i, k, keep;
	struct err ignored;
	int rc;

	if (mailbox_refresh(v->mb, &ignored) < 0)
		log_warn("%s: %s", mailbox_name(v->mb),
			 LOGQ(str_of(ignored.text)));
	drain(v);
	start = keep = l->n;
	rc = mailbox_change(v->mb, uids, n, c, err);
	drain(v);
	if (rc < 0)
		return rc;
	/* Changed by us alone: what comes once, with the new modseq. */
	if (l->n > start)
		qsort(l->v + start, l->n - start, sizeof(l->v[0]), by_slot);
	for (i = start; i < l->n; i = k) {
		for (k = i + 1; k < l->n && l->v[k] == l->v[i]; k++)
			continue;
		if (k > i + 1 ||
		    mailbox_at(v->mb, l->v[i])->modseq != v->modseq)
			l->v[keep++] = l->v[i];
	}
	l->n = keep;
	return 0;
}

void
imap_view_repeat(struct imap_view *v, size_t slot)
{
	v->failed |= !slots_add(&v->todo, slot);
}

void
imap_view_hold(struct imap_view *v)
{
	v->watch.holds = true;
}

void
imap_view_let_go(struct imap_view *v)
{
	v->watch.holds = v->todo.n > 0;
}

uint64_t
imap_view_modseq(struct imap_view *v)
{
	uint64_t modseq = v->modseq, m;
	size_t i;

	for (i = 0; i < v->todo.n; i++) {
		m = mailbox_at(v->mb, v->todo.v[i])->modseq;
		if (m && m - 1 < modseq)
			modseq = m - 1;
	}
	return modseq;
}

/* --- the news --------------------------------------------------------------
 */

/* False: it is another mailbox now, and no number means anything. */
static bool
begin(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	struct index_totals t;
	struct err err;

	s->news = false;
	if (mailbox_refresh(v->mb, &err) < 0)
		log_warn("%s: %s", mailbox_name(v->mb), LOGQ(str_of(err.text)));
	mailbox_totals(v->mb, &t);
	if (t.uidvalidity != v->uidvalidity)
		return false;
	drain(v);
	order(v);
	imap_say_keywords(s);
	v->phase = FLAGS;
	v->at = v->keep = 0;
	return true;
}

/* What is gone stays in todo. */
static bool
say_flags(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	const struct message *m;
	size_t slot;

	for (; v->at < v->todo.n; v->at++) {
		if (imap_full(s))
			return false;
		slot = v->todo.v[v->at];
		m = imap_view_at(v, slot);
		if (m)
			imap_say_message(s, imap_view_seq(v, slot), m,
					 SAY_FLAGS);
		else
			v->todo.v[v->keep++] = slot;
	}
	v->todo.n = v->at = v->keep;
	return true;
}

/* From the last down: then the numbers of those before stay. */
static bool
say_expunges(struct imap_session *s)
{
	struct imap_view *v = &s->view;

	while (v->at) {
		if (imap_full(s))
			return false;
		buf_addf(imap_out(s), "* %u EXPUNGE\r\n",
			 imap_view_seq(v, v->todo.v[--v->at]));
	}
	return true;
}

/* RFC 7162 3.2.10.2 */
static bool
say_vanished(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	struct buf *out = imap_out(s);
	uint32_t lo, hi;
	size_t start;

	while (v->at) {
		if (imap_full(s))
			return false;
		buf_add_c(out, "* VANISHED ");
		start = out->n;
		while (v->at && out->n < start + VANISHED_LINE) {
			lo = hi = mailbox_at(v->mb, v->todo.v[--v->at])->uid;
			while (v->at &&
			       mailbox_at(v->mb, v->todo.v[v->at - 1])->uid ==
				       lo - 1) {
				v->at--;
				lo--;
			}
			if (out->n > start)
				buf_add_byte(out, ',');
			imap_put_range(out, lo, hi);
		}
		buf_add_c(out, "\r\n");
	}
	return true;
}

static void
say_arrivals(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	uint32_t count = imap_view_count(v), recent = imap_view_recent(v);
	struct buf *out = imap_out(s);

	if (v->failed || !take_arrivals(s)) {
		imap_bye(s, "Out of memory");
		return;
	}
	if (imap_view_count(v) == count)
		return;
	buf_addf(out, "* %u EXISTS\r\n", imap_view_count(v));
	if (!s->rev2 && imap_view_recent(v) != recent)
		buf_addf(out, "* %u RECENT\r\n", imap_view_recent(v));
}

static bool
has_news(const struct imap_view *v)
{
	struct index_totals t;

	mailbox_totals(v->mb, &t);
	return t.highestmodseq != v->modseq;
}

bool
imap_view_sync(struct imap_session *s, bool expunge)
{
	struct imap_view *v = &s->view;
	bool said;

	do {
		if (v->phase == QUIET && !begin(s)) {
			imap_bye(s, "Mailbox has a new UIDVALIDITY");
			return true;
		}
		if (v->phase == FLAGS) {
			if (!say_flags(s))
				return false;
			v->phase = EXPUNGES;
		}
		if (expunge) {
			said = s->qresync ? say_vanished(s) : say_expunges(s);
			if (!said)
				return false;
			v->failed |= !slots_merge(&v->gone, &v->todo);
		}
		v->phase = QUIET;
		say_arrivals(s);
		/* A client that has heard of a modseq has heard of those below
		 * it (RFC 7162 6): what came while output was slow, too. */
	} while (s->stage != STAGE_END && has_news(v));
	imap_view_let_go(v);
	return true;
}
