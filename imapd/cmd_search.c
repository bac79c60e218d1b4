/* SPDX-License-Identifier: ISC */
/* SEARCH (RFC 3501, 9051), ESEARCH (RFC 4731), SEARCHRES (RFC 5182). */
#include <stdlib.h>

#include "commands.h"
#include "search.h"

enum { PUT_BATCH = 1000, TAKE_BATCH = 256 };

struct found {
	struct imap_range *v; /* ascending and disjoint */
	size_t n, size;
};

struct search_job {
	struct search sr;
	struct searcher a;
	bool failed;		    /* no memory */
	struct found numbers, uids; /* uids: to be saved, if not the same */
	uint32_t count, min, max;   /* as said */
	uint32_t min_uid, max_uid;
	uint64_t modseq, min_modseq, max_modseq; /* the highest; of them */
	/* the answer */
	bool saying;
	size_t at;
	uint32_t next; /* in range at; 0: its first */
};

static bool
found_add(struct found *f, uint32_t n)
{
	struct imap_range *p;
	size_t size;

	if (f->n && f->v[f->n - 1].hi + 1 == n) {
		f->v[f->n - 1].hi = n;
		return true;
	}
	if (f->n == f->size) {
		size = f->size ? 2 * f->size : 64;
		p = realloc(f->v, size * sizeof(*p));
		if (!p)
			return false;
		f->v = p;
		f->size = size;
	}
	f->v[f->n++] = (struct imap_range){ n, n };
	return true;
}

/* --- results ---------------------------------------------------------------
 */

static void
take(struct imap_session *s, struct search_job *j)
{
	const struct message *m = imap_view_at(&s->view, j->a.slot);
	uint32_t number = s->uid ? j->a.uid : j->a.seq;
	uint64_t modseq = m ? m->modseq : 0;

	if (j->count++ == 0) {
		j->min = number;
		j->min_uid = j->a.uid;
		j->min_modseq = modseq;
	}
	j->max = number;
	j->max_uid = j->a.uid;
	j->max_modseq = modseq;
	if (modseq > j->modseq)
		j->modseq = modseq;
	if (j->sr.ret & RETURN_ALL && !found_add(&j->numbers, number))
		j->failed = true;
	if (j->sr.ret & RETURN_SAVE && !found_add(&j->uids, j->a.uid))
		j->failed = true;
}

/* RFC 5182 2.4: with MIN or MAX and nothing else only these are saved. */
static int
save(struct imap_session *s, struct search_job *j)
{
	struct imap_range few[2] = { { j->min_uid, j->min_uid },
				     { j->max_uid, j->max_uid } };
	unsigned ret = j->sr.ret;
	size_t n = 2, first = 0;

	if (ret & (RETURN_ALL | RETURN_COUNT) ||
	    !(ret & (RETURN_MIN | RETURN_MAX)))
		return imap_view_save(&s->view, j->uids.v, j->uids.n);
	if (!(ret & RETURN_MIN))
		first = 1;
	if (!(ret & RETURN_MAX) || j->min_uid == j->max_uid)
		n = first + 1;
	if (j->count == 0)
		n = first;
	return imap_view_save(&s->view, few + first, n - first);
}

/* RFC 7162 3.1.5, 3.1.10 */
static uint64_t
modseq_of(const struct search_job *j)
{
	unsigned ret = j->sr.ret;

	if (ret & (RETURN_ALL | RETURN_COUNT) ||
	    !(ret & (RETURN_MIN | RETURN_MAX)))
		return j->modseq;
	if (!(ret & RETURN_MAX))
		return j->min_modseq;
	if (!(ret & RETURN_MIN))
		return j->max_modseq;
	return j->min_modseq > j->max_modseq ? j->min_modseq : j->max_modseq;
}

/* --- the answer ------------------------------------------------------------
 */

static void
say_begin(struct imap_session *s, struct search_job *j)
{
	struct buf *out = imap_out(s);

	j->saying = true;
	if (!j->sr.extended) {
		buf_add_c(out, "* SEARCH");
		return;
	}
	buf_addf(out, "* ESEARCH (TAG \"%s\")%s", s->tag, s->uid ? " UID" : "");
	if (j->count && j->sr.ret & RETURN_MIN)
		buf_addf(out, " MIN %u", j->min);
	if (j->count && j->sr.ret & RETURN_MAX)
		buf_addf(out, " MAX %u", j->max);
	if (j->sr.ret & RETURN_COUNT)
		buf_addf(out, " COUNT %u", j->count);
	if (j->count && j->sr.has_modseq)
		buf_addf(out, " MODSEQ %llu", (unsigned long long)modseq_of(j));
	if (j->count && j->sr.ret & RETURN_ALL)
		buf_add_c(out, " ALL ");
}

