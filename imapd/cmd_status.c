/* SPDX-License-Identifier: ISC */
/* STATUS: of a mailbox that need not be selected. */
#include "commands.h"

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

static size_t
count_unseen(const struct mailbox *mb)
{
	size_t i, n = 0;

	for (i = 0; i < mailbox_count(mb); i++)
		n += !(mailbox_at(mb, i)->flags & MAILDIR_SEEN);
	return n;
}

static void
say_status(struct imap_session *s, const struct mailbox *mb, unsigned items)
{
	struct buf *out = imap_out(s);
	size_t i, recent = 0;

	for (i = 0; i < mailbox_count(mb); i++)
		recent += mailbox_at(mb, i)->fresh;
	buf_add_c(out, "* STATUS ");
	imap_put_name(s, out, str_of(mailbox_name(mb)));
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
		buf_addf(out, "UNSEEN %zu ", count_unseen(mb));
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

	if (!imap_space(in) || !imap_mailbox_arg(s, in, &name) ||
	    !imap_space(in) || !read_items(in, &items)) {
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
