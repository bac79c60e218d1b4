/* SPDX-License-Identifier: ISC */
/* Does a message match?  What is cheap to know is asked first. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "search.h"
#include "session.h"

enum {
	BATCH = 256, /* messages of a portion, if no file must be read */
	HEADER_KEEP = 65536,
	HEADER_PART = 4096, /* most headers are shorter */
};

/* --- the program and the view ----------------------------------------------
 */

/* Numbers that no message has match none. */
static void
cut_set(struct imap_set *set, uint32_t max)
{
	while (set->n && set->v[set->n - 1].lo > max)
		set->n--;
	if (set->n && set->v[set->n - 1].hi > max)
		set->v[set->n - 1].hi = max;
}

static void
resolve_set(struct search_key *k, struct imap_view *v)
{
	if (k->set.saved) { /* RFC 5182: "$" */
		k->set = v->saved;
		k->kind = SEARCH_UID;
	} else if (k->kind == SEARCH_SEQ) {
		imap_set_resolve(&k->set, imap_view_count(v));
		cut_set(&k->set, imap_view_count(v));
	} else {
		imap_set_resolve(&k->set, imap_view_last_uid(v));
	}
}

static int
resolve(struct searcher *a, struct search_key *k)
{
	struct imap_view *v = &a->s->view;

	for (; k; k = k->next) {
		if (k->kind == SEARCH_HEADER &&
		    search_header_want(&a->texts, &a->s->pool, k) < 0)
			return -1;
		if (k->kind == SEARCH_SEQ || k->kind == SEARCH_UID)
			resolve_set(k, v);
		else if (k->kind == SEARCH_KEYWORD)
			k->num = mailbox_keyword_find(v->mb, k->name);
		if (k->kind == SEARCH_AND || k->kind == SEARCH_OR ||
		    k->kind == SEARCH_NOT) {
			if (resolve(a, k->a) < 0)
				return -1;
		} else {
			a->costs |= 1u << k->cost;
		}
		if (resolve(a, k->b) < 0)
			return -1;
	}
	return 0;
}

/* Only messages of this set can match: one that stands alone at the top. */
static const struct imap_set *
narrowest(struct searcher *a)
{
	struct search_key *k;

	for (k = a->sr->top->a; k && k->cost == COST_INDEX; k = k->next) {
		k->set.uids = k->kind == SEARCH_UID;
		if (k->kind == SEARCH_SEQ || k->kind == SEARCH_UID)
			return &k->set;
	}
	a->all_range = (struct imap_range){ 1, UINT32_MAX };
	a->all = (struct imap_set){ .v = &a->all_range, .n = 1, .uids = true };
	return &a->all;
}

int
searcher_init(struct searcher *a, struct imap_session *s, struct search *sr)
{
	*a = (struct searcher){ .s = s, .sr = sr };
	buf_init(&a->blob, KEYS_MAX);
	buf_init(&a->header, MIME_HEADER_MAX);
	a->wanted = pool_alloc(&s->pool, (sr->keys + 1) * sizeof(*a->wanted));
	if (!a->wanted || resolve(a, sr->top) < 0) {
		search_header_fini(&a->texts);
		return -1;
	}
	a->now = (int64_t)(clock_wall_us() / 1000000);
	if (a->costs & 1u << COST_BODY) /* where what is wanted is found out */
		a->costs |= 1u << COST_HEADER;
	imap_walk_begin(&a->walk, &s->view, narrowest(a));
	return 0;
}

void
searcher_fini(struct searcher *a)
{
	search_body_close(a->body);
	a->body = NULL;
	buf_fini(&a->blob);
	buf_fini(&a->header);
	search_header_fini(&a->texts);
}

/* --- a message -------------------------------------------------------------
 */

static const struct message *
message_of(struct searcher *a)
{
	const struct message *m = imap_view_at(&a->s->view, a->slot);

	a->gone |= !m;
	return m;
}

static bool
failed(struct searcher *a, const struct err *err)
{
	a->gone = true;
	if (err->code != ENOENT)
		log_warn("imap(%s): %s uid %u: %s", a->s->user->name,
			 mailbox_name(a->s->view.mb), a->uid,
			 LOGQ(str_of(err->text)));
	return false;
}

/* Does the header end in text?  Then it ends at *at; else *at is the start of
 * its last line. */
static bool
header_ends(struct str text, size_t *at)
{
	ptrdiff_t lf;

	while ((lf = str_find(str_from(text, *at), '\n')) >= 0) {
		if (lf == 0 || (lf == 1 && text.p[*at] == '\r'))
			return true;
		*at += (size_t)lf + 1;
	}
	return false;
}

