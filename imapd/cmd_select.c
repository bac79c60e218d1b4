/* SPDX-License-Identifier: ISC */
/* SELECT, EXAMINE, STATUS, CLOSE, UNSELECT. */
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

	if (!imap_space(in) || !imap_astring(in, &name) || !imap_end(in)) {
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

/* --- STATUS ----------------------------------------------------------------
 */

enum {
	ST_MESSAGES = 1,
	ST_RECENT = 2,
	ST_UIDNEXT = 4,
	ST_VALIDITY = 8,
	ST_UNSEEN = 16
};

static bool
read_items(struct imap_in *in, unsigned *items)
{
	static const struct {
		const char *name;
		unsigned item;
	} rows[] = { { "MESSAGES", ST_MESSAGES },
		     { "RECENT", ST_RECENT },
		     { "UIDNEXT", ST_UIDNEXT },
		     { "UIDVALIDITY", ST_VALIDITY },
		     { "UNSEEN", ST_UNSEEN } };
	size_t i, n = 0;

	*items = 0;
	if (!imap_char(in, '('))
		return false;
	do {
		if (n++ && !imap_space(in))
			return false;
		for (i = 0; i < 5; i++)
			if (imap_word(in, rows[i].name))
				break;
		if (i == 5 || n > IMAP_LIST_MAX)
			return imap_fail(in, "Unknown status item");
		*items |= rows[i].item;
	} while (imap_peek(in) != ')');
	return imap_char(in, ')') && imap_end(in);
}

static void
say_status(struct imap_session *s, const struct mailbox *mb, unsigned items)
{
	struct buf *out = imap_out(s);
	size_t i, recent = 0, first;

	for (i = 0; i < mailbox_count(mb); i++)
		recent += mailbox_at(mb, i)->fresh;
	buf_add_c(out, "* STATUS ");
	imap_put_mailbox(out, str_of(mailbox_name(mb)));
	buf_add_c(out, " (");
	if (items & ST_MESSAGES)
		buf_addf(out, "MESSAGES %zu ", mailbox_count(mb));
	if (items & ST_RECENT)
		buf_addf(out, "RECENT %zu ", recent);
	if (items & ST_UIDNEXT)
		buf_addf(out, "UIDNEXT %u ", mailbox_uidnext(mb));
	if (items & ST_VALIDITY)
		buf_addf(out, "UIDVALIDITY %u ", mailbox_uidvalidity(mb));
	if (items & ST_UNSEEN)
		buf_addf(out, "UNSEEN %zu ", count_unseen(mb, &first));
	out->n--;
	buf_add_c(out, ")\r\n");
}

void
imap_cmd_status(struct imap_session *s, struct imap_in *in)
{
	struct mailbox *mb;
	unsigned items;
	struct str name;
	struct err err;

	if (!imap_space(in) || !imap_astring(in, &name) || !imap_space(in) ||
	    !read_items(in, &items)) {
		imap_reply_bad(s, in);
		return;
	}
	mb = mailbox_open(s->user->store, name, &err);
	if (!mb) {
		imap_reply_err(s, &err);
		return;
	}
	say_status(s, mb, items);
	mailbox_release(mb);
	imap_reply(s, "OK Status completed");
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
