/* SPDX-License-Identifier: ISC */
/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, LIST, LSUB. */
#include "commands.h"
#include "match.h"

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

	if (one_name(s, in, &name))
		answer(s, store_create(s->user->store, name, &err), &err);
}

void
imap_cmd_delete(struct imap_session *s, struct imap_in *in)
{
	struct str name;
	struct err err;

	if (one_name(s, in, &name))
		answer(s, store_delete(s->user->store, name, &err), &err);
}

void
imap_cmd_rename(struct imap_session *s, struct imap_in *in)
{
	struct str from, to;
	struct err err;

	if (!imap_space(in) || !imap_mailbox_arg(s, in, &from) ||
	    !imap_space(in) || !imap_mailbox_arg(s, in, &to) || !imap_end(in))
		imap_reply_bad(s, in);
	else
		answer(s, store_rename(s->user->store, from, to, &err), &err);
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

/* --- LIST ------------------------------------------------------------------
 */

/* RFC 6154, by the names that everybody uses. */
static const char *
special_use(const char *name)
{
	static const struct {
		const char *name, *use;
	} rows[] = {
		{ "Drafts", "\\Drafts" },   { "Sent", "\\Sent" },
		{ "Trash", "\\Trash" },	    { "Junk", "\\Junk" },
		{ "Archive", "\\Archive" },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (str_ieq(str_of(name), str_of(rows[i].name)))
			return rows[i].use;
	return NULL;
}

static void
put_line(struct buf *out, const char *verb, const char *attrs, struct str name)
{
	buf_addf(out, "* %s (%s) \"%c\" ", verb, attrs, STORE_SEPARATOR);
	imap_put_mailbox(out, name);
	buf_add_c(out, "\r\n");
}

static void
list_folder(struct imap_session *s, const struct folder *f)
{
	const char *use = special_use(f->name);
	struct buf attrs;

	buf_init(&attrs, 256);
	if (f->attrs & FOLDER_NOSELECT)
		buf_add_c(&attrs, "\\Noselect ");
	buf_add_c(&attrs, f->attrs & FOLDER_CHILDREN ? "\\HasChildren"
						     : "\\HasNoChildren");
	if (use && !(f->attrs & FOLDER_NOSELECT))
		buf_addf(&attrs, " %s", use);
	put_line(imap_out(s), "LIST", buf_cstr(&attrs), str_of(f->name));
	buf_fini(&attrs);
}

/* Of a subscribed name that does not match "%" itself, the level that does is
 * shown as \Noselect (RFC 3501 6.3.9). */
static void
lsub_level(struct imap_session *s, const struct imap_pattern *pat,
	   const char *name, struct buf *last)
{
	struct str level = str_of(name);
	ptrdiff_t dot;

	while ((dot = str_rfind(level, STORE_SEPARATOR)) > 0) {
		level.n = (size_t)dot;
		if (!imap_match(pat, level))
			continue;
		if (!str_eq(level, buf_str(last)))
			put_line(imap_out(s), "LSUB", "\\Noselect", level);
		buf_reset(last);
		buf_add_str(last, level);
		return;
	}
}

static void
lsub_folder(struct imap_session *s, const struct imap_pattern *pat,
	    const struct folder *f, struct buf *last)
{
	if (!(f->attrs & FOLDER_SUBSCRIBED))
		return;
	if (!imap_match(pat, str_of(f->name))) {
		if (pat->has_percent)
			lsub_level(s, pat, f->name, last);
		return;
	}
	put_line(imap_out(s), "LSUB",
		 f->attrs & FOLDER_NOSELECT ? "\\Noselect" : "",
		 str_of(f->name));
	buf_reset(last);
	buf_add_c(last, f->name);
}

static void
walk(struct imap_session *s, const struct imap_pattern *pat, bool lsub)
{
	struct folder_list all;
	struct buf last;
	struct err err;
	size_t i;

	if (store_list(s->user->store, &all, &err) < 0) {
		imap_reply_err(s, &err);
		return;
	}
	buf_init(&last, STORE_NAME_MAX + 1);
	for (i = 0; i < all.n; i++) {
		const struct folder *f = &all.v[i];

		if (lsub)
			lsub_folder(s, pat, f, &last);
		else if (!(f->attrs & FOLDER_SUBSCRIBED &&
			   f->attrs & FOLDER_NOSELECT &&
			   !(f->attrs & FOLDER_CHILDREN)) &&
			 imap_match(pat, str_of(f->name)))
			list_folder(s, f);
	}
	buf_fini(&last);
	folder_list_fini(&all);
	imap_reply(s, "OK %s completed", s->cmd->name);
}

static void
list(struct imap_session *s, struct imap_in *in, bool lsub)
{
	struct imap_pattern pat;
	struct str ref, mailbox;

	if (!imap_space(in) || !imap_astring(in, &ref) || !imap_space(in) ||
	    !imap_list_mailbox(in, &mailbox) || !imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	if (mailbox.n == 0 && !lsub) { /* RFC 3501 6.3.8: only the separator */
		put_line(imap_out(s), "LIST", "\\Noselect", STR(""));
		imap_reply(s, "OK List completed");
		return;
	}
	if (!imap_pattern_init(&pat, &s->pool, ref, mailbox))
		imap_reply(s, "NO [CANNOT] Pattern is too long");
	else
		walk(s, &pat, lsub);
}

void
imap_cmd_list(struct imap_session *s, struct imap_in *in)
{
	list(s, in, false);
}

void
imap_cmd_lsub(struct imap_session *s, struct imap_in *in)
{
	list(s, in, true);
}