/* All of it, up to the limit of lib/mail. */
static bool
need_header(struct searcher *a)
{
	struct buf *b = &a->header;
	struct message_reader r;
	size_t end = 0, room;
	struct err err;
	ssize_t n;
	char *to;

	if (a->has_header)
		return true;
	a->read = true;
	buf_shrink(b, HEADER_KEEP);
	if (mailbox_read(a->s->view.mb, a->uid, &r, &err) < 0)
		return failed(a, &err);
	do {
		room = b->n > HEADER_PART ? b->n : HEADER_PART;
		if (room > MIME_HEADER_MAX - b->n)
			room = MIME_HEADER_MAX - b->n;
		to = room ? buf_reserve(b, room) : NULL;
		n = to ? reader_get_raw(&r, to, room, &err) : 0;
		if (n <= 0)
			break;
		b->n += (size_t)n;
	} while (!header_ends(buf_str(b), &end));
	if (n > 0)
		b->n = end;
	reader_close(&r);
	if (n < 0)
		return failed(a, &err);
	a->has_header = true;
	return true;
}

bool
searcher_keys(struct searcher *a)
{
	struct mailbox *mb = a->s->view.mb;
	const struct message *m;
	struct str blob;

	if (a->has_keys)
		return true;
	m = message_of(a);
	if (!m)
		return false;
	a->has_keys = mailbox_blob(mb, m, BLOB_KEYS, &blob) &&
		      imap_keys_open(&a->keys, blob);
	if (a->has_keys)
		return true;
	if (!need_header(a))
		return false;
	buf_reset(&a->blob);
	imap_keys_build(&a->blob, buf_str(&a->header));
	a->has_keys = imap_keys_open(&a->keys, buf_str(&a->blob));
	mailbox_blob_put(mb, a->uid, BLOB_KEYS, buf_str(&a->blob));
	return a->has_keys;
}

bool
searcher_size(struct searcher *a, uint64_t *size)
{
	const struct message *m = message_of(a);
	struct err err;

	if (!m)
		return false;
	*size = m->wsize;
	if (*size != MESSAGE_UNKNOWN)
		return true;
	a->read = true;
	return mailbox_wsize(a->s->view.mb, a->uid, size, &err) == 0 ||
	       failed(a, &err);
}

bool
searcher_arrival(struct searcher *a, int64_t *t)
{
	const struct message *m = message_of(a);
	struct err err;

	if (!m)
		return false;
	*t = m->mtime;
	if (*t != MESSAGE_NO_TIME)
		return true;
	a->read = true;
	return mailbox_mtime(a->s->view.mb, a->uid, t, &err) == 0 ||
	       failed(a, &err);
}

bool
searcher_sent(struct searcher *a, int64_t *t)
{
	if (!searcher_keys(a))
		return false;
	if (!a->keys.has_date)
		return searcher_arrival(a, t);
	*t = a->keys.moment;
	return true;
}

/* --- keys ------------------------------------------------------------------
 */

static bool
by_index(struct searcher *a, const struct search_key *k)
{
	struct imap_view *v = &a->s->view;
	const struct message *m = message_of(a);

	if (!m)
		return false;
	switch (k->kind) {
	case SEARCH_FLAG:
		return ((imap_flags_of_store(m->flags) & k->flag) != 0) !=
		       k->unset;
	case SEARCH_KEYWORD:
		return (k->num != KEYWORD_NONE &&
			mailbox_has_keyword(v->mb, m, k->num)) != k->unset;
	case SEARCH_RECENT:
		return imap_view_is_recent(v, a->uid) != k->unset;
	case SEARCH_SEQ:
		return imap_set_has(&k->set, a->seq);
	case SEARCH_UID:
		return imap_set_has(&k->set, a->uid);
	case SEARCH_MODSEQ:
		return m->modseq >= k->modseq;
	default:
		return true; /* ALL */
	}
}

static bool
by_day(const struct search_key *k, int64_t day, enum search_kind before,
       enum search_kind on)
{
	if (k->kind == before)
		return day < k->day;
	return k->kind == on ? day == k->day : day >= k->day;
}

static bool
by_stat(struct searcher *a, const struct search_key *k)
{
	uint64_t size;
	int64_t t;

	if (k->kind == SEARCH_LARGER || k->kind == SEARCH_SMALLER)
		return searcher_size(a, &size) &&
		       (k->kind == SEARCH_LARGER ? size > k->num
						 : size < k->num);
	if (!searcher_arrival(a, &t))
		return false;
	if (k->kind == SEARCH_OLDER)
		return t <= a->now - (int64_t)k->num;
	if (k->kind == SEARCH_YOUNGER)
		return t >= a->now - (int64_t)k->num;
	return by_day(k, t / 86400 - (t % 86400 < 0), SEARCH_BEFORE, SEARCH_ON);
}

static bool
by_header(struct searcher *a, const struct search_key *k)
{
	if (!a->has_texts) {
		if (!need_header(a))
			return false;
		search_header_read(&a->texts, buf_str(&a->header),
				   a->has_keys ? &a->keys : NULL);
		a->has_texts = true;
	}
	return search_header_has(k);
}

static bool
by_keys(struct searcher *a, const struct search_key *k)
{
	if (!searcher_keys(a))
		return false;
	if (k->kind != SEARCH_HEADER)
		return a->keys.has_date &&
		       by_day(k, a->keys.day, SEARCH_SENTBEFORE, SEARCH_SENTON);
	if (a->keys.too_long[k->field])
		return by_header(a, k);
	return a->keys.field[k->field].p &&
	       str_search(a->keys.field[k->field], k->needle.folded) >= 0;
}

