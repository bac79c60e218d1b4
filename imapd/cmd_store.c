/* SPDX-License-Identifier: ISC */
/* STORE (RFC 3501 6.4.6, RFC 7162 3.1.3), in portions. */
#include "commands.h"

enum {
	PORTION = 10000, /* changed at once, with one modseq */
	ANSWERS = 256,	 /* said in one go */
};

struct store_job {
	struct imap_set set;
	struct imap_flags flags;
	struct flag_change change;
	bool silent, conditional;
	struct imap_walk walk;
	struct imap_set_text modified; /* those that failed the condition */
	bool gone;
	/* a portion: changed, and answered up to at */
	size_t n, at;
	uint32_t *uids, *seqs;
	size_t *slots; /* with REFUSED: it stays as it is */
};
#define REFUSED (SIZE_MAX - SIZE_MAX / 2)

/* --- arguments -------------------------------------------------------------
 */

/* "(" "UNCHANGEDSINCE" SP modseq ")" SP */
static bool
read_modifier(struct imap_in *in, struct store_job *j)
{
	if (imap_peek(in) != '(')
		return true;
	in->p++;
	j->conditional = imap_word(in, "UNCHANGEDSINCE");
	if (!j->conditional)
		return imap_fail(in, "Unknown modifier");
	return imap_space(in) && imap_modseq(in, true, &j->change.since) &&
	       imap_char(in, ')') && imap_space(in);
}

static bool
read_store(struct imap_in *in, struct store_job *j)
{
	struct flag_change *c = &j->change;
	char how;

	if (!imap_space(in) || !imap_set(in, &j->set) || !imap_space(in) ||
	    !read_modifier(in, j))
		return false;
	how = imap_peek(in);
	c->how = how == '+' ? FLAGS_ADD : how == '-' ? FLAGS_REMOVE : FLAGS_SET;
	if (how == '+' || how == '-')
		in->p++;
	j->silent = imap_word(in, "FLAGS.SILENT");
	if (!j->silent && !imap_word(in, "FLAGS"))
		return imap_fail(in, "FLAGS expected");
	if (!imap_space(in) || !imap_flag_list(in, true, &j->flags) ||
	    !imap_end(in))
		return false;
	c->flags = imap_flags_to_store(j->flags.flags);
	c->keywords = j->flags.keywords;
	c->nkeywords = j->flags.nkeywords;
	return true;
}

/* --- the job ---------------------------------------------------------------
 */

static void
collect(struct imap_session *s, struct store_job *j)
{
	struct imap_view *v = &s->view;
	const struct message *m;

	j->n = j->at = 0;
	while (j->n < PORTION && imap_walk_next(&j->walk, v)) {
		m = imap_view_at(v, j->walk.slot);
		if (!m) {
			j->gone = true;
		} else {
			j->uids[j->n] = m->uid;
			j->seqs[j->n] = j->walk.seq;
			j->slots[j->n++] = j->walk.slot;
		}
	}
}

/*
 * What others changed meanwhile is said by the sync.  So is what a message is
 * that stays as it is, also if the client has heard of it, perhaps long ago: it
 * can see whether the change matters to it, and try again with that
 * mod-sequence, without asking for them (RFC 7162 3.1.3 recommends this).
 */
static void
answer(struct imap_session *s, struct store_job *j)
{
	bool modseqs = s->condstore || j->conditional;
	unsigned what =
		(j->silent ? 0 : SAY_FLAGS) | (modseqs ? SAY_MODSEQ : 0);
	const struct message *m;
	size_t i;

	if (!what)
		j->at = j->n;
	for (i = 0; i < ANSWERS && j->at < j->n; i++, j->at++) {
		if (j->slots[j->at] & REFUSED) {
			imap_view_repeat(&s->view, j->slots[j->at] & ~REFUSED);
			continue;
		}
		m = imap_view_at(&s->view, j->slots[j->at]);
		if (m)
			imap_say_message(s, j->seqs[j->at], m, what);
		else
			j->gone = true;
	}
}

/*
 * While the mailbox is locked: nobody else has a say in between.
 *
 * A message has one mod-sequence, not one a flag: it is refused also if another
 * flag than those to be stored has changed.  RFC 7162 3.1.3 asks for that: "if
 * the mod-sequence of any metadata item of the message is greater than the
 * specified UNCHANGEDSINCE value, then the requested operation MUST NOT be
 * performed".
 */
static void
refuse(void *arg, size_t i)
{
	struct imap_session *s = arg;
	struct store_job *j = s->job;
	uint32_t number = s->uid ? j->uids[i] : j->seqs[i];

	imap_set_text_add(&j->modified, number, number);
	j->slots[i] |= REFUSED;
}

static void
reply(struct imap_session *s, struct store_job *j)
{
	struct str modified = imap_set_text_end(&j->modified);
	/* RFC 2180 4.2.1: with .SILENT it is no failure.  RFC 9051 6.4.9: nor
	 * by UID. */
	bool gone = j->gone && !j->silent && !s->uid;

	if (!modified.p) /* too many to name */
		imap_reply(s, "NO [LIMIT] Many have changed meanwhile");
	else if (modified.n)
		imap_reply(s, "%s [MODIFIED %.*s] %s", gone ? "NO" : "OK",
			   STR_FMT(modified),
			   gone ? "Some messages are gone"
				: "Some have changed meanwhile");
	else if (gone) /* RFC 2180 4.2.3, RFC 5530 */
		imap_reply(s, "NO [EXPUNGEISSUED] Some messages are gone");
	else
		imap_reply(s, "OK Store completed");
}

static enum imap_done
step_store(struct imap_session *s)
{
	struct store_job *j = s->job;
	struct err err;

	if (j->at < j->n) {
		answer(s, j);
		return IMAP_MORE;
	}
	collect(s, j);
	if (j->n == 0) {
		reply(s, j);
		return IMAP_DONE;
	}
	if (imap_view_change(&s->view, j->uids, j->n, &j->change, &err) < 0) {
		imap_reply_err(s, &err);
		return IMAP_DONE;
	}
	return IMAP_MORE;
}

static void
end_store(struct imap_session *s)
{
	struct store_job *j = s->job;

	imap_set_text_fini(&j->modified);
}

void
imap_cmd_store(struct imap_session *s, struct imap_in *in)
{
	struct store_job *j = pool_alloc(&s->pool, sizeof(*j));
	size_t most;

	if (!j || !read_store(in, j)) {
		imap_reply_bad(s, in);
		return;
	}
	if (!imap_view_resolve(s, &j->set, s->uid) ||
	    (j->change.how != FLAGS_REMOVE &&
	     !imap_keywords_fit(s, s->view.mb, &j->flags)))
		return;
	most = imap_view_count(&s->view);
	if (most > PORTION)
		most = PORTION;
	j->uids = pool_alloc(&s->pool, (most + 1) * sizeof(*j->uids));
	j->seqs = pool_alloc(&s->pool, (most + 1) * sizeof(*j->seqs));
	j->slots = pool_alloc(&s->pool, (most + 1) * sizeof(*j->slots));
	if (!j->uids || !j->seqs || !j->slots) {
		imap_reply(s, "NO [LIMIT] Command is too large");
		return;
	}
	if (j->conditional) {
		imap_enable_condstore(s);
		j->change.refused = refuse;
		j->change.arg = s;
	}
	imap_set_text_init(&j->modified);
	imap_walk_begin(&j->walk, &s->view, &j->set);
	imap_job(s, step_store, end_store, j);
}
