/* SPDX-License-Identifier: ISC */
/* SORT and THREAD (RFC 5256, 5957), ESORT (RFC 5267 3). */
#include <stdlib.h>

#include "commands.h"
#include "order.h"
#include "search.h"
#include "thread.h"

enum { PUT_BATCH = 1000, TAKE_BATCH = 256 };

struct sort_job {
	struct search sr;
	struct searcher a;
	bool failed; /* no memory */
	enum { GATHER, ORDER, SAY } phase;
	size_t at;
	struct imap_threader threader;
	/* SORT */
	struct imap_sort_program program;
	struct imap_sorter sorter;
	struct imap_order *order; /* found before; NULL: by values */
	size_t order_at;
	struct search_result result;
	struct search_found uids; /* to be saved */
};

static uint32_t
number_of(struct imap_session *s, const struct sort_job *j)
{
	return s->uid ? j->a.uid : j->a.seq;
}

/* What it is sorted by; false: it vanishes now. */
static bool
take_values(struct imap_session *s, struct sort_job *j)
{
	const struct imap_sort_program *p = &j->program;
	struct imap_sort_values v = { .keys = &j->a.keys };

	if ((p->needs_arrival && !searcher_arrival(&j->a, &v.arrival)) ||
	    (p->needs_size && !searcher_size(&j->a, &v.size)) ||
	    (p->needs_keys && !searcher_keys(&j->a)) ||
	    (p->needs_sent && !searcher_sent(&j->a, &v.sent)))
		return false;
	if (imap_sorter_add(&j->sorter, p, number_of(s, j), &v) < 0)
		j->failed = true;
	return true;
}

/* A message that vanishes now is left out. */
static void
take_to_sort(struct imap_session *s, struct sort_job *j)
{
	const struct message *m = imap_view_at(&s->view, j->a.slot);
	uint64_t rank;

	if (!m)
		return;
	if (j->order) {
		rank = imap_order_rank(j->order, m->uid, &j->order_at);
		if (imap_sorter_add_rank(&j->sorter, number_of(s, j), rank) < 0)
			j->failed = true;
	} else if (!take_values(s, j)) {
		return;
	}
	if (m->modseq > j->result.modseq)
		j->result.modseq = m->modseq;
	if (j->sr.ret & RETURN_SAVE && !imap_found_add(&j->uids, m->uid))
		j->failed = true;
}

static void
take_to_thread(struct imap_session *s, struct sort_job *j)
{
	int64_t sent;

	if (searcher_sent(&j->a, &sent) &&
	    imap_threader_add(&j->threader, number_of(s, j), sent, &j->a.keys) <
		    0)
		j->failed = true;
}

/* The next portion of messages. */
static enum imap_done
gather(struct imap_session *s, struct sort_job *j,
       void (*take)(struct imap_session *, struct sort_job *))
{
	enum search_next next = SEARCH_FOUND;
	size_t i;

	for (i = 0; i < TAKE_BATCH && next == SEARCH_FOUND && !j->failed; i++) {
		next = searcher_next(&j->a);
		if (next == SEARCH_FOUND)
			take(s, j);
		if (j->a.read)
			break;
	}
	if (next == SEARCH_END)
		j->phase = ORDER;
	if (!j->failed)
		return IMAP_MORE;
	imap_search_failed(s, &j->sr, "LIMIT");
	return IMAP_DONE;
}

/* --- SORT ------------------------------------------------------------------
 */

/* A range goes up (RFC 3501 9): it says only what is one behind the other so.
 */
static void
say_range(struct sort_job *j, struct buf *out)
{
	const struct imap_sort_item *v = j->sorter.v;
	uint32_t lo = v[j->at].number, hi = lo;

	if (j->at)
		buf_add_byte(out, ',');
	while (++j->at < j->sorter.n && v[j->at].number == hi + 1)
		hi++;
	imap_put_range(out, lo, hi);
}

static enum imap_done
say_sorted(struct imap_session *s, struct sort_job *j)
{
	size_t i, n = j->sr.ret & RETURN_ALL ? j->sorter.n : 0;
	struct buf *out = imap_out(s);

	for (i = 0; i < PUT_BATCH && j->at < n; i++) {
		if (j->sr.extended) {
			say_range(j, out);
			continue;
		}
		buf_add_byte(out, ' ');
		buf_add_u64(out, j->sorter.v[j->at++].number);
	}
	if (j->at < n)
		return IMAP_MORE;
	if (!j->sr.extended && n && j->sr.has_modseq) /* RFC 7162 3.1.6 */
		buf_addf(out, " (MODSEQ %llu)",
			 (unsigned long long)j->result.modseq);
	buf_add_c(out, "\r\n");
	imap_reply(s, "OK Sort completed");
	return IMAP_DONE;
}

