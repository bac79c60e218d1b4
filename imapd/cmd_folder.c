/* SPDX-License-Identifier: ISC */
/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE. */
#include <limits.h>

#include "commands.h"
#include "list.h"
#include "mail/mutf7.h"

static bool
one_name(struct imap_session *s, struct imap_in *in, struct str *name)
{
	if (imap_space(in) && imap_mailbox_arg(s, in, name) && imap_end(in))
		return true;
	imap_reply_bad(s, in);
	return false;
}

static void
answer(struct imap_session *s, int rc, const struct err *err)
{
	if (rc < 0)
		imap_reply_err(s, err);
	else
		imap_reply(s, "OK %s completed", s->cmd->name);
}

void
imap_cmd_create(struct imap_session *s, struct imap_in *in)
{
	struct str name;
	struct err err;
	unsigned uses;

	if (!imap_space(in) || !imap_mailbox_arg(s, in, &name) ||
	    !imap_create_params(in, &uses)) {
		imap_reply_bad(s, in);
		return;
	}
	if (uses == UINT_MAX) { /* RFC 6154 3: \All, for instance */
		imap_reply(s, "NO [USEATTR] No mailbox is that here");
		return;
	}
	if (store_create_for(s->user->store, name, uses, &err) < 0) {
		imap_reply_err(s, &err);
		return;
	}
	imap_say_typed(s, "", name);
	imap_reply(s, "OK CREATE completed");
}

void
imap_cmd_delete(struct imap_session *s, struct imap_in *in)
{
	struct str name;
	struct err err;

	if (!one_name(s, in, &name))
		return;
	if (store_delete(s->user->store, name, &err) < 0) {
		imap_reply_err(s, &err);
		return;
	}
	imap_say_typed(s, "\\NonExistent", name);
	imap_reply(s, "OK DELETE completed");
}

void
imap_cmd_rename(struct imap_session *s, struct imap_in *in)
{
	struct str from, to;
	struct buf old;
	struct err err;

	if (!imap_space(in) || !imap_mailbox_arg(s, in, &from) ||
	    !imap_space(in) || !imap_mailbox_arg(s, in, &to) || !imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	if (store_rename(s->user->store, from, to, &err) < 0) {
		imap_reply_err(s, &err);
		return;
	}
	buf_init(&old, 4 * STORE_NAME_MAX);
	/* INBOX is there as before (RFC 9051 6.3.6). */
	if (!str_ieq(from, STR("INBOX")) && mutf7_decode(&old, from) == 0)
		imap_say_name(s, to, buf_str(&old));
	buf_fini(&old);
	imap_reply(s, "OK RENAME completed");
}

void
imap_cmd_subscribe(struct imap_session *s, struct imap_in *in)
{
	struct str name;
	struct err err;

	if (one_name(s, in, &name))
		answer(s, store_subscribe(s->user->store, name, true, &err),
		       &err);
}

void
imap_cmd_unsubscribe(struct imap_session *s, struct imap_in *in)
{
	struct str name;
	struct err err;

	if (one_name(s, in, &name))
		answer(s, store_subscribe(s->user->store, name, false, &err),
		       &err);
}
