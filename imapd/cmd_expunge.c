/* SPDX-License-Identifier: ISC */
/* EXPUNGE, UID EXPUNGE (RFC 4315 2.1), CLOSE: in portions. */
#include "base/clock.h"
#include "base/log.h"
#include "commands.h"

enum {
	PORTION = 1000,
	/* Each portion waits for the disk once: after one that did not take
	 * long they are larger. */
	LARGE = 10000,
	LONG_MS = 50,
};

struct expunge_job {
	struct imap_range all;
	struct imap_set set;
	struct imap_walk walk;
	size_t n, portion;
	bool close;
	uint32_t uids[LARGE];
};

static void
say_expunged(struct imap_session *s, struct expunge_job *j)
{
	if (j->n)
		log_info("imap(%s): expunge: %zu of %s", s->user->name, j->n,
			 mailbox_name(s->view.mb));
	/* RFC 7162 3.2.7; not for CLOSE, whose client may not have heard of
	 * all that happened before. */
	s->says_modseq = s->qresync && j->n && !j->close;
	if (j->close)
		imap_unselect(s);
	imap_reply(s, "OK %s completed", j->close ? "Close" : "Expunge");
}

static enum imap_done
step_expunge(struct imap_session *s)
{
	struct expunge_job *j = s->job;
	struct imap_view *v = &s->view;
	const struct message *m;
	struct index_totals t;
	struct err err;
	uint64_t begun = clock_mono_ms();
	size_t n = 0;

	mailbox_totals(v->mb, &t);
	while (t.deleted && n < j->portion && imap_walk_next(&j->walk, v)) {
		m = imap_view_at(v, j->walk.slot);
		if (m && m->flags & MAILDIR_TRASHED)
			j->uids[n++] = m->uid;
	}
	if (n == 0) {
		say_expunged(s, j);
		return IMAP_DONE;
	}
	if (mailbox_expunge(v->mb, j->uids, n, &err) < 0) {
		if (j->close)
			imap_unselect(s);
		imap_reply_err(s, &err);
		return IMAP_DONE;
	}
	j->n += n;
	j->portion = clock_mono_ms() - begun < LONG_MS ? LARGE : PORTION;
	return IMAP_MORE;
}

static struct expunge_job *
new_job(struct imap_session *s)
{
	struct expunge_job *j = pool_alloc(&s->pool, sizeof(*j));

	if (!j) {
		imap_reply(s, "NO [LIMIT] Command is too large");
		return NULL;
	}
	j->portion = PORTION;
	j->all = (struct imap_range){ 1, UINT32_MAX };
	j->set = (struct imap_set){ .v = &j->all, .n = 1, .uids = true };
	return j;
}

static void
start(struct imap_session *s, struct expunge_job *j)
{
	imap_walk_begin(&j->walk, &s->view, &j->set);
	imap_job(s, step_expunge, NULL, j);
}

void
imap_cmd_expunge(struct imap_session *s, struct imap_in *in)
{
	struct expunge_job *j = new_job(s);

	if (!j)
		return;
	/* UID EXPUNGE has a set, EXPUNGE has none. */
	if ((s->uid && (!imap_space(in) || !imap_set(in, &j->set))) ||
	    !imap_end(in))
		imap_reply_bad(s, in);
	else if (!s->uid || imap_view_resolve(s, &j->set, true))
		start(s, j);
}

/* RFC 3501 6.4.2: expunge without a word. */
void
imap_cmd_close(struct imap_session *s, struct imap_in *in)
{
	struct expunge_job *j = new_job(s);

	if (!j)
		return;
	j->close = true;
	if (!imap_end(in))
		imap_reply_bad(s, in);
	else if (s->view.readonly)
		say_expunged(s, j);
	else
		start(s, j);
}
