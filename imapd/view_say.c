/* SPDX-License-Identifier: ISC */
/* What is said of messages and their flags. */
#include "session.h"

/* --- flags -----------------------------------------------------------------
 */

static const struct {
	uint64_t store;
	struct str name;
} system_flags[] = {
	{ MAILDIR_REPLIED, { "\\Answered", 9 } },
	{ MAILDIR_FLAGGED, { "\\Flagged", 8 } },
	{ MAILDIR_TRASHED, { "\\Deleted", 8 } },
	{ MAILDIR_SEEN, { "\\Seen", 5 } },
	{ MAILDIR_DRAFT, { "\\Draft", 6 } },
};
enum { NSYSTEM = sizeof(system_flags) / sizeof(system_flags[0]) };

static void
put_keyword(struct buf *b, struct imap_view *v, uint32_t id)
{
	buf_add_c(b, mailbox_keyword(v->mb, id));
	buf_add_byte(b, ' ');
}

void
imap_put_flags(struct buf *b, struct imap_session *s, const struct message *m)
{
	struct imap_view *v = &s->view;
	size_t i, n, start = b->n;
	const uint32_t *ids;

	for (i = 0; i < NSYSTEM; i++)
		if (m->flags & system_flags[i].store) {
			buf_add_str(b, system_flags[i].name);
			buf_add_byte(b, ' ');
		}
	if (m->keywords) {
		ids = mailbox_keyword_set(v->mb, m->keywords, &n);
		for (i = 0; i < n; i++)
			put_keyword(b, v, ids[i]);
	}
	if (!s->rev2 && imap_view_is_recent(v, m->uid))
		buf_add_c(b, "\\Recent ");
	if (b->n > start)
		b->n--;
}

/* All flags there are, each with a blank behind. */
static void
put_all(struct buf *b, struct imap_view *v)
{
	size_t i, n = mailbox_keywords(v->mb);

	if (n > IMAP_KEYWORDS_MAX)
		n = IMAP_KEYWORDS_MAX; /* somebody else made the rest */
	for (i = 0; i < NSYSTEM; i++) {
		buf_add_str(b, system_flags[i].name);
		buf_add_byte(b, ' ');
	}
	for (i = 0; i < n; i++)
		put_keyword(b, v, (uint32_t)i);
}

/* RFC 3501 7.2.6, 7.1 */
void
imap_say_flags(struct imap_session *s)
{
	struct imap_view *v = &s->view;
	struct buf *out = imap_out(s);

	v->keywords = mailbox_keywords(v->mb);
	buf_add_c(out, "* FLAGS (");
	put_all(out, v);
	out->n--;
	buf_add_c(out, ")\r\n* OK [PERMANENTFLAGS (");
	if (!v->readonly) {
		put_all(out, v);
		if (v->keywords < IMAP_KEYWORDS_MAX)
			buf_add_c(out, "\\*");
		else
			out->n--;
	}
	buf_add_c(out, ")] Flags kept\r\n");
}

void
imap_say_keywords(struct imap_session *s)
{
	if (mailbox_keywords(s->view.mb) != s->view.keywords)
		imap_say_flags(s);
}

bool
imap_keywords_fit(struct imap_session *s, const struct mailbox *mb,
		  const struct imap_flags *f)
{
	size_t i, n = mailbox_keywords(mb), more = 0;

	for (i = 0; i < f->nkeywords; i++)
		more += mailbox_keyword_find(mb, f->keywords[i]) ==
			KEYWORD_NONE;
	if (more == 0 || n + more <= IMAP_KEYWORDS_MAX)
		return true;
	imap_reply(s, "NO [LIMIT] Too many keywords in this mailbox");
	return false;
}

/* --- messages --------------------------------------------------------------
 */

