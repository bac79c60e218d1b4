/* SPDX-License-Identifier: ISC */
/*
 * The view over a store that is made up here: whatever happens to the mailbox,
 * what is said leaves a client with what is there, and no number ever names
 * another message than the client thinks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
/* After the four above, as cmocka wants it. */
#include <cmocka.h>
#include <stdlib.h>

#include "session.h"

enum {
	SLOTS_MAX = 4000,
	GONE_MAX = 100,
	FEED_MAX = 10,
	VIEWS = 3,
	KEYWORDS = 3
};

/* --- a store ---------------------------------------------------------------
 */

struct mailbox {
	struct message m[SLOTS_MAX];
	size_t n;
	size_t feed[FEED_MAX + 1];
	uint64_t fed;
	struct list watches;
	struct index_totals totals;
	uint64_t history; /* how far back vanished ones are known */
	uint32_t gone[GONE_MAX];
	uint64_t gone_at[GONE_MAX];
	size_t ngone;
	bool deleted;
};
static const char *const keyword_names[KEYWORDS] = { "$One", "two", "three" };

size_t
mailbox_slots(const struct mailbox *mb)
{
	return mb->n;
}

const struct message *
mailbox_at(struct mailbox *mb, size_t slot)
{
	static const struct message none = { .gone = true };

	assert_true(slot < mb->n || mb->deleted);
	return slot < mb->n ? &mb->m[slot] : &none;
}

size_t
mailbox_lower(struct mailbox *mb, uint32_t uid)
{
	size_t i;

	for (i = 0; i < mb->n && mb->m[i].uid < uid; i++)
		continue;
	return i;
}

const char *
mailbox_name(const struct mailbox *mb)
{
	(void)mb;
	return "INBOX";
}

bool
mailbox_deleted(const struct mailbox *mb)
{
	return mb->deleted;
}

void
mailbox_totals(const struct mailbox *mb, struct index_totals *out)
{
	*out = mb->totals;
}

size_t
mailbox_keywords(const struct mailbox *mb)
{
	(void)mb;
	return KEYWORDS;
}

const char *
mailbox_keyword(const struct mailbox *mb, uint32_t id)
{
	(void)mb;
	return keyword_names[id];
}

uint32_t
mailbox_keyword_find(const struct mailbox *mb, struct str name)
{
	(void)mb;
	(void)name;
	return KEYWORD_NONE;
}

/* The number of a set is its only keyword + 1. */
const uint32_t *
mailbox_keyword_set(const struct mailbox *mb, uint32_t set, size_t *n)
{
	static const uint32_t ids[] = { 0, 1, 2 };

	(void)mb;
	*n = 1;
	return &ids[set - 1];
}

void
mailbox_watch_add(struct mailbox *mb, struct mailbox_watch *w)
{
	w->at = mb->fed;
	list_append(&mb->watches, &w->link);
}

void
mailbox_watch_remove(struct mailbox_watch *w)
{
	list_remove(&w->link);
}

/* A reader that is too late is told to look at all. */
bool
mailbox_feed(struct mailbox *mb, struct mailbox_watch *w, size_t *slot)
{
	if (w->at == mb->fed)
		return false;
	if (mb->fed - w->at > FEED_MAX) {
		w->at = mb->fed;
		*slot = FEED_ALL;
		return true;
	}
	*slot = mb->feed[w->at++ % (FEED_MAX + 1)];
	return true;
}

int
mailbox_refresh(struct mailbox *mb, struct err *err)
{
	(void)mb;
	(void)err;
	return 0;
}

void
mailbox_release(struct mailbox *mb)
{
	(void)mb;
}

void
mailbox_claim_recent(struct mailbox *mb, uint32_t *from)
{
	*from = mb->totals.recent_from;
	mb->totals.recent_from = mb->totals.uidnext;
}

static void
fed(struct mailbox *mb, size_t slot)
{
	struct list *it;

	mb->feed[mb->fed++ % (FEED_MAX + 1)] = slot;
	for (it = mb->watches.next; it != &mb->watches; it = it->next) {
		struct mailbox_watch *w =
			LIST_OF(it, struct mailbox_watch, link);

		w->on_change(w);
	}
}

static void change(struct mailbox *mb, size_t slot);

