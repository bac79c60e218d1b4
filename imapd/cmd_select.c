/* SPDX-License-Identifier: ISC */
/* SELECT, EXAMINE, CLOSE, UNSELECT. */
#include "base/log.h"
#include "commands.h"

static size_t
count_unseen(const struct mailbox *mb, size_t *first)
{
	size_t i, n = 0;

	*first = 0;
	for (i = 0; i < mailbox_count(mb); i++) {
		if (mailbox_at(mb, i)->flags & MAILDIR_SEEN)
			continue;
		if (n++ == 0)
			*first = i + 1;
	}
	return n;
}

/* RFC 3501 6.3.1 */
static void
say_selected(struct imap_session *s)
{
	struct mailbox *mb = s->view.mb;
	struct buf *out = imap_out(s);
	size_t first;

	buf_add_c(out, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen "
		       "\\Draft)\r\n");
	buf_addf(out, "* OK [PERMANENTFLAGS (%s)] Flags kept\r\n",
		 s->view.readonly
			 ? ""
			 : "\\Answered \\Flagged \\Deleted \\Seen \\Draft");
	buf_addf(out, "* %zu EXISTS\r\n* %zu RECENT\r\n", s->view.n,
		 s->view.recent);
	if (count_unseen(mb, &first))
		buf_addf(out, "* OK [UNSEEN %zu] First unseen\r\n", first);
	buf_addf(out, "* OK [UIDVALIDITY %u] UIDs valid\r\n",
		 mailbox_uidvalidity(mb));
	buf_addf(out, "* OK [UIDNEXT %u] Predicted next UID\r\n",
		 mailbox_uidnext(mb));
}

static void
select_box(struct imap_session *s, struct imap_in *in, bool readonly)
{
	struct mailbox *mb;
	struct str name;
	struct err err;

	if (!imap_space(in) || !imap_mailbox_arg(s, in, &name) ||
	    !imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	/* Whether it works or not, the old one is left (RFC 3501 6.3.1). */
	imap_unselect(s);
	mb = mailbox_open(s->user->store, name, &err);
	if (!mb) {
		imap_reply_err(s, &err);
		return;
	}
	if (imap_view_open(s, mb, readonly, &err) < 0) {
		mailbox_release(mb);
		imap_reply_err(s, &err);
		return;
	}
	imap_set_state(s, IMAP_SELECTED);
	say_selected(s);
	imap_reply(s, "OK [READ-%s] %s completed", readonly ? "ONLY" : "WRITE",
		   s->cmd->name);
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

/* --- leaving ---------------------------------------------------------------
 */

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

/* RFC 3501 6.4.2: expunge without a word. */
void
imap_cmd_close(struct imap_session *s, struct imap_in *in)
{
	struct imap_set all = { .v = &(struct imap_range){ 1, UINT32_MAX },
				.n = 1 };
	struct err err = { 0 };
	int rc = 0;

	if (!imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	if (!s->view.readonly)
		rc = imap_expunge_set(s, &all, &err);
	imap_unselect(s);
	if (rc < 0)
		imap_reply_err(s, &err);
	else
		imap_reply(s, "OK Close completed");
}
