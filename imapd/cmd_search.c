/* SPDX-License-Identifier: ISC */
/* SEARCH (RFC 3501, 9051), ESEARCH (RFC 4731), SEARCHRES (RFC 5182). */
#include <stdlib.h>

#include "commands.h"
#include "search.h"

enum { PUT_BATCH = 1000, TAKE_BATCH = 256 };

struct search_job {
	struct search sr;
	struct searcher a;
	bool failed;			   /* no memory */
	struct search_found numbers, uids; /* uids: to be saved */
	struct search_result result;
	/* the answer */
	bool saying;
	size_t at;
	uint32_t next; /* in range at; 0: its first */
};

bool
imap_found_add(struct search_found *f, uint32_t n)
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
	struct search_result *r = &j->result;

	if (r->count++ == 0) {
		r->min = number;
		r->min_uid = j->a.uid;
		r->min_modseq = modseq;
	}
	r->max = number;
	r->max_uid = j->a.uid;
	r->max_modseq = modseq;
	if (modseq > r->modseq)
		r->modseq = modseq;
	if (j->sr.ret & RETURN_ALL && !imap_found_add(&j->numbers, number))
		j->failed = true;
	if (j->sr.ret & RETURN_SAVE && !imap_found_add(&j->uids, j->a.uid))
		j->failed = true;
}

/* RFC 5182 2.4: with MIN or MAX and nothing else only these are saved. */
int
imap_search_save(struct imap_session *s, const struct search *sr,
		 const struct search_result *r, const struct search_found *uids)
{
	struct imap_range few[2], swap;
	unsigned ret = sr->ret;
	size_t n = 0;

	if (ret & (RETURN_ALL | RETURN_COUNT) ||
	    !(ret & (RETURN_MIN | RETURN_MAX)))
		return imap_view_save(&s->view, uids->v, uids->n);
	if (ret & RETURN_MIN && r->min_uid)
		few[n++] = (struct imap_range){ r->min_uid, r->min_uid };
	if (ret & RETURN_MAX && r->max_uid && (!n || r->max_uid != few[0].lo))
		few[n++] = (struct imap_range){ r->max_uid, r->max_uid };
	if (n == 2 && few[0].lo > few[1].lo) {
		swap = few[0];
		few[0] = few[1];
		few[1] = swap;
	}
	return imap_view_save(&s->view, few, n);
}

/* RFC 7162 3.1.5, 3.1.10 */
static uint64_t
modseq_of(const struct search *sr, const struct search_result *r)
{
	unsigned ret = sr->ret;

	if (ret & (RETURN_ALL | RETURN_COUNT) ||
	    !(ret & (RETURN_MIN | RETURN_MAX)))
		return r->modseq;
	if (!(ret & RETURN_MAX))
		return r->min_modseq;
	if (!(ret & RETURN_MIN))
		return r->max_modseq;
	return r->min_modseq > r->max_modseq ? r->min_modseq : r->max_modseq;
}

/* --- the answer ------------------------------------------------------------
 */

void
imap_say_esearch(struct imap_session *s, const struct search *sr,
		 const struct search_result *r)
{
	struct buf *out = imap_out(s);

	buf_addf(out, "* ESEARCH (TAG \"%s\")%s", s->tag, s->uid ? " UID" : "");
	if (r->count && sr->ret & RETURN_MIN)
		buf_addf(out, " MIN %u", r->min);
	if (r->count && sr->ret & RETURN_MAX)
		buf_addf(out, " MAX %u", r->max);
	if (sr->ret & RETURN_COUNT)
		buf_addf(out, " COUNT %u", r->count);
	if (r->count && sr->has_modseq)
		buf_addf(out, " MODSEQ %llu",
			 (unsigned long long)modseq_of(sr, r));
	if (r->count && sr->ret & RETURN_ALL)
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

	if (j->at++)
		buf_add_byte(out, ',');
	imap_put_range(out, r->lo, r->hi);
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
	if (!j->sr.extended && j->result.count && j->sr.has_modseq)
		buf_addf(out, " (MODSEQ %llu)",
			 (unsigned long long)j->result.modseq);
	buf_add_c(out, "\r\n");
	imap_reply(s, "OK Search completed");
	return IMAP_DONE;
}

static enum imap_done
finish(struct imap_session *s, struct search_job *j)
{
	if (!j->failed && j->sr.ret & RETURN_SAVE &&
	    imap_search_save(s, &j->sr, &j->result, &j->uids) < 0)
		j->failed = true;
	if (j->failed) {
		imap_search_failed(s, &j->sr, "LIMIT");
		return IMAP_DONE;
	}
	if (j->sr.ret == RETURN_SAVE) { /* RFC 5182 2.1: no answer */
		imap_reply(s, "OK Search completed, result saved");
		return IMAP_DONE;
	}
	if (j->sr.extended)
		imap_say_esearch(s, &j->sr, &j->result);
	else
		buf_add_c(imap_out(s), "* SEARCH");
	j->saying = true;
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