int
mailbox_change(struct mailbox *mb, const uint32_t *uids, size_t n,
	       const struct flag_change *c, struct err *err)
{
	size_t i, slot;

	(void)err;
	/* Another process was just before us. */
	if (rand() % 4 == 0)
		change(mb, mailbox_lower(mb, uids[0]));
	mb->totals.highestmodseq++;
	for (i = 0; i < n; i++) {
		slot = mailbox_lower(mb, uids[i]);
		mb->m[slot].flags |= c->flags;
		mb->m[slot].modseq = mb->totals.highestmodseq;
		fed(mb, slot);
	}
	return 0;
}

bool
mailbox_vanished(struct mailbox *mb, uint64_t since, index_range_fn *fn,
		 void *arg)
{
	uint32_t uid;
	size_t i;

	if (since < mb->history)
		return false;
	for (uid = 1; uid < mb->totals.uidnext; uid++)
		for (i = 0; i < mb->ngone; i++)
			if (mb->gone[i] == uid && mb->gone_at[i] > since)
				fn(arg, uid, uid);
	return true;
}

static void
arrive(struct mailbox *mb)
{
	mb->totals.highestmodseq++;
	mb->m[mb->n++] = (struct message){
		.uid = mb->totals.uidnext,
		.modseq = mb->totals.highestmodseq,
	};
	mb->totals.uidnext += 1 + (uint32_t)rand() % 3;
	mb->totals.messages++;
}

static void
expunge(struct mailbox *mb, size_t slot)
{
	struct message *m = &mb->m[slot];

	if (m->gone)
		return;
	m->gone = true;
	m->modseq = ++mb->totals.highestmodseq;
	mb->totals.gone++;
	mb->totals.messages--;
	if (mb->ngone < GONE_MAX) { /* enough for who asks */
		mb->gone[mb->ngone] = m->uid;
		mb->gone_at[mb->ngone++] = m->modseq;
	}
	fed(mb, slot);
}

static void
change(struct mailbox *mb, size_t slot)
{
	struct message *m = &mb->m[slot];

	if (m->gone)
		return;
	m->flags ^= rand() % 2 ? MAILDIR_SEEN : MAILDIR_FLAGGED;
	m->keywords = (uint32_t)rand() % (KEYWORDS + 1);
	m->modseq = ++mb->totals.highestmodseq;
	fed(mb, slot);
}

static void
compact(struct mailbox *mb)
{
	struct mailbox_watch *w;
	struct list *it;
	size_t i, keep = 0;

	for (it = mb->watches.next; it != &mb->watches; it = it->next) {
		w = LIST_OF(it, struct mailbox_watch, link);
		if (w->holds || w->at != mb->fed)
			return;
	}
	for (i = 0; i < mb->n; i++)
		if (!mb->m[i].gone)
			mb->m[keep++] = mb->m[i];
	mb->n = keep;
	mb->totals.gone = 0;
	for (it = mb->watches.next; it != &mb->watches; it = it->next) {
		w = LIST_OF(it, struct mailbox_watch, link);
		w->on_compact(w);
	}
}

static void
box_init(struct mailbox *mb)
{
	memset(mb, 0, sizeof(*mb));
	list_init(&mb->watches);
	mb->totals = (struct index_totals){ .uidvalidity = 1,
					    .uidnext = 1,
					    .recent_from = 1,
					    .highestmodseq = 1 };
}

/* --- a session -------------------------------------------------------------
 */

static struct buf outs[VIEWS];
static struct imap_session sessions[VIEWS];
static size_t room; /* of a session's output */

struct buf *
imap_out(struct imap_session *s)
{
	return &outs[s - sessions];
}

bool
imap_full(const struct imap_session *s)
{
	return outs[s - sessions].n >= room;
}

void
imap_bye(struct imap_session *s, const char *text)
{
	(void)text;
	s->stage = STAGE_END;
}

void
imap_wake(struct imap_session *s)
{
	(void)s;
}

void
imap_reply(struct imap_session *s, const char *fmt, ...)
{
	(void)s;
	(void)fmt;
}

/* --- a client, who believes what is said -----------------------------------
 */

struct client {
	uint32_t uid[SLOTS_MAX]; /* 0: not asked yet */
	uint64_t flags[SLOTS_MAX];
	uint32_t keyword[SLOTS_MAX];
	size_t n;
	uint64_t modseq;
};

static void
forget(struct client *c, size_t i)
{
	assert_true(i < c->n);
	c->n--;
	memmove(c->uid + i, c->uid + i + 1, (c->n - i) * sizeof(c->uid[0]));
	memmove(c->flags + i, c->flags + i + 1,
		(c->n - i) * sizeof(c->flags[0]));
	memmove(c->keyword + i, c->keyword + i + 1,
		(c->n - i) * sizeof(c->keyword[0]));
}