/* The answer begins, or it cannot; rc: of the last portion. */
static enum imap_done
ordered(struct imap_session *s, struct sort_job *j, int rc, const char *answer)
{
	if (rc > 0)
		return IMAP_MORE;
	if (rc < 0) {
		imap_search_failed(s, &j->sr, "LIMIT");
		return IMAP_DONE;
	}
	buf_add_c(imap_out(s), answer);
	j->phase = SAY;
	return IMAP_MORE;
}

static void
look_at(struct imap_session *s, uint32_t number, uint32_t *uid,
	uint64_t *modseq)
{
	struct imap_view *v = &s->view;
	const struct message *m =
		s->uid ? mailbox_find(v->mb, number)
		       : imap_view_at(v, imap_view_slot(v, number));

	*uid = m ? m->uid : 0;
	*modseq = m ? m->modseq : 0;
}

/* RFC 5267 3.1: they are in order. */
static enum imap_done
extended(struct imap_session *s, struct sort_job *j)
{
	const struct imap_sort_item *v = j->sorter.v;
	struct search_result *r = &j->result;

	r->count = (uint32_t)j->sorter.n;
	if (r->count) {
		r->min = v[0].number;
		r->max = v[r->count - 1].number;
		look_at(s, r->min, &r->min_uid, &r->min_modseq);
		look_at(s, r->max, &r->max_uid, &r->max_modseq);
	}
	if (j->sr.ret & RETURN_SAVE &&
	    imap_search_save(s, &j->sr, r, &j->uids) < 0) {
		imap_search_failed(s, &j->sr, "LIMIT");
		return IMAP_DONE;
	}
	if (j->sr.ret == RETURN_SAVE) { /* RFC 5182 2.1: no answer */
		imap_reply(s, "OK Sort completed, result saved");
		return IMAP_DONE;
	}
	imap_say_esearch(s, &j->sr, r);
	return IMAP_MORE;
}

static enum imap_done
step_sort(struct imap_session *s)
{
	struct sort_job *j = s->job;
	enum imap_done done;

	if (j->phase == SAY)
		return say_sorted(s, j);
	if (j->phase == GATHER)
		return gather(s, j, take_to_sort);
	done = ordered(s, j, imap_sorter_step(&j->sorter),
		       j->sr.extended ? "" : "* SORT");
	if (j->phase == SAY && !j->order)
		j->order = imap_order_new(s, &j->program, &j->sorter);
	if (j->phase == SAY && j->sr.extended)
		done = extended(s, j);
	return done;
}

static void
end_sort(struct imap_session *s)
{
	struct sort_job *j = s->job;

	searcher_fini(&j->a);
	imap_sorter_fini(&j->sorter);
	free(j->uids.v);
	imap_order_give(s->user, j->order);
	imap_threader_fini(&j->threader);
}

void
imap_cmd_sort(struct imap_session *s, struct imap_in *in)
{
	struct sort_job *j = pool_alloc(&s->pool, sizeof(*j));

	if (!j || !imap_search_return(in, &j->sr) || !imap_space(in) ||
	    !imap_sort_parse(in, &j->program)) {
		imap_reply_bad(s, in);
		return;
	}
	if (!imap_search_begin(s, in, &j->sr, &j->a, imap_search_parse_sort))
		return;
	imap_sorter_init(&j->sorter);
	j->order = imap_order_take(s, &j->program);
	imap_job(s, step_sort, end_sort, j);
}

/* --- THREAD ----------------------------------------------------------------
 */

static enum imap_done
say_threads(struct imap_session *s, struct sort_job *j)
{
	struct imap_threader *t = &j->threader;
	struct buf *out = imap_out(s);
	size_t i;

	if (j->at == 0 && t->ntops)
		buf_add_byte(out, ' ');
	for (i = 0; i < PUT_BATCH && j->at < t->ntops; i++)
		imap_threader_put(t, j->at++, out);
	if (j->at < t->ntops)
		return IMAP_MORE;
	buf_add_c(out, "\r\n");
	imap_reply(s, "OK Thread completed");
	return IMAP_DONE;
}

static enum imap_done
step_thread(struct imap_session *s)
{
	struct sort_job *j = s->job;

	if (j->phase == SAY)
		return say_threads(s, j);
	if (j->phase == ORDER)
		return ordered(s, j, imap_threader_step(&j->threader),
			       "* THREAD");
	return gather(s, j, take_to_thread);
}

void
imap_cmd_thread(struct imap_session *s, struct imap_in *in)
{
	struct sort_job *j = pool_alloc(&s->pool, sizeof(*j));
	enum imap_thread_how how = THREAD_REFERENCES;

	if (!j || !imap_space(in)) {
		imap_reply_bad(s, in);
		return;
	}
	if (imap_word(in, "ORDEREDSUBJECT")) {
		how = THREAD_ORDEREDSUBJECT;
	} else if (!imap_word(in, "REFERENCES")) {
		imap_reply(s, "BAD THREAD: Unknown algorithm");
		return;
	}
	if (!imap_search_begin(s, in, &j->sr, &j->a, imap_search_parse_sort))
		return;
	imap_threader_init(&j->threader, how);
	imap_job(s, step_thread, end_sort, j);
}
