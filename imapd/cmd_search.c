/* SPDX-License-Identifier: ISC */
/* SEARCH: a message at a time, what is cheap to know first. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "commands.h"
#include "search.h"

/* How far the evaluation may go for a message. */
enum { BY_VIEW, BY_STAT, BY_HEADER, BY_BODY, LEVELS };
enum verdict { NO, YES, UNKNOWN };

struct search_job {
	struct search sr;
	struct imap_range range;
	struct imap_set all;
	struct imap_walk walk;
	uint32_t *hits;
	size_t n;
};

struct message_at {
	struct imap_session *s;
	const struct imap_walk *at;
	uint32_t uid;
	const struct message *m;
	int level;
	struct imap_cache *c;
	bool gone;
};

static enum verdict
yes_if(bool yes)
{
	return yes ? YES : NO;
}

/* --- bodies ----------------------------------------------------------------
 */

static bool
part_has(struct message_at *a, struct search_key *k, const struct mime_part *p)
{
	struct text_needle *needle = &k->needle;
	struct text_scan scan;
	struct text_body b;
	char part[16384];
	struct err err;
	ssize_t n;

	needle->found = false;
	if (text_scan_init(&scan, &needle, 1) < 0)
		return false;
	text_body_init(&b, &scan, text_encoding_of(p->encoding),
		       imf_param_get(p->params, STR("charset")));
	reader_range(&a->c->reader, p->body_raw, p->body_raw_end);
	while ((n = reader_get_raw(&a->c->reader, part, sizeof(part), &err)) >
	       0)
		if (!text_body_feed(&b, str_mem(part, (size_t)n)))
			break;
	text_body_fini(&b);
	text_scan_fini(&scan);
	return needle->found;
}

static bool
header_has(struct message_at *a, struct search_key *k,
	   const struct mime_part *p)
{
	struct buf text;
	char part[8192];
	struct err err;
	ssize_t n;
	bool found;

	buf_init(&text, MIME_HEADER_MAX);
	reader_range(&a->c->reader, p->head_raw, p->head_raw_end);
	while ((n = reader_get_raw(&a->c->reader, part, sizeof(part), &err)) >
	       0)
		if (buf_add(&text, part, (size_t)n) < 0)
			break;
	found = imap_search_any_header(k, buf_str(&text));
	buf_fini(&text);
	return found;
}

/* The text of all parts, and the headers below the top. */
static bool
body_has(struct message_at *a, struct search_key *k, const struct mime_part *p)
{
	const struct mime_part *c;

	if (p->parent && header_has(a, k, p))
		return true;
	for (c = p->child; c; c = c->next)
		if (body_has(a, k, c))
			return true;
	if (p->child)
		return false;
	/* Without structure everything is text. */
	if (p->parent && !str_ieq(p->type, STR("text")) &&
	    !str_ieq(p->type, STR("message")))
		return false;
	return part_has(a, k, p);
}

/* --- keys ------------------------------------------------------------------
 */

static enum verdict
by_stat(struct message_at *a, const struct search_key *k)
{
	struct mailbox *mb = a->s->view.mb;
	struct err err;
	uint64_t size;
	int64_t t, day;
	int rc;

	if (a->level < BY_STAT)
		return UNKNOWN;
	if (k->kind == SEARCH_LARGER || k->kind == SEARCH_SMALLER) {
		rc = mailbox_wsize(mb, a->uid, &size, &err);
		a->m = imap_view_at(&a->s->view, a->at->slot);
		if (rc < 0 || !a->m) {
			a->gone = true;
			return NO;
		}
		return yes_if(k->kind == SEARCH_LARGER ? size > k->num
						       : size < k->num);
	}
	rc = mailbox_mtime(mb, a->uid, &t, &err);
	a->m = imap_view_at(&a->s->view, a->at->slot);
	if (rc < 0 || !a->m) {
		a->gone = true;
		return NO;
	}
	day = t / 86400 - (t % 86400 < 0);
	if (k->kind == SEARCH_BEFORE)
		return yes_if(day < k->day);
	return yes_if(k->kind == SEARCH_ON ? day == k->day : day >= k->day);
}

/* Open and parse; false: gone. */
static bool
load(struct message_at *a, bool all)
{
	struct err err;

	if (!a->c)
		a->c = imap_cache_get(a->s, a->uid, &err);
	/* Opening it may have shown that others changed the mailbox. */
	a->m = imap_view_at(&a->s->view, a->at->slot);
	if (a->m && a->c && imap_cache_parse(a->c, false, &err) == 0 &&
	    (!all || imap_cache_parse(a->c, true, &err) == 0))
		return true;
	a->gone = true;
	return false;
}

static enum verdict
by_header(struct message_at *a, struct search_key *k)
{
	struct imf_field f;
	int64_t day, moment;

	if (a->level < BY_HEADER)
		return UNKNOWN;
	if (!load(a, false))
		return NO;
	if (k->kind == SEARCH_HEADER)
		return yes_if(imap_search_header(k, buf_str(&a->c->text)));
	if (!imf_find(buf_str(&a->c->text), STR("Date"), &f) ||
	    imf_date(f.value, &day, &moment) < 0)
		return NO;
	if (k->kind == SEARCH_SENTBEFORE)
		return yes_if(day < k->day);
	return yes_if(k->kind == SEARCH_SENTON ? day == k->day : day >= k->day);
}