/* Where the client has this UID, or one between its neighbours that it has not
 * asked about. */
static size_t
place_of(const struct client *c, uint32_t uid)
{
	size_t i, place = c->n;

	for (i = 0; i < c->n && c->uid[i] < uid; i++)
		place = c->uid[i] ? c->n : i;
	return i < c->n && c->uid[i] == uid ? i : place;
}

static void
hear_vanished(struct client *c, struct str set)
{
	struct str one, first;
	uint64_t lo, hi;

	while (str_token(&set, ",", &one)) {
		if (!str_cut(&one, ':', &first))
			first = one;
		assert_int_equal(str_u64(first, UINT32_MAX, &lo), 0);
		assert_int_equal(str_u64(one, UINT32_MAX, &hi), 0);
		for (; lo <= hi; lo++) /* it must have it */
			forget(c, place_of(c, (uint32_t)lo));
	}
}

static void
hear_fetch(struct client *c, unsigned seq, struct str items)
{
	ptrdiff_t at = str_search(items, STR("UID "));
	uint32_t uid;
	unsigned k;

	assert_true(seq >= 1 && seq <= c->n);
	if (at >= 0) {
		uid = (uint32_t)strtoul(items.p + at + 4, NULL, 10);
		if (c->uid[seq - 1])
			assert_int_equal(uid, c->uid[seq - 1]);
		c->uid[seq - 1] = uid;
	}
	if (str_search(items, STR("FLAGS (")) < 0)
		return;
	c->flags[seq - 1] =
		(str_search(items, STR("\\Seen")) >= 0 ? MAILDIR_SEEN : 0) |
		(str_search(items, STR("\\Flagged")) >= 0 ? MAILDIR_FLAGGED
							  : 0);
	c->keyword[seq - 1] = 0;
	for (k = 0; k < KEYWORDS; k++)
		if (str_search(items, str_of(keyword_names[k])) >= 0)
			c->keyword[seq - 1] = k + 1;
}

/* "* N WORD": what stands behind it. */
static bool
is_about(struct str line, const char *word, unsigned *n, struct str *rest)
{
	struct str star, number;
	uint64_t v;

	if (!str_cut(&line, ' ', &star) || !str_eq(star, STR("*")) ||
	    !str_cut(&line, ' ', &number) ||
	    str_u64(number, UINT32_MAX, &v) < 0 ||
	    !str_starts(line, str_of(word)))
		return false;
	*n = (unsigned)v;
	*rest = str_from(line, strlen(word));
	return true;
}

static void
hear_line(struct client *c, struct str line)
{
	struct str rest;
	unsigned n;

	if (is_about(line, "EXISTS", &n, &rest)) {
		assert_true(n >= c->n);
		for (; c->n < n; c->n++) {
			c->uid[c->n] = 0;
			c->flags[c->n] = c->keyword[c->n] = 0;
		}
	} else if (is_about(line, "EXPUNGE", &n, &rest)) {
		forget(c, n - 1);
	} else if (is_about(line, "FETCH ", &n, &rest)) {
		hear_fetch(c, n, rest);
	} else if (str_starts(line, STR("* VANISHED "))) {
		hear_vanished(c, str_trim(str_from(line, 11)));
	}
}

static void
hear(struct client *c, struct buf *b)
{
	struct str in = buf_str(b), line;

	while (str_cut(&in, '\n', &line))
		hear_line(c, line);
	assert_int_equal(in.n, 0);
	buf_reset(b);
}

/* The client asks for the messages that it has not met: UID FETCH 1:* FLAGS. */
static void
ask(struct imap_session *s, struct client *c)
{
	struct imap_range all = { 1, UINT32_MAX };
	struct imap_set set = { .v = &all, .n = 1, .uids = true };
	struct imap_view *v = &s->view;
	const struct message *m;
	struct imap_walk w;
	size_t n = 0;

	imap_walk_begin(&w, v, &set);
	while (imap_walk_next(&w, v)) {
		m = mailbox_at(v->mb, w.slot);
		assert_int_equal(w.seq, ++n);
		assert_int_equal(imap_view_slot(v, w.seq), w.slot);
		assert_int_equal(imap_view_seq(v, w.slot), w.seq);
		assert_int_equal(imap_view_seq_of_uid(v, m->uid), w.seq);
		if (c->uid[n - 1])
			assert_int_equal(c->uid[n - 1], m->uid);
		else
			c->flags[n - 1] =
				m->flags & (MAILDIR_SEEN | MAILDIR_FLAGGED),
				     c->keyword[n - 1] = m->keywords;
		c->uid[n - 1] = m->uid;
	}
	assert_int_equal(n, c->n);
	assert_int_equal(n, imap_view_count(v));
	assert_int_equal(imap_view_last_uid(v), n ? c->uid[n - 1] : 0);
}