void
imap_say_message(struct imap_session *s, uint32_t seq, const struct message *m,
		 unsigned what)
{
	struct buf *out = imap_out(s);

	if (what & SAY_FLAGS)
		imap_say_keywords(s);
	/* RFC 3501 6.4.8; RFC 7162 3.2.4; RFC 9051 7.5.2 */
	if (s->uid || s->condstore || s->rev2)
		what |= SAY_UID;
	if (s->condstore) /* RFC 7162 3.1 */
		what |= SAY_MODSEQ;
	buf_add_c(out, "* ");
	buf_add_u64(out, seq);
	buf_add_c(out, " FETCH (");
	if (what & SAY_UID) {
		buf_add_c(out, "UID ");
		buf_add_u64(out, m->uid);
		buf_add_byte(out, ' ');
	}
	if (what & SAY_FLAGS) {
		buf_add_c(out, "FLAGS (");
		imap_put_flags(out, s, m);
		buf_add_c(out, ") ");
	}
	if (what & SAY_MODSEQ) {
		buf_add_c(out, "MODSEQ (");
		buf_add_u64(out, m->modseq);
		buf_add_c(out, ") ");
	}
	out->n--;
	buf_add_c(out, ")\r\n");
}

/* --- VANISHED (EARLIER) ----------------------------------------------------
 */

enum { VANISHED_LINE = 8000 };

struct vanished {
	struct imap_session *s;
	const struct imap_set *known;
	uint32_t floor;
	size_t range;	 /* of known: those before are behind us */
	size_t start;	 /* of a line in the output, 0: none is begun */
	uint32_t lo, hi; /* not said yet; 0: none */
};

static void
say_range(struct vanished *a)
{
	struct buf *out = imap_out(a->s);

	if (!a->lo)
		return;
	if (a->start && out->n > a->start + VANISHED_LINE) {
		buf_add_c(out, "\r\n");
		a->start = 0;
	}
	if (a->start) {
		buf_add_byte(out, ',');
	} else {
		buf_add_c(out, "* VANISHED (EARLIER) ");
		a->start = out->n;
	}
	imap_put_range(out, a->lo, a->hi);
}

static void
put_range(struct vanished *a, uint32_t lo, uint32_t hi)
{
	if (!a->lo || lo != a->hi + 1) {
		say_range(a);
		a->lo = lo;
	}
	a->hi = hi;
}

/* What has a number still is not said to be gone before it loses it; what the
 * client has not heard of is not gone. */
static bool
has_vanished(struct imap_view *v, size_t slot)
{
	return slot < v->known ? !imap_view_seq(v, slot)
			       : mailbox_at(v->mb, slot)->gone;
}

static void
put_unnumbered(struct vanished *a, uint32_t lo, uint32_t hi)
{
	struct imap_view *v = &a->s->view;
	size_t slot = mailbox_lower(v->mb, lo);
	uint32_t uid;

	for (; slot < mailbox_slots(v->mb); slot++) {
		uid = mailbox_at(v->mb, slot)->uid;
		if (uid > hi)
			break;
		if (has_vanished(v, slot))
			continue;
		if (uid > lo)
			put_range(a, lo, uid - 1);
		if (uid == hi)
			return;
		lo = uid + 1;
	}
	put_range(a, lo, hi);
}

static void
on_vanished(void *arg, uint32_t lo, uint32_t hi)
{
	struct vanished *a = arg;
	const struct imap_range *r;

	if (hi <= a->floor)
		return;
	if (lo <= a->floor)
		lo = a->floor + 1;
	while (a->range < a->known->n && a->known->v[a->range].hi < lo)
		a->range++;
	for (; a->range < a->known->n; a->range++) {
		r = &a->known->v[a->range];
		if (r->lo > hi)
			return;
		put_unnumbered(a, r->lo > lo ? r->lo : lo,
			       r->hi < hi ? r->hi : hi);
		if (r->hi > hi)
			return;
	}
}

void
imap_say_vanished(struct imap_session *s, const struct imap_set *known,
		  uint32_t floor, uint64_t since)
{
	struct vanished a = { .s = s, .known = known, .floor = floor };
	struct imap_view *v = &s->view;
	struct index_totals t;

	/* Not known so far back: then all UIDs that have no message (RFC 7162
	 * 3.2.5.1). */
	if (!mailbox_vanished(v->mb, since, on_vanished, &a)) {
		mailbox_totals(v->mb, &t);
		a.range = 0;
		if (t.uidnext > 1)
			on_vanished(&a, 1, t.uidnext - 1);
	}
	say_range(&a);
	if (a.start)
		buf_add_c(imap_out(s), "\r\n");
}

void
imap_enable_condstore(struct imap_session *s)
{
	if (s->condstore)
		return;
	s->condstore = true;
	if (s->view.mb) /* RFC 7162 3.1.2.1 */
		buf_addf(imap_out(s), "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
			 (unsigned long long)imap_view_modseq(&s->view));
}
