/* SPDX-License-Identifier: ISC */
/* SELECT, EXAMINE, UNSELECT, and what QRESYNC makes of them. */
#include "base/log.h"
#include "commands.h"

/* RFC 7162 3.2.5: what the client knows of the mailbox. */
struct resync {
	bool asked;
	uint32_t uidvalidity;
	uint64_t modseq;
	struct imap_set known; /* UIDs; all if not given */
	struct imap_set match_seqs, match_uids;
};

/* --- parameters ------------------------------------------------------------
 */

/* "*" is not allowed in what is known. */
static bool
read_known(struct imap_in *in, struct imap_set *set)
{
	size_t i;

	if (!imap_set(in, set))
		return false;
	for (i = 0; i < set->n; i++)
		if (set->v[i].lo == UINT32_MAX || set->v[i].hi == UINT32_MAX)
			return imap_fail(in, "Known numbers expected");
	return !set->saved || imap_fail(in, "Known numbers expected");
}

static bool
read_match(struct imap_in *in, struct resync *r)
{
	return imap_char(in, '(') && read_known(in, &r->match_seqs) &&
	       imap_space(in) && read_known(in, &r->match_uids) &&
	       imap_char(in, ')');
}

/* "(" uidvalidity SP modseq [SP known-uids] [SP seq-match-data] ")" */
static bool
read_resync(struct imap_in *in, struct resync *r)
{
	bool known = false;

	r->asked = true;
	if (!imap_space(in) || !imap_char(in, '(') ||
	    !imap_nz_number(in, &r->uidvalidity) || !imap_space(in) ||
	    !imap_modseq(in, true, &r->modseq)) /* 0, say some clients */
		return false;
	while (imap_peek(in) == ' ') {
		in->p++;
		if (imap_peek(in) == '(')
			return read_match(in, r) && imap_char(in, ')');
		if (known || !read_known(in, &r->known))
			return imap_fail(in, "Syntax error");
		known = true;
	}
	return imap_char(in, ')');
}

/* [SP "(" parameter *(SP parameter) ")"] (RFC 4466 2.1) */
static bool
read_params(struct imap_session *s, struct imap_in *in, struct resync *r,
	    bool *condstore)
{
	if (imap_at_end(in))
		return true;
	if (!imap_space(in) || !imap_char(in, '('))
		return false;
	for (;;) {
		if (imap_word(in, "CONDSTORE"))
			*condstore = true;
		else if (!r->asked && imap_word(in, "QRESYNC"))
			(void)read_resync(in, r);
		else
			imap_fail(in, "Unknown parameter");
		if (in->error)
			return false;
		if (imap_peek(in) != ' ')
			break;
		in->p++;
	}
	if (r->asked && !s->qresync) /* RFC 7162 3.2.3 */
		return imap_fail(in, "QRESYNC is not enabled");
	return imap_char(in, ')') && imap_end(in);
}

/* --- what is said ----------------------------------------------------------
 */

enum { UNSEEN_LOOKS = 4000 };

/*
 * The first message that is not \Seen: from the front, and from the end, where
 * it is the one at which all are counted.  0: none, or it would cost too much
 * to know; a client makes nothing of that (RFC 3501 7.1).
 */
static uint32_t
first_unseen(struct imap_view *v)
{
	uint32_t n = imap_view_count(v), i, back = 0;
	struct index_totals t;
	const struct message *m;

	mailbox_totals(v->mb, &t);
	if (t.unseen == 0)
		return 0;
	for (i = 1; i <= n && i <= UNSEEN_LOOKS; i++) {
		m = imap_view_at(v, imap_view_slot(v, i));
		if (m && !(m->flags & MAILDIR_SEEN))
			return i;
		m = imap_view_at(v, imap_view_slot(v, n + 1 - i));
		if (m && !(m->flags & MAILDIR_SEEN) && ++back == t.unseen)
			return n + 1 - i;
	}
	return 0;
}

/* RFC 3501 6.3.1, RFC 9051 6.3.2, RFC 7162 3.1.2.1 */
static void
say_selected(struct imap_session *s, const struct index_totals *t)
{
	struct buf *out = imap_out(s);
	uint32_t unseen;

	imap_say_flags(s);
	buf_addf(out, "* %u EXISTS\r\n", imap_view_count(&s->view));
	if (!s->rev2) {
		buf_addf(out, "* %u RECENT\r\n", imap_view_recent(&s->view));
		unseen = first_unseen(&s->view);
		if (unseen)
			buf_addf(out, "* OK [UNSEEN %u] First unseen\r\n",
				 unseen);
	}
	buf_addf(out, "* OK [UIDVALIDITY %u] UIDs valid\r\n", t->uidvalidity);
	buf_addf(out, "* OK [UIDNEXT %u] Predicted next UID\r\n", t->uidnext);
	buf_addf(out, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
		 (unsigned long long)s->view.modseq);
}