static enum verdict
by_body(struct message_at *a, struct search_key *k)
{
	if (a->level < BY_BODY)
		return UNKNOWN;
	if (!load(a, true))
		return NO;
	if (k->kind == SEARCH_TEXT &&
	    imap_search_any_header(k, buf_str(&a->c->text)))
		return YES;
	return yes_if(body_has(a, k, a->c->top));
}

static enum verdict evaluate(struct message_at *a, struct search_key *k);

static enum verdict
evaluate_and(struct message_at *a, struct search_key *k)
{
	enum verdict all = YES, v;

	for (; k; k = k->next) {
		v = evaluate(a, k);
		if (v == NO)
			return NO;
		if (v == UNKNOWN)
			all = UNKNOWN;
	}
	return all;
}

static enum verdict
evaluate_or(struct message_at *a, struct search_key *k)
{
	enum verdict x = evaluate(a, k->a), y;

	if (x == YES)
		return YES;
	y = evaluate(a, k->b);
	if (y == YES)
		return YES;
	return x == UNKNOWN || y == UNKNOWN ? UNKNOWN : NO;
}

static enum verdict
evaluate(struct message_at *a, struct search_key *k)
{
	enum verdict v;

	if (a->gone)
		return NO;
	switch (k->kind) {
	case SEARCH_ALL:
		return YES;
	case SEARCH_NONE:
		return NO;
	case SEARCH_FLAG:
		return yes_if(((imap_flags_of_store(a->m->flags) & k->flag) !=
			       0) == (k->num != 0));
	case SEARCH_RECENT:
		return yes_if(imap_view_is_recent(&a->s->view, a->uid) ==
			      (k->num != 0));
	case SEARCH_SEQ:
		return yes_if(imap_set_has(&k->set, a->at->seq));
	case SEARCH_UID:
		return yes_if(imap_set_has(&k->set, a->uid));
	case SEARCH_LARGER:
	case SEARCH_SMALLER:
	case SEARCH_BEFORE:
	case SEARCH_ON:
	case SEARCH_SINCE:
		return by_stat(a, k);
	case SEARCH_SENTBEFORE:
	case SEARCH_SENTON:
	case SEARCH_SENTSINCE:
	case SEARCH_HEADER:
		return by_header(a, k);
	case SEARCH_BODY:
	case SEARCH_TEXT:
		return by_body(a, k);
	case SEARCH_NOT:
		v = evaluate(a, k->a);
		return v == UNKNOWN ? UNKNOWN : v == YES ? NO : YES;
	case SEARCH_OR:
		return evaluate_or(a, k);
	case SEARCH_AND:
		return evaluate_and(a, k->a);
	}
	return NO;
}

/* --- the job ---------------------------------------------------------------
 */

static bool
matches(struct imap_session *s, struct search_job *j)
{
	struct message_at a = { .s = s, .at = &j->walk };
	enum verdict v = UNKNOWN;

	for (a.level = 0; v == UNKNOWN && a.level < LEVELS; a.level++) {
		a.m = imap_view_at(&s->view, j->walk.slot);
		if (!a.m)
			return false;
		a.uid = a.m->uid;
		v = evaluate(&a, j->sr.top);
	}
	return v == YES && !a.gone;
}

static void
say_hits(struct imap_session *s, struct search_job *j)
{
	struct buf *out = imap_out(s);
	size_t i;

	buf_add_c(out, "* SEARCH");
	for (i = 0; i < j->n; i++) {
		buf_add_byte(out, ' ');
		buf_add_u64(out, j->hits[i]);
	}
	buf_add_c(out, "\r\n");
	imap_reply(s, "OK Search completed");
}

static enum imap_done
step_search(struct imap_session *s)
{
	struct search_job *j = s->job;

	if (!imap_walk_next(&j->walk, &s->view)) {
		say_hits(s, j);
		return IMAP_DONE;
	}
	if (matches(s, j))
		j->hits[j->n++] =
			s->uid ? mailbox_at(s->view.mb, j->walk.slot)->uid
			       : j->walk.seq;
	return IMAP_MORE;
}

static void
end_search(struct imap_session *s)
{
	struct search_job *j = s->job;

	imap_search_fini(&j->sr);
	free(j->hits);
	imap_cache_clear(s);
}

void
imap_cmd_search(struct imap_session *s, struct imap_in *in)
{
	struct search_job *j = pool_alloc(&s->pool, sizeof(*j));
	struct imap_view *v = &s->view;

	if (!j) {
		imap_reply(s, "NO [LIMIT] Command is too large");
		return;
	}
	if (!imap_search_parse(in, &j->sr)) {
		if (j->sr.bad_charset) /* RFC 3501 6.4.4 */
			imap_reply(s, "NO [BADCHARSET (US-ASCII UTF-8)] "
				      "Unknown charset");
		else
			imap_reply_bad(s, in);
		return;
	}
	imap_search_resolve(j->sr.top, imap_view_count(v),
			    imap_view_last_uid(v));
	j->range = (struct imap_range){ 1, UINT32_MAX };
	j->all = (struct imap_set){ .v = &j->range, .n = 1, .uids = true };
	imap_walk_begin(&j->walk, v, &j->all);
	j->hits = calloc(imap_view_count(v) + 1, sizeof(*j->hits));
	imap_job(s, step_search, end_search, j);
	if (!j->hits) {
		imap_search_fini(&j->sr);
		s->stage = STAGE_SYNC;
		s->end = NULL;
		imap_reply(s, "NO [LIMIT] Too many messages");
	}
}
