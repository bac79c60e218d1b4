/* SPDX-License-Identifier: ISC */
/* From links to threads: RFC 5256 3, REFERENCES 2 to 6, and ORDEREDSUBJECT. */
#include <stdlib.h>

#include "sort.h"
#include "thread.h"

enum {
	NONE = -1,
	STEP = 16384, /* threads of a portion */
};

/* A node in the order of its siblings: by parent, date, number. */
struct place {
	int64_t sent;
	uint32_t number;
	int32_t parent, node;
};

static int
compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->sent != y->sent)
		return x->sent < y->sent ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static struct place
place_of(const struct imap_threader *t, int32_t node, int32_t message)
{
	const struct imap_thread_message *m = &t->messages[message];

	return (struct place){ m->sent, m->number, t->nodes[node].parent,
			       node };
}

static bool
is_dummy(const struct imap_threader *t, int32_t node)
{
	return t->nodes[node].message == NONE;
}

/* Its message, a dummy's first child's; children are messages. */
static int32_t
message_of(const struct imap_threader *t, int32_t node)
{
	if (is_dummy(t, node))
		node = t->nodes[node].child;
	return t->nodes[node].message;
}

/* --- (3) dummies go ---------------------------------------------------------
 */

/*
 * The closest message above, or the dummy that is the top of all.  The way
 * there is made short for the next one.
 */
static int32_t
above(struct imap_threader *t, int32_t node)
{
	struct imap_thread_node *v = t->nodes;
	int32_t end = v[node].parent, x, up;

	while (end != NONE && v[end].message == NONE && v[end].parent != NONE)
		end = v[end].parent;
	for (x = v[node].parent; x != end && x != NONE; x = up) {
		up = v[x].parent;
		v[x].parent = end;
	}
	return end;
}

/* Messages get parents that are messages, or top dummies with two children at
 * least. */
static int
prune(struct imap_threader *t)
{
	struct imap_thread_node *v = t->nodes;
	uint8_t *children = calloc(t->nnodes + 1, 1);
	size_t i;
	int32_t p;

	if (!children)
		return -1;
	for (i = 0; i < t->nnodes; i++) {
		if (v[i].message == NONE)
			continue;
		p = v[i].parent = above(t, (int32_t)i);
		if (p != NONE && children[p] < 2)
			children[p]++;
	}
	for (i = 0; i < t->nnodes; i++) {
		p = v[i].parent;
		if (v[i].message == NONE)
			v[i].parent = NONE;
		else if (p != NONE && v[p].message == NONE && children[p] == 1)
			v[i].parent = NONE;
	}
	free(children);
	return 0;
}

/* --- (4), (6) order ---------------------------------------------------------
 */

/* Make the lists of children, each by date. */
static int
sort_children(struct imap_threader *t)
{
	struct imap_thread_node *v = t->nodes;
	struct place *places = malloc((t->n + 1) * sizeof(*places));
	size_t i, n = 0;

	if (!places)
		return -1;
	for (i = 0; i < t->nnodes; i++) {
		v[i].child = v[i].next = NONE;
		if (v[i].message != NONE && v[i].parent != NONE)
			places[n++] = place_of(t, (int32_t)i, v[i].message);
	}
	qsort(places, n, sizeof(*places), compare);
	for (i = n; i-- > 0;) { /* backwards: each is put in front */
		v[places[i].node].next = v[places[i].parent].child;
		v[places[i].parent].child = places[i].node;
	}
	free(places);
	return 0;
}

/* What has no parent, by the date of its first message. */
static int
sort_tops(struct imap_threader *t)
{
	struct place *places = malloc((t->nnodes + 1) * sizeof(*places));
	size_t i, n = 0;

	free(t->tops);
	t->tops = malloc((t->nnodes + 1) * sizeof(*t->tops));
	if (!places || !t->tops) {
		free(places);
		return -1;
	}
	for (i = 0; i < t->nnodes; i++) {
		if (t->nodes[i].parent != NONE ||
		    (is_dummy(t, (int32_t)i) && t->nodes[i].child == NONE))
			continue;
		places[n++] =
			place_of(t, (int32_t)i, message_of(t, (int32_t)i));
	}
	qsort(places, n, sizeof(*places), compare);
	t->ntops = n;
	for (i = 0; i < n; i++)
		t->tops[i] = places[i].node;
	free(places);
	return 0;
}

/* --- (5) one thread a subject -----------------------------------------------
 */

/* (5 B): is b better than a to stand for their subject? */
static bool
is_better(const struct imap_threader *t, int32_t a, int32_t b)
{
	if (is_dummy(t, a))
		return false;
	return is_dummy(t, b) || (t->messages[t->nodes[a].message].is_reply &&
				  !t->messages[t->nodes[b].message].is_reply);
}