static void
happens(struct mailbox *mb)
{
	size_t n = (size_t)rand() % 8;

	switch (rand() % 8) {
	case 0:
		for (; n && mb->n < SLOTS_MAX; n--)
			arrive(mb);
		break;
	case 1:
		for (; n && mb->n; n--)
			expunge(mb, (size_t)rand() % mb->n);
		break;
	case 2:
		compact(mb);
		break;
	case 3: /* more than the feed keeps */
		for (n = 0; n < mb->n; n++)
			change(mb, n);
		break;
	default:
		for (; n && mb->n; n--)
			change(mb, (size_t)rand() % mb->n);
	}
}

static void
sync_now(struct imap_session *s, struct client *c, bool expunges)
{
	imap_view_hold(&s->view);
	while (!imap_view_sync(s, expunges)) {
		assert_true(s->stage != STAGE_END);
		hear(c, imap_out(s));
		if (rand() % 4 == 0)
			happens(s->view.mb);
	}
	hear(c, imap_out(s));
	ask(s, c);
	imap_view_let_go(&s->view);
}

/* What the client knows is what is there. */
static void
assert_same(struct mailbox *mb, const struct client *c)
{
	size_t i, n = 0;

	for (i = 0; i < mb->n; i++) {
		if (mb->m[i].gone)
			continue;
		assert_true(n < c->n);
		assert_int_equal(mb->m[i].uid, c->uid[n]);
		assert_int_equal(mb->m[i].flags, c->flags[n]);
		assert_int_equal(mb->m[i].keywords, c->keyword[n]);
		n++;
	}
	assert_int_equal(n, c->n);
}

static void
open_view(struct imap_session *s, struct client *c, struct mailbox *mb,
	  bool qresync)
{
	struct err err;

	memset(s, 0, sizeof(*s));
	memset(c, 0, sizeof(*c));
	s->qresync = s->condstore = qresync;
	assert_int_equal(imap_view_open(s, mb, false, &err), 0);
	c->n = imap_view_count(&s->view);
	ask(s, c);
	imap_view_let_go(&s->view);
}

/* --- tests -----------------------------------------------------------------
 */

/* A STORE of the session's own, .SILENT: the client works it out itself. */
static void
store_silently(struct imap_session *s, struct client *c)
{
	struct flag_change to = { .how = FLAGS_ADD, .flags = MAILDIR_SEEN };
	size_t i = (size_t)rand() % c->n, slot;
	struct imap_view *v = &s->view;
	struct err err;

	slot = imap_view_slot(v, (uint32_t)i + 1);
	if (!imap_view_at(v, slot))
		return;
	assert_int_equal(imap_view_change(v, &c->uid[i], 1, &to, &err), 0);
	c->flags[i] |= MAILDIR_SEEN;
}

static void
random_step(struct mailbox *mb, struct client *c)
{
	size_t k = (size_t)rand() % VIEWS;

	switch (rand() % 12) {
	case 0:
		if (c[k].n)
			store_silently(&sessions[k], &c[k]);
		sync_now(&sessions[k], &c[k], false);
		break;
	case 1:
	case 2:
		sync_now(&sessions[k], &c[k], false);
		break;
	case 3:
	case 4:
		sync_now(&sessions[k], &c[k], true);
		assert_same(mb, &c[k]);
		break;
	case 5:
		imap_view_close(&sessions[k]);
		open_view(&sessions[k], &c[k], mb, k == 1);
		assert_same(mb, &c[k]);
		break;
	default:
		happens(mb);
	}
}

