/* SPDX-License-Identifier: ISC */
/* COPY, MOVE (RFC 3501 6.4.7, RFC 4315, RFC 6851): in portions. */
#include <errno.h>

#include "base/log.h"
#include "commands.h"

/*
 * All messages are copied, or none: what was copied before a failure is removed
 * again.  MOVE removes the originals when all have been copied, so that
 * whatever happens each message is in one mailbox at least.
 */
enum {
	PORTION = 250,	 /* copied with one sync */
	MEASURED = 1000, /* looked at for their sizes */
};

struct copy_job {
	struct imap_set set;
	struct imap_walk walk;
	struct mailbox *dst;
	bool move;
	bool measured; /* the sizes are known: they stand in the new names */
	bool copied;   /* all of them: now a move removes */
	size_t n;
	struct imap_set_text from, to;
	struct copied *made; /* the last portion first */
	uint32_t uids[PORTION];
};
struct copied {
	struct copied *before;
	uint32_t first;
	size_t n;
};

/* --- copying ---------------------------------------------------------------
 */

/*
 * What is not known of sizes is counted, file by file, so that a portion does
 * not read as many files as it has messages.  Copying finds out what fails
 * here.
 */
static enum imap_done
step_measure(struct imap_session *s, struct copy_job *j)
{
	const struct message *m;
	uint64_t size;
	struct err err;
	size_t i;

	for (i = 0; i < MEASURED; i++) {
		if (!imap_walk_next(&j->walk, &s->view)) {
			imap_walk_begin(&j->walk, &s->view, &j->set);
			j->measured = true;
			break;
		}
		m = imap_view_at(&s->view, j->walk.slot);
		if (m && m->wsize == MESSAGE_UNKNOWN) {
			(void)!mailbox_wsize(s->view.mb, m->uid, &size, &err);
			break;
		}
	}
	return IMAP_MORE;
}

/* A portion of those that are there; *gone: another one is not. */
static size_t
collect(struct imap_session *s, struct copy_job *j, bool *gone)
{
	const struct message *m;
	size_t n = 0;

	while (n < PORTION && imap_walk_next(&j->walk, &s->view)) {
		m = imap_view_at(&s->view, j->walk.slot);
		if (m)
			j->uids[n++] = m->uid;
		else
			*gone = true;
	}
	return n;
}

/* RFC 3501 6.4.7: as it was before. */
static void
undo(struct imap_session *s, struct copy_job *j)
{
	struct copied *c;
	struct err err;
	size_t i;

	for (c = j->made; c; c = c->before) {
		for (i = 0; i < c->n; i++)
			j->uids[i] = c->first + (uint32_t)i;
		if (mailbox_expunge(j->dst, j->uids, c->n, &err) < 0)
			log_warn("imap(%s): undoing %s: %s", s->user->name,
				 s->cmd->name, LOGQ(str_of(err.text)));
	}
}

static int
copy_portion(struct imap_session *s, struct copy_job *j, size_t n,
	     struct err *err)
{
	struct copied *c = pool_alloc(&s->pool, sizeof(*c));
	size_t i;

	if (!c)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (mailbox_copy(s->view.mb, j->uids, n, j->dst, &c->first, err) < 0)
		return -1;
	c->n = n;
	c->before = j->made;
	j->made = c;
	j->n += n;
	for (i = 0; i < n; i++)
		imap_set_text_add(&j->from, j->uids[i], j->uids[i]);
	imap_set_text_add(&j->to, c->first, c->first + (uint32_t)n - 1);
	return 0;
}

static bool
any_gone(struct imap_session *s, const struct copy_job *j, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!mailbox_find(s->view.mb, j->uids[i]))
			return true;
	return false;
}

/* RFC 4315 3; without, if the sets are too long to say. */
static void
put_copyuid(struct buf *b, struct copy_job *j)
{
	struct str from = imap_set_text_end(&j->from);
	struct str to = imap_set_text_end(&j->to);
	struct index_totals t;

	if (!from.n || !to.n)
		return;
	mailbox_totals(j->dst, &t);
	buf_addf(b, "[COPYUID %u ", t.uidvalidity);
	buf_add_str(b, from);
	buf_add_byte(b, ' ');
	buf_add_str(b, to);
	buf_add_c(b, "] ");
}