static enum search_verdict
by_body(struct searcher *a, struct search_key *k)
{
	if (a->level == COST_BODY)
		return k->needle.found && k->scanned == a->uid ? SEARCH_YES
							       : SEARCH_NO;
	if (a->level == COST_HEADER) {
		a->wanted[a->nwanted++] = k;
		k->scanned = a->uid;
	}
	return SEARCH_UNKNOWN;
}

/* --- the tree --------------------------------------------------------------
 * These call each other, no deeper than there may be keys.
 */
static enum search_verdict evaluate(struct searcher *a, struct search_key *k);

static enum search_verdict
evaluate_and(struct searcher *a, struct search_key *k)
{
	enum search_verdict all = SEARCH_YES, v;

	for (; k; k = k->next) {
		v = evaluate(a, k);
		if (v == SEARCH_NO)
			return SEARCH_NO;
		if (v == SEARCH_UNKNOWN)
			all = SEARCH_UNKNOWN;
	}
	return all;
}

static enum search_verdict
evaluate_or(struct searcher *a, struct search_key *k)
{
	enum search_verdict x = evaluate(a, k->a), y;

	if (x == SEARCH_YES)
		return SEARCH_YES;
	y = evaluate(a, k->b);
	return y == SEARCH_NO ? x : y;
}

static enum search_verdict
evaluate(struct searcher *a, struct search_key *k)
{
	enum search_verdict v;

	switch (k->kind) {
	case SEARCH_NOT:
		v = evaluate(a, k->a);
		return v == SEARCH_UNKNOWN ? SEARCH_UNKNOWN
		       : v == SEARCH_YES   ? SEARCH_NO
					   : SEARCH_YES;
	case SEARCH_OR:
		return evaluate_or(a, k);
	case SEARCH_AND:
		return evaluate_and(a, k->a);
	default:
		break;
	}
	if (a->gone)
		return SEARCH_NO;
	if (k->cost == COST_BODY)
		return by_body(a, k);
	if (k->cost > a->level)
		return SEARCH_UNKNOWN;
	if (k->cost == COST_INDEX)
		return by_index(a, k) ? SEARCH_YES : SEARCH_NO;
	if (k->cost == COST_STAT)
		return by_stat(a, k) ? SEARCH_YES : SEARCH_NO;
	if (k->cost == COST_KEYS)
		return by_keys(a, k) ? SEARCH_YES : SEARCH_NO;
	return by_header(a, k) ? SEARCH_YES : SEARCH_NO;
}

static enum search_verdict
ask(struct searcher *a)
{
	enum search_verdict v;

	a->nwanted = 0;
	v = evaluate(a, a->sr->top);
	return a->gone ? SEARCH_NO : v;
}

static enum search_verdict
step_body(struct searcher *a)
{
	struct err err;
	int rc;

	a->read = true;
	if (!a->body) {
		a->body = search_body_open(a->s->view.mb, a->uid, a->wanted,
					   a->nwanted, &err);
		/* Others work before the next portion: what belongs to the
		 * mailbox does not last. */
		a->has_keys = false;
	}
	rc = a->body ? search_body_step(a->body, &err) : -1;
	if (rc > 0)
		return SEARCH_UNKNOWN;
	search_body_close(a->body);
	a->body = NULL;
	if (rc < 0)
		(void)!failed(a, &err);
	a->level = COST_BODY;
	return ask(a);
}

static enum search_verdict
step(struct searcher *a)
{
	enum search_verdict v = SEARCH_UNKNOWN;

	if (a->body || a->level == COST_BODY)
		return step_body(a);
	for (; a->level < COST_BODY; a->level++) {
		if (a->costs & 1u << a->level)
			v = ask(a);
		if (v != SEARCH_UNKNOWN)
			return v;
	}
	return SEARCH_UNKNOWN;
}

static void
begin(struct searcher *a)
{
	const struct message *m;

	a->slot = a->walk.slot;
	a->seq = a->walk.seq;
	a->level = COST_INDEX;
	a->gone = a->has_keys = a->read = false;
	a->has_header = a->has_texts = false;
	m = message_of(a);
	a->uid = m ? m->uid : 0;
	a->busy = m != NULL;
}

enum search_next
searcher_next(struct searcher *a)
{
	enum search_verdict v;
	size_t i;

	for (i = 0; i < BATCH; i++) {
		if (!a->busy) {
			if (!imap_walk_next(&a->walk, &a->s->view))
				return SEARCH_END;
			begin(a);
			if (!a->busy)
				continue;
		}
		v = step(a);
		if (v == SEARCH_UNKNOWN)
			return SEARCH_MORE;
		a->busy = false;
		if (v == SEARCH_YES)
			return SEARCH_FOUND;
		if (a->read)
			return SEARCH_MORE;
	}
	return SEARCH_MORE;
}