static void
test_random(void **state)
{
	struct mailbox *mb = calloc(1, sizeof(*mb));
	struct client *c = calloc(VIEWS, sizeof(*c));
	int round, i;
	size_t k;

	(void)state;
	assert_non_null(mb);
	assert_non_null(c);
	for (k = 0; k < VIEWS; k++)
		buf_init(&outs[k], 1 << 24);
	for (round = 0; round < 60; round++) {
		srand((unsigned)round);
		room = rand() % 2 ? 200 : 1 << 20;
		box_init(mb);
		for (i = rand() % 60; i; i--)
			arrive(mb);
		for (k = 0; k < VIEWS; k++)
			open_view(&sessions[k], &c[k], mb, k == 1);
		for (i = 0; i < 150; i++)
			random_step(mb, c);
		for (k = 0; k < VIEWS; k++) {
			sync_now(&sessions[k], &c[k], true);
			assert_same(mb, &c[k]);
		}
		for (k = 0; k < VIEWS; k++)
			imap_view_close(&sessions[k]);
	}
	for (k = 0; k < VIEWS; k++)
		buf_fini(&outs[k]);
	free(mb);
	free(c);
}

/* RFC 7162 3.2.6, 3.2.5.1: what vanished, with the history and without. */
static void
test_vanished(void **state)
{
	static const struct {
		uint64_t history, since;
		uint32_t floor;
		struct imap_range known[2];
		const char *want;
	} rows[] = {
		{ 0, 1, 0, { { 1, UINT32_MAX }, { 0, 0 } }, "3:4,7" },
		{ 0, 12, 0, { { 1, UINT32_MAX }, { 0, 0 } }, "4,7" },
		{ 0, 1, 3, { { 1, UINT32_MAX }, { 0, 0 } }, "4,7" },
		{ 0, 1, 0, { { 1, 3 }, { 7, 9 } }, "3,7" },
		{ 0, 13, 0, { { 1, 3 }, { 0, 0 } }, NULL },
		{ 99, 13, 0, { { 1, UINT32_MAX }, { 0, 0 } }, "3:4,7" },
		{ 99, 13, 3, { { 2, 6 }, { 0, 0 } }, "4" },
		{ 99, 13, 0, { { 5, 6 }, { 8, 9 } }, NULL },
	};
	struct mailbox *mb = calloc(1, sizeof(*mb));
	struct imap_session *s = &sessions[0];
	struct client *c = calloc(1, sizeof(*c));
	struct imap_set known;
	char want[100];
	size_t i;

	(void)state;
	assert_non_null(mb);
	assert_non_null(c);
	buf_init(&outs[0], 1 << 20);
	room = 1 << 20;
	box_init(mb);
	for (i = 0; i < 10; i++) {
		mb->totals.uidnext = (uint32_t)i + 1;
		arrive(mb);
	}
	mb->totals.uidnext = 11;
	expunge(mb, 2); /* modseq 12 */
	expunge(mb, 3);
	expunge(mb, 6);
	open_view(s, c, mb, true);
	expunge(mb, 8); /* the client thinks that it has a number */
	mb->totals.uidnext = 11;
	arrive(mb); /* the client has not heard of it */
	mb->totals.uidnext = 12;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		mb->history = rows[i].history;
		known = (struct imap_set){
			.v = (struct imap_range *)rows[i].known,
			.n = rows[i].known[1].lo ? 2 : 1,
			.uids = true,
		};
		buf_reset(&outs[0]);
		imap_say_vanished(s, &known, rows[i].floor, rows[i].since);
		snprintf(want, sizeof(want), "* VANISHED (EARLIER) %s\r\n",
			 rows[i].want ? rows[i].want : "");
		assert_string_equal(buf_cstr(&outs[0]),
				    rows[i].want ? want : "");
	}
	imap_view_close(s);
	buf_fini(&outs[0]);
	free(mb);
	free(c);
}

/* Slots mean nothing when the mailbox is another one; a deleted one's are gone.
 */
static void
test_replaced(void **state)
{
	struct mailbox *mb = calloc(1, sizeof(*mb));
	struct imap_session *s = &sessions[0];
	struct client *c = calloc(1, sizeof(*c));
	size_t i, way;

	(void)state;
	assert_non_null(mb);
	assert_non_null(c);
	buf_init(&outs[0], 1 << 20);
	room = 1 << 20;
	for (way = 0; way < 2; way++) {
		box_init(mb);
		for (i = 0; i < 10; i++)
			arrive(mb);
		open_view(s, c, mb, false);
		change(mb, 9);
		mb->deleted = true;
		if (way == 0) {
			sync_now(s, c, true);
			assert_int_equal(c->n, 0);
		} else {
			mb->n = 2;
			mb->totals.uidvalidity++;
			assert_true(imap_view_sync(s, true));
			assert_int_equal(s->stage, STAGE_END);
			assert_int_equal(outs[0].n, 0);
		}
		imap_view_close(s);
	}
	buf_fini(&outs[0]);
	free(mb);
	free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_vanished),
		cmocka_unit_test(test_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