/* Where the next portion of the threads ends. */
static size_t
portion(const struct imap_threader *t)
{
	return t->ntops - t->at < STEP ? t->ntops : t->at + STEP;
}

/* By base subject: a place in tops' copy, which says who stands for it. */
static int
fill_subjects(struct imap_threader *t)
{
	size_t end = portion(t);
	struct str base;
	int32_t *leader;

	if (t->at == 0)
		t->leaders = malloc((t->ntops + 1) * sizeof(*t->leaders));
	if (!t->leaders)
		return -1;
	for (; t->at < end; t->at++) {
		t->leaders[t->at] = t->tops[t->at];
		base = imap_threader_base(t, message_of(t, t->tops[t->at]));
		if (base.n == 0)
			continue;
		leader = map_get(&t->subjects, base);
		if (!leader) {
			if (map_put(&t->subjects, base, &t->leaders[t->at]) < 0)
				return -1;
		} else if (is_better(t, *leader, t->tops[t->at])) {
			*leader = t->tops[t->at];
		}
	}
	return end < t->ntops;
}

/* (5 C) The lists of children are made anew when all is done. */
static int
merge(struct imap_threader *t, int32_t *leader, int32_t node)
{
	struct imap_thread_node *v = t->nodes;
	int32_t both, child;

	if (is_dummy(t, *leader) && is_dummy(t, node)) {
		for (child = v[node].child; child != NONE;
		     child = v[child].next)
			v[child].parent = *leader;
	} else if (is_dummy(t, *leader) ||
		   (t->messages[v[node].message].is_reply &&
		    !t->messages[v[*leader].message].is_reply)) {
		v[node].parent = *leader;
	} else {
		both = imap_threader_node(t, NONE);
		if (both == NONE)
			return -1;
		t->nodes[node].parent = t->nodes[*leader].parent = both;
		*leader = both;
	}
	return 0;
}

static int
merge_subjects(struct imap_threader *t)
{
	size_t end = portion(t);
	int32_t *leader;
	struct str base;

	for (; t->at < end; t->at++) {
		base = imap_threader_base(t, message_of(t, t->tops[t->at]));
		leader = base.n ? map_get(&t->subjects, base) : NULL;
		if (leader && *leader != t->tops[t->at] &&
		    t->nodes[t->tops[t->at]].parent == NONE &&
		    merge(t, leader, t->tops[t->at]) < 0)
			return -1;
	}
	return end < t->ntops;
}

/* --- ORDEREDSUBJECT ---------------------------------------------------------
 */

/* Nodes and messages have the same indices here. */
static int
sort_subjects(const struct imap_threader *t, struct imap_sorter *s)
{
	static const struct imap_sort_program program = {
		.v = { { SORT_SUBJECT, false }, { SORT_DATE, false } }, .n = 2
	};
	struct imap_keys keys = { 0 };
	struct imap_sort_values m = { .keys = &keys };
	size_t i;
	int rc;

	for (i = 0; i < t->n; i++) {
		keys.field[KEYS_BASE] = imap_threader_base(t, (int32_t)i);
		m.sent = t->messages[i].sent;
		if (imap_sorter_add(s, &program, (uint32_t)i, &m) < 0)
			return -1;
	}
	while ((rc = imap_sorter_step(s)) > 0)
		continue;
	return rc;
}

static int
group_subjects(struct imap_threader *t)
{
	struct imap_sorter s;
	int32_t first = 0, node;
	size_t i;
	int rc;

	imap_sorter_init(&s);
	rc = sort_subjects(t, &s);
	for (i = 0; rc == 0 && i < s.n; i++) {
		node = (int32_t)s.v[i].number;
		if (i == 0 || !str_eq(imap_threader_base(t, first),
				      imap_threader_base(t, node)))
			first = node;
		else
			t->nodes[node].parent = first;
	}
	imap_sorter_fini(&s);
	return rc;
}

int
imap_threader_step(struct imap_threader *t)
{
	/* 1: there is more to do in it. */
	typedef int phase_fn(struct imap_threader *);
	static phase_fn *const references[] = { prune,		sort_children,
						sort_tops,	fill_subjects,
						merge_subjects, sort_children,
						sort_tops };
	static phase_fn *const ordered[] = { group_subjects, sort_children,
					     sort_tops };
	bool by_references = t->how == THREAD_REFERENCES;
	unsigned phases = by_references ? 7 : 3;
	int rc = (by_references ? references : ordered)[t->phase](t);

	if (rc)
		return rc;
	t->at = 0;
	return ++t->phase < phases;
}
