/* SPDX-License-Identifier: ISC */
/* STATUS: of a mailbox that need not be selected. */
#include "base/log.h"
#include "commands.h"
#include "list.h"

struct counted {
	size_t messages, unseen, deleted, recent;
	uint64_t size;
};

/* -1: a message went away or cannot be read. */
static int
count(struct mailbox *mb, unsigned items, struct counted *c, struct err *err)
{
	uint64_t size;
	size_t i;

	*c = (struct counted){ .messages = mailbox_count(mb) };
	for (i = 0; i < mailbox_count(mb); i++) {
		struct message *m = mailbox_at(mb, i);

		c->unseen += !(m->flags & MAILDIR_SEEN);
		c->deleted += (m->flags & MAILDIR_TRASHED) != 0;
		c->recent += m->fresh;
		if (!(items & STATUS_SIZE))
			continue;
		if (mailbox_wsize(mb, m, &size, err) < 0)
			return -1;
		c->size += size;
	}
	return 0;
}

static void
put_number(struct buf *b, unsigned items, unsigned item, const char *name,
	   uint64_t v)
{
	if (!(items & item))
		return;
	if (b->p[b->n - 1] != '(')
		buf_add_byte(b, ' ');
	buf_addf(b, "%s %llu", name, (unsigned long long)v);
}

static void
say_status(struct imap_session *s, const struct mailbox *mb,
	   const struct counted *c, unsigned items)
{
	struct buf *b = imap_out(s);

	buf_add_c(b, "* STATUS ");
	imap_put_name(s, b, str_of(mailbox_name(mb)));
	buf_add_c(b, " (");
	put_number(b, items, STATUS_MESSAGES, "MESSAGES", c->messages);
	put_number(b, items, STATUS_RECENT, "RECENT", c->recent);
	put_number(b, items, STATUS_UIDNEXT, "UIDNEXT", mailbox_uidnext(mb));
	put_number(b, items, STATUS_UIDVALIDITY, "UIDVALIDITY",
		   mailbox_uidvalidity(mb));
	put_number(b, items, STATUS_UNSEEN, "UNSEEN", c->unseen);
	put_number(b, items, STATUS_DELETED, "DELETED", c->deleted);
	put_number(b, items, STATUS_SIZE, "SIZE", c->size);
	put_number(b, items, STATUS_APPENDLIMIT, "APPENDLIMIT",
		   s->user->append_limit);
	buf_add_c(b, ")\r\n");
}

static int
status(struct imap_session *s, struct str name, unsigned items, struct err *err)
{
	struct mailbox *mb = mailbox_open(s->user->store, name, err);
	struct counted c;
	int rc;

	if (!mb)
		return -1;
	rc = count(mb, items, &c, err);
	if (rc == 0)
		say_status(s, mb, &c, items);
	mailbox_release(mb);
	return rc;
}

void
imap_say_status_of(struct imap_session *s, struct str name, unsigned items)
{
	struct err err;

	/* RFC 5819 2: on failure the reply is left out. */
	if (status(s, name, items, &err) < 0)
		log_warn("imap(%s): LIST: STATUS of %s: %s", s->user->name,
			 LOGQ(name), LOGQ(str_of(err.text)));
}

void
imap_cmd_status(struct imap_session *s, struct imap_in *in)
{
	unsigned items;
	struct str name;
	struct err err;

	if (!imap_space(in) || !imap_mailbox_arg(s, in, &name) ||
	    !imap_space(in) || !imap_status_items(in, &items) || !imap_end(in))
		imap_reply_bad(s, in);
	else if (status(s, name, items, &err) < 0)
		imap_reply_err(s, &err);
	else
		imap_reply(s, "OK Status completed");
}