static void
say_number(struct search_job *j, struct buf *out)
{
	const struct imap_range *r = &j->numbers.v[j->at];

	if (j->next == 0)
		j->next = r->lo;
	buf_add_byte(out, ' ');
	buf_add_u64(out, j->next);
	if (j->next++ == r->hi) {
		j->next = 0;
		j->at++;
	}
}

static void
say_range(struct search_job *j, struct buf *out)
{
	const struct imap_range *r = &j->numbers.v[j->at];

	if (j->at)
		buf_add_byte(out, ',');
	buf_add_u64(out, r->lo);
	if (r->hi != r->lo) {
		buf_add_byte(out, ':');
		buf_add_u64(out, r->hi);
	}
	j->at++;
}

static enum imap_done
say(struct imap_session *s, struct search_job *j)
{
	struct buf *out = imap_out(s);
	size_t i;

	for (i = 0; i < PUT_BATCH && j->at < j->numbers.n; i++) {
		if (j->sr.extended)
			say_range(j, out);
		else
			say_number(j, out);
	}
	if (j->at < j->numbers.n)
		return IMAP_MORE;
	if (!j->sr.extended && j->count && j->sr.has_modseq)
		buf_addf(out, " (MODSEQ %llu)", (unsigned long long)j->modseq);
	buf_add_c(out, "\r\n");
	imap_reply(s, "OK Search completed");
	return IMAP_DONE;
}

static enum imap_done
finish(struct imap_session *s, struct search_job *j)
{
	if (!j->failed && j->sr.ret & RETURN_SAVE && save(s, j) < 0)
		j->failed = true;
	if (j->failed) {
		imap_search_failed(s, &j->sr, "LIMIT");
		return IMAP_DONE;
	}
	if (j->sr.ret == RETURN_SAVE) { /* RFC 5182 2.1: no answer */
		imap_reply(s, "OK Search completed, result saved");
		return IMAP_DONE;
	}
	say_begin(s, j);
	return IMAP_MORE;
}

/* --- the job ---------------------------------------------------------------
 */

static enum imap_done
step_search(struct imap_session *s)
{
	struct search_job *j = s->job;
	size_t i;

	if (j->saying)
		return say(s, j);
	for (i = 0; i < TAKE_BATCH; i++) {
		switch (searcher_next(&j->a)) {
		case SEARCH_FOUND:
			take(s, j);
			if (!j->a.read)
				break;
			return IMAP_MORE;
		case SEARCH_MORE:
			return IMAP_MORE;
		case SEARCH_END:
			return finish(s, j);
		}
	}
	return IMAP_MORE;
}

static void
end_search(struct imap_session *s)
{
	struct search_job *j = s->job;

	searcher_fini(&j->a);
	free(j->numbers.v);
	free(j->uids.v);
}

void
imap_search_failed(struct imap_session *s, const struct search *sr,
		   const char *code)
{
	bool saves = sr->ret & RETURN_SAVE;

	if (saves) /* RFC 5182 2.1: "$" is empty then */
		(void)!imap_view_save(&s->view, NULL, 0);
	imap_reply(s, "NO [%s] Too much to search", saves ? "NOTSAVED" : code);
}

bool
imap_search_begin(struct imap_session *s, struct imap_in *in, struct search *sr,
		  struct searcher *a,
		  bool (*parse)(struct imap_in *, struct search *))
{
	if (!parse(in, sr)) {
		if (sr->bad_charset) { /* RFC 3501 6.4.4 */
			if (sr->ret & RETURN_SAVE)
				(void)!imap_view_save(&s->view, NULL, 0);
			imap_reply(s, "NO [BADCHARSET (US-ASCII UTF-8)] "
				      "Unknown charset");
		} else {
			imap_reply_bad(s, in);
		}
		return false;
	}
	s->numbers = sr->has_numbers; /* RFC 7162 3.2.10.2 */
	if (sr->has_modseq)	      /* RFC 7162 3.1 */
		imap_enable_condstore(s);
	if (searcher_init(a, s, sr) < 0) {
		imap_search_failed(s, sr, "LIMIT");
		return false;
	}
	return true;
}

void
imap_cmd_search(struct imap_session *s, struct imap_in *in)
{
	struct search_job *j = pool_alloc(&s->pool, sizeof(*j));

	if (!j || !imap_search_return(in, &j->sr)) {
		imap_reply_bad(s, in);
		return;
	}
	if (!imap_search_begin(s, in, &j->sr, &j->a, imap_search_parse))
		return;
	if (j->sr.has_charset && s->utf8 && !s->rev2) { /* RFC 6855 3 */
		searcher_fini(&j->a);
		imap_reply(s, "BAD SEARCH: No CHARSET after ENABLE "
			      "UTF8=ACCEPT");
		return;
	}
	if (s->rev2) /* RFC 9051 6.4.4: there is no other answer */
		j->sr.extended = true;
	imap_job(s, step_search, end_search, j);
}
