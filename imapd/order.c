/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "order.h"

struct ranked {
	uint32_t uid, rank;
};

struct imap_order {
	/* Of what: no two mailboxes ever have the same of both. */
	char mailbox[STORE_NAME_MAX + 1];
	uint32_t uidvalidity;
	struct imap_sort_program program;
	bool used;
	size_t n;
	struct ranked v[]; /* by UID */
};

static bool
is_same_program(const struct imap_sort_program *a,
		const struct imap_sort_program *b)
{
	size_t i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (a->v[i].by != b->v[i].by ||
		    a->v[i].reverse != b->v[i].reverse)
			return false;
	return a->n == b->n;
}

struct imap_order *
imap_order_take(struct imap_session *s, const struct imap_sort_program *p)
{
	struct imap_order *o = s->user->order;
	struct imap_view *v = &s->view;

	if (!o || o->uidvalidity != v->uidvalidity ||
	    strcmp(o->mailbox, mailbox_name(v->mb)) != 0 ||
	    !is_same_program(&o->program, p) ||
	    imap_view_last_uid(v) > o->v[o->n - 1].uid)
		return NULL;
	s->user->order = NULL;
	o->used = true;
	return o;
}

void
imap_order_give(struct imap_user *u, struct imap_order *o)
{
	if (!o)
		return;
	free(u->order);
	u->order = o;
}

void
imap_order_drop(struct imap_user *u)
{
	free(u->order);
	u->order = NULL;
}

void
imap_order_age(struct imap_user *u)
{
	if (u->order && !u->order->used)
		imap_order_drop(u);
	else if (u->order)
		u->order->used = false;
}

/* The first from *at on that has at least this UID. */
static bool
find(const struct imap_order *o, uint32_t uid, size_t *at)
{
	size_t lo = *at, hi = o->n, mid;

	if (lo < hi && o->v[lo].uid < uid)
		lo++; /* mostly it is the next one */
	while (lo < hi && o->v[lo].uid < uid) {
		mid = lo + (hi - lo) / 2;
		if (o->v[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	*at = lo;
	return lo < o->n && o->v[lo].uid == uid;
}

uint64_t
imap_order_rank(const struct imap_order *o, uint32_t uid, size_t *at)
{
	/* All that are not in it stand behind it, as they came. */
	return find(o, uid, at) ? o->v[*at].rank : (1ull << 32) + uid;
}

struct imap_order *
imap_order_new(struct imap_session *s, const struct imap_sort_program *p,
	       const struct imap_sorter *sorted)
{
	struct imap_view *v = &s->view;
	struct imap_order *o;
	uint32_t number;
	size_t i, at, n = sorted->n;

	if (n == 0 || n != imap_view_count(v))
		return NULL;
	o = malloc(sizeof(*o) + n * sizeof(o->v[0]));
	if (!o)
		return NULL;
	str_copy(o->mailbox, sizeof(o->mailbox), str_of(mailbox_name(v->mb)));
	o->uidvalidity = v->uidvalidity;
	o->program = *p;
	o->used = true;
	o->n = n;
	for (i = 0; i < n; i++)
		o->v[i].uid =
			mailbox_at(v->mb, imap_view_slot(v, (uint32_t)i + 1))
				->uid;
	for (i = 0; i < n; i++) {
		number = sorted->v[i].number;
		at = s->uid ? number - o->v[0].uid : number - 1;
		if (s->uid && (at >= n || o->v[at].uid != number)) {
			at = 0; /* some are missing before it */
			(void)find(o, number, &at);
		}
		o->v[at].rank = (uint32_t)i;
	}
	return o;
}
