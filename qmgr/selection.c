/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "selection.h"

static void find_run(struct io_job **v, size_t n);
static void find_done(struct io_job *j);

static const struct io_kind find_kind = { find_run, find_done, 1 };

/* --- tests ---------------------------------------------------------------- */

bool
selection_address(struct str pattern, struct str address)
{
	if (str_eq(pattern, STR("<>")))
		return address.n == 0;
	if (str_starts(pattern, STR("@")))
		return str_iends(address, pattern);
	if (str_ends(pattern, STR("@")))
		return str_istarts(address, pattern) &&
		       str_rfind(address, '@') == (ptrdiff_t)pattern.n - 1;
	return str_ieq(pattern, address);
}

bool
selection_site(struct str site, const struct msg_rcpt *r)
{
	size_t n = r->transport.n;

	if (str_ieq(site, str_from(r->address,
				   (size_t)(str_rfind(r->address, '@') + 1))))
		return true;
	if (r->type != RCPT_REMOTE)
		return false;
	return str_ieq(site, r->where) ||
	       (site.n > n && site.p[n] == ':' &&
		str_ieq(str_head(site, n), r->transport) &&
		str_ieq(str_from(site, n + 1), r->where));
}

static bool
reads_files(const struct selection *s)
{
	return s->site.n || s->sender.n || s->rcpt.n;
}

bool
selection_envelope(const struct selection *s, const struct spool_text *t)
{
	struct str it = t->env.rcpts;
	struct msg_rcpt r;
	uint32_t i;

	if (s->sender.n && !selection_address(s->sender, t->env.sender))
		return false;
	if (!s->site.n && !s->rcpt.n)
		return true;
	for (i = 0; i < t->head.nrcpts; i++) {
		if (!msg_list_next(&it, &msg_rcpt_def, &r))
			return false;
		if (qfile_to_do(t->rcpt_state[i]) &&
		    (!s->site.n || selection_site(s->site, &r)) &&
		    (!s->rcpt.n || selection_address(s->rcpt, r.address)))
			return true;
	}
	return false;
}

enum queue_state
selection_state(const struct message *m)
{
	switch (m->state) {
	case MESSAGE_DEFERRED:
		return QUEUE_DEFERRED;
	case MESSAGE_HELD:
		return QUEUE_HELD;
	case MESSAGE_REMOVING:
		return 0;
	default:
		return QUEUE_ACTIVE;
	}
}

static bool
passes(const struct selection *s, const struct message *m)
{
	unsigned state = selection_state(m);

	return state && (!s->states || s->states & (1u << state)) &&
	       (!s->older_us || m->arrival_us < s->older_us) &&
	       m->arrival_us >= s->younger_us && m->size >= s->larger &&
	       (!s->smaller || m->size < s->smaller);
}

/* --- the walk ------------------------------------------------------------- */

static int
by_id(const void *pa, const void *pb)
{
	const uint64_t *a = pa, *b = pb;

	return (*a > *b) - (*a < *b);
}

static bool
has_envelope(const struct selection *s, uint64_t id)
{
	struct spool_text t;
	struct err err;
	bool has;

	if (spool_read(s->q->spool, id, SPOOL_ENVELOPE, &t, &err) < 0)
		return false; /* gone, or damaged: it has no addresses */
	has = selection_envelope(s, &t);
	free(t.mem);
	return has;
}

static void
find_run(struct io_job **v, size_t n)
{
	struct selection *s = LIST_OF(v[0], struct selection, job);
	size_t i, kept = 0;

	(void)n;
	if (!s->sorted && s->n > 1)
		qsort(s->ids, s->n, sizeof(*s->ids), by_id);
	for (i = 0; i < s->nbatch; i++)
		if (!reads_files(s) || has_envelope(s, s->batch[i]))
			s->batch[kept++] = s->batch[i];
	s->nbatch = kept;
}

static void
find_done(struct io_job *j)
{
	struct selection *s = LIST_OF(j, struct selection, job);
	struct qmgr *q = s->q;
	bool end = s->sorted && s->at == s->n;

	s->sorted = true;
	if (s->nbatch || end || q->draining)
		s->ready(s);
	else
		selection_more(s);
	qmgr_drain_step(q);
}

void
selection_more(struct selection *s)
{
	const struct message *m;

	s->nbatch = 0;
	while (s->sorted && s->at < s->n && s->nbatch < SELECTION_BATCH) {
		m = message_find(s->q, s->ids[s->at++]);
		if (m && passes(s, m))
			s->batch[s->nbatch++] = m->id;
	}
	io_submit(s->q->io, IO_OTHER, &find_kind, &s->job);
}

/* --- what is asked for ---------------------------------------------------- */

static void
add_id(struct selection *s, struct str id, bool alone)
{
	struct message *m = NULL;
	uint64_t one;

	if (qid_parse(id, &one))
		m = message_find(s->q, one);
	if (m && selection_state(m))
		s->ids[s->n++] = one;
	else if (!s->missing[0])
		(void)snprintf(s->missing, sizeof(s->missing),
			       "%.*s%sno such message", alone ? 0 : (int)id.n,
			       id.p, alone ? "" : ": ");
}

/* Each at most once, however often it was named. */
static void
collect(struct selection *s, const struct msg_queue *m)
{
	struct str it = m->ids.raw;
	struct message *one;
	struct msg_queue_id e;
	size_t i = 0, kept = 0;

	if (str_eq(m->id, STR("ALL"))) {
		while ((one = map_next(&s->q->by_id, &i)))
			s->ids[s->n++] = one->id;
		return;
	}
	if (m->id.n)
		add_id(s, m->id, true);
	while (msg_list_next(&it, &msg_queue_id_def, &e))
		add_id(s, e.id, false);
	if (s->n)
		qsort(s->ids, s->n, sizeof(*s->ids), by_id);
	for (i = 0; i < s->n; i++)
		if (!kept || s->ids[i] != s->ids[kept - 1])
			s->ids[kept++] = s->ids[i];
	s->n = kept;
	s->sorted = true;
}

static int
keep(struct selection *s, const struct msg_queue *m)
{
	struct str *const to[] = { &s->site, &s->sender, &s->rcpt };
	const struct str from[] = { m->site, m->sender, m->rcpt };
	size_t i;
	char *at;

	s->mem = at = malloc(m->site.n + m->sender.n + m->rcpt.n + 1);
	if (!at)
		return -1;
	for (i = 0; i < 3; i++) {
		if (from[i].n)
			memcpy(at, from[i].p, from[i].n);
		*to[i] = str_mem(at, from[i].n);
		at += from[i].n;
	}
	return 0;
}

int
selection_init(struct selection *s, struct qmgr *q, const struct msg_queue *m,
	       void (*ready)(struct selection *s))
{
	size_t n = str_eq(m->id, STR("ALL")) ? q->by_id.n
					     : m->ids.count + (size_t)1;

	*s = (struct selection){
		.q = q,
		.states = m->states,
		.older_us = m->older_us,
		.younger_us = m->younger_us,
		.larger = m->larger,
		.smaller = m->smaller,
		.ready = ready,
	};
	s->ids = calloc(n + 1, sizeof(*s->ids));
	if (!s->ids || keep(s, m) < 0) {
		selection_fini(s);
		return -1;
	}
	collect(s, m);
	return 0;
}

void
selection_fini(struct selection *s)
{
	free(s->ids);
	free(s->mem);
	s->ids = NULL;
	s->mem = NULL;
}
