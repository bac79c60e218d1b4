/* SPDX-License-Identifier: ISC */
/* STATUS: of a mailbox that need not be selected. */
#include "base/log.h"
#include "commands.h"
#include "list.h"

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
say_status(struct imap_session *s, struct str name,
	   const struct folder_status *st, uint64_t size, unsigned items)
{
	struct buf *b = imap_out(s);

	buf_add_c(b, "* STATUS ");
	imap_put_name(s, b, name);
	buf_add_c(b, " (");
	put_number(b, items, STATUS_MESSAGES, "MESSAGES", st->messages);
	put_number(b, items, STATUS_RECENT, "RECENT", st->recent);
	put_number(b, items, STATUS_UIDNEXT, "UIDNEXT", st->uidnext);
	put_number(b, items, STATUS_UIDVALIDITY, "UIDVALIDITY",
		   st->uidvalidity);
	put_number(b, items, STATUS_UNSEEN, "UNSEEN", st->unseen);
	put_number(b, items, STATUS_DELETED, "DELETED", st->deleted);
	put_number(b, items, STATUS_SIZE, "SIZE", size);
	put_number(b, items, STATUS_APPENDLIMIT, "APPENDLIMIT",
		   s->user->append_limit);
	put_number(b, items, STATUS_HIGHESTMODSEQ, "HIGHESTMODSEQ",
		   st->highestmodseq);
	buf_add_c(b, ")\r\n");
}

static int
status(struct imap_session *s, struct str name, unsigned items, struct err *err)
{
	struct store *store = s->user->store;
	char box[STORE_NAME_MAX + 1];
	struct folder_status st;
	uint64_t size = 0;

	if (store_name_check(name, box, err) < 0 ||
	    store_status(store, name, &st, err) < 0 ||
	    (items & STATUS_SIZE && store_size(store, name, &size, err) < 0))
		return -1;
	if (items & STATUS_HIGHESTMODSEQ) /* RFC 7162 3.1 */
		imap_enable_condstore(s);
	say_status(s, str_of(box), &st, size, items);
	return 0;
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