static enum imap_done
all_copied(struct imap_session *s, struct copy_job *j)
{
	if (j->n == 0) {
		imap_reply(s, "OK No messages found");
		return IMAP_DONE;
	}
	if (!j->move) {
		imap_reply(s, "OK ");
		put_copyuid(&s->reply, j);
		buf_add_c(&s->reply, "Copy completed");
		return IMAP_DONE;
	}
	buf_add_c(imap_out(s), "* OK "); /* RFC 6851 4.3 */
	put_copyuid(imap_out(s), j);
	buf_add_c(imap_out(s), "Moved\r\n");
	j->copied = true;
	imap_walk_begin(&j->walk, &s->view, &j->set);
	return IMAP_MORE;
}

static enum imap_done
step_remove(struct imap_session *s, struct copy_job *j)
{
	bool gone;
	size_t n = collect(s, j, &gone);
	struct err err;

	if (n == 0) {
		s->says_modseq = s->qresync; /* as EXPUNGE: RFC 7162 3.2.7 */
		imap_reply(s, "OK Move completed");
		return IMAP_DONE;
	}
	if (mailbox_expunge(s->view.mb, j->uids, n, &err) == 0)
		return IMAP_MORE;
	imap_reply_err(s, &err);
	return IMAP_DONE;
}

static enum imap_done
step_copy(struct imap_session *s)
{
	struct copy_job *j = s->job;
	struct imap_walk here = j->walk;
	struct err err, why;
	bool gone = false;
	size_t n;

	if (!j->measured)
		return step_measure(s, j);
	if (j->copied)
		return step_remove(s, j);
	n = collect(s, j, &gone);
	if (gone && !s->uid) { /* RFC 2180 4.4.1 */
		undo(s, j);
		imap_reply(s, "NO [EXPUNGEISSUED] Some messages are gone");
		return IMAP_DONE;
	}
	if (n == 0)
		return all_copied(s, j);
	if (copy_portion(s, j, n, &err) == 0)
		return IMAP_MORE;
	if (mailbox_refresh(s->view.mb, &why) == 0 && any_gone(s, j, n)) {
		j->walk = here; /* again, without those */
		return IMAP_MORE;
	}
	undo(s, j);
	imap_reply_err(s, &err);
	return IMAP_DONE;
}

static void
end_copy(struct imap_session *s)
{
	struct copy_job *j = s->job;

	imap_set_text_fini(&j->from);
	imap_set_text_fini(&j->to);
	mailbox_release(j->dst);
}

/* --- commands --------------------------------------------------------------
 */

static struct mailbox *
open_target(struct imap_session *s, struct str name)
{
	struct mailbox *mb;
	struct err err;

	mb = mailbox_open(s->user->store, name, &err);
	if (mb)
		return mb;
	if (err.code == ENOENT) /* RFC 3501 6.4.7 */
		imap_reply(s, "NO [TRYCREATE] No such mailbox");
	else
		imap_reply_err(s, &err);
	return NULL;
}

static void
copy(struct imap_session *s, struct imap_in *in, bool move)
{
	struct copy_job *j = pool_alloc(&s->pool, sizeof(*j));
	struct str name;

	if (!j || !imap_space(in) || !imap_set(in, &j->set) ||
	    !imap_space(in) || !imap_mailbox_arg(s, in, &name) ||
	    !imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	if (!imap_view_resolve(s, &j->set, s->uid))
		return;
	j->dst = open_target(s, name);
	if (!j->dst)
		return;
	j->move = move;
	imap_set_text_init(&j->from);
	imap_set_text_init(&j->to);
	imap_walk_begin(&j->walk, &s->view, &j->set);
	imap_job(s, step_copy, end_copy, j);
}

void
imap_cmd_copy(struct imap_session *s, struct imap_in *in)
{
	copy(s, in, false);
}

void
imap_cmd_move(struct imap_session *s, struct imap_in *in)
{
	copy(s, in, true);
}