/* --- resynchronizing -------------------------------------------------------
 */

struct resync_job {
	struct resync r;
	struct imap_walk walk;
	bool readonly;
};

static void
say_done(struct imap_session *s, bool readonly)
{
	imap_reply(s, "OK [READ-%s] %s completed", readonly ? "ONLY" : "WRITE",
		   s->cmd->name);
}

/*
 * RFC 7162 3.2.5.2: up to the last message whose number is still the one that
 * the client knows, nothing was expunged.  Its UID, 0: none.
 */
static uint32_t
last_match(struct imap_view *v, const struct resync *r)
{
	const struct imap_set *seqs = &r->match_seqs, *uids = &r->match_uids;
	size_t a = 0, b = 0;
	uint32_t seq, uid, last = 0;

	if (!seqs->n || !uids->n)
		return 0;
	seq = seqs->v[0].lo;
	uid = uids->v[0].lo;
	while (imap_view_seq_of_uid(v, uid) == seq) {
		last = uid;
		if (seq++ == seqs->v[a].hi) {
			if (++a == seqs->n)
				break;
			seq = seqs->v[a].lo;
		}
		if (uid++ == uids->v[b].hi) {
			if (++b == uids->n)
				break;
			uid = uids->v[b].lo;
		}
	}
	return last;
}

static enum imap_done
step_resync(struct imap_session *s)
{
	struct resync_job *j = s->job;
	const struct message *m;

	while (!imap_full(s)) {
		if (!imap_walk_next(&j->walk, &s->view)) {
			say_done(s, j->readonly);
			return IMAP_DONE;
		}
		m = imap_view_at(&s->view, j->walk.slot);
		if (m && m->modseq > j->r.modseq) {
			imap_say_message(s, j->walk.seq, m, SAY_FLAGS);
			break;
		}
	}
	return IMAP_MORE;
}

/* RFC 7162 3.2.5.1 */
static void
resync(struct imap_session *s, struct resync_job *j,
       const struct index_totals *t)
{
	static const struct imap_range all = { 1, UINT32_MAX };
	struct resync *r = &j->r;

	if (r->uidvalidity != t->uidvalidity || r->modseq >= t->highestmodseq) {
		say_done(s, j->readonly);
		return;
	}
	if (!r->known.v) {
		r->known.v = pool_alloc(&s->pool, sizeof(all));
		if (!r->known.v) {
			imap_bye(s, "Out of memory");
			return;
		}
		*r->known.v = all;
		r->known.n = 1;
	}
	imap_set_resolve(&r->known, UINT32_MAX);
	r->known.uids = true;
	imap_say_vanished(s, &r->known, last_match(&s->view, r), r->modseq);
	imap_walk_begin(&j->walk, &s->view, &r->known);
	imap_job(s, step_resync, NULL, j);
}

/* --- SELECT, EXAMINE -------------------------------------------------------
 */

static bool
open_box(struct imap_session *s, struct str name, bool readonly)
{
	struct mailbox *mb;
	struct err err;

	mb = mailbox_open(s->user->store, name, &err);
	if (mb && imap_view_open(s, mb, readonly, &err) == 0)
		return true;
	if (mb)
		mailbox_release(mb);
	imap_reply_err(s, &err);
	return false;
}

static void
select_box(struct imap_session *s, struct imap_in *in, bool readonly)
{
	struct resync_job *j = pool_alloc(&s->pool, sizeof(*j));
	struct index_totals t;
	bool condstore = false;
	struct str name;

	if (!j || !imap_space(in) || !imap_mailbox_arg(s, in, &name) ||
	    !read_params(s, in, &j->r, &condstore)) {
		imap_reply_bad(s, in);
		return;
	}
	/* Whether it works or not, the old one is left (RFC 3501 6.3.1). */
	if (s->view.mb) /* RFC 7162 3.2.11 */
		buf_add_c(imap_out(s), "* OK [CLOSED] Previous mailbox "
				       "closed\r\n");
	imap_unselect(s);
	if (condstore)
		imap_enable_condstore(s);
	if (!open_box(s, name, readonly))
		return;
	imap_set_state(s, IMAP_SELECTED);
	mailbox_totals(s->view.mb, &t);
	say_selected(s, &t);
	imap_say_name(s, str_of(mailbox_name(s->view.mb)), s->typed);
	j->readonly = readonly;
	if (j->r.asked)
		resync(s, j, &t);
	else
		say_done(s, readonly);
}

void
imap_cmd_select(struct imap_session *s, struct imap_in *in)
{
	select_box(s, in, false);
}

void
imap_cmd_examine(struct imap_session *s, struct imap_in *in)
{
	select_box(s, in, true);
}

void
imap_cmd_unselect(struct imap_session *s, struct imap_in *in)
{
	if (!imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	imap_unselect(s);
	imap_reply(s, "OK Unselect completed");
}
