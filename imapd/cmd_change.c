/* SPDX-License-Identifier: ISC */
/* STORE, COPY, MOVE, EXPUNGE. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "commands.h"

/* --- which messages --------------------------------------------------------
 */

bool
imap_targets(struct imap_session *s, struct imap_set *set, uint32_t **uids,
	     size_t *n, bool *gone)
{
	struct imap_view *v = &s->view;
	size_t i;

	*n = 0;
	*gone = false;
	imap_set_resolve(set, s->uid ? (v->n ? v->v[v->n - 1].uid : 0)
				     : (uint32_t)v->n);
	if (!s->uid && set->n && set->v[set->n - 1].hi > v->n) {
		imap_reply(s, "BAD %s: No such message number", s->cmd->name);
		return false;
	}
	*uids = pool_alloc(&s->pool, (v->n + 1) * sizeof(**uids));
	if (!*uids) {
		imap_reply(s, "NO [LIMIT] Too many messages");
		return false;
	}
	for (i = 0; i < v->n; i++) {
		if (!imap_set_has(set, s->uid ? v->v[i].uid : (uint32_t)i + 1))
			continue;
		if (imap_view_message(v, i))
			(*uids)[(*n)++] = v->v[i].uid;
		else
			*gone = true;
	}
	return true;
}

void
imap_put_uid_set(struct buf *b, const uint32_t *uids, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i = k) {
		for (k = i + 1; k < n && uids[k] == uids[k - 1] + 1; k++)
			continue;
		if (i)
			buf_add_byte(b, ',');
		buf_add_u64(b, uids[i]);
		if (k > i + 1) {
			buf_add_byte(b, ':');
			buf_add_u64(b, uids[k - 1]);
		}
	}
}

/* --- STORE -----------------------------------------------------------------
 */

struct store_job {
	uint32_t *uids;
	size_t n, at;
	char how; /* '+', '-', '=' */
	struct imap_flags flags;
	bool silent, gone;
};

static bool
read_store(struct imap_in *in, struct imap_set *set, struct store_job *j)
{
	if (!imap_space(in) || !imap_set(in, set) || !imap_space(in))
		return false;
	j->how = imap_peek(in);
	if (j->how == '+' || j->how == '-')
		in->p++;
	else
		j->how = '=';
	j->silent = imap_word(in, "FLAGS.SILENT");
	if (!j->silent && !imap_word(in, "FLAGS"))
		return imap_fail(in, "FLAGS expected");
	return imap_space(in) && imap_flag_list(in, true, &j->flags) &&
	       imap_end(in);
}

static uint8_t
changed(const struct store_job *j, uint8_t flags)
{
	if (j->how == '+')
		return flags | j->flags.flags;
	if (j->how == '-')
		return flags & (uint8_t)~j->flags.flags;
	return j->flags.flags;
}

static void
say_stored(struct imap_session *s, struct store_job *j, size_t i,
	   const struct message *m)
{
	struct imap_view_msg *told = &s->view.v[i];
	struct buf *out = imap_out(s);

	if (j->silent) {
		/* What others changed meanwhile is said by the sync. */
		told->flags = changed(j, told->flags);
		return;
	}
	told->flags = imap_flags_of_store(m->flags);
	buf_addf(out, "* %zu FETCH (", i + 1);
	if (s->uid)
		buf_addf(out, "UID %u ", m->uid);
	buf_add_c(out, "FLAGS (");
	imap_put_flags(out, told->flags, told->recent);
	buf_add_c(out, "))\r\n");
}

static enum imap_done
step_store(struct imap_session *s)
{
	const uint64_t all = imap_flags_to_store(0xff);
	struct store_job *j = s->job;
	uint64_t set = imap_flags_to_store(j->flags.flags), clear;
	struct message *m;
	struct err err;
	uint32_t uid;

	if (j->at == j->n) {
		if (j->gone && !s->uid)
			imap_reply(s, "NO [EXPUNGEISSUED] Some messages are "
				      "gone");
		else
			imap_reply(s, "OK Store completed");
		return IMAP_DONE;
	}
	uid = j->uids[j->at++];
	clear = j->how == '+' ? 0 : j->how == '-' ? set : all;
	if (j->how == '-')
		set = 0;
	m = mailbox_deleted(s->view.mb) ? NULL : mailbox_find(s->view.mb, uid);
	if (!m) {
		j->gone = true;
		return IMAP_MORE;
	}
	if (mailbox_set_flags(s->view.mb, m, set, clear, &err) < 0) {
		if (err.code != ENOENT) {
			imap_reply_err(s, &err);
			return IMAP_DONE;
		}
		j->gone = true;
		return IMAP_MORE;
	}
	m = mailbox_find(s->view.mb, uid);
	if (m)
		say_stored(s, j, imap_view_lower(&s->view, uid), m);
	return IMAP_MORE;
}

void
imap_cmd_store(struct imap_session *s, struct imap_in *in)
{
	struct store_job *j = pool_alloc(&s->pool, sizeof(*j));
	struct imap_set set;

	if (!j || !read_store(in, &set, j)) {
		imap_reply_bad(s, in);
		return;
	}
	if (imap_targets(s, &set, &j->uids, &j->n, &j->gone))
		imap_job(s, step_store, NULL, j);
}

/* --- EXPUNGE ---------------------------------------------------------------
 */

int
imap_expunge_set(struct imap_session *s, struct imap_set *set, struct err *err)
{
	struct imap_view *v = &s->view;
	uint32_t *uids;
	size_t i, n = 0;
	struct message *m;

	imap_set_resolve(set, v->n ? v->v[v->n - 1].uid : 0);
	uids = pool_alloc(&s->pool, (v->n + 1) * sizeof(*uids));
	if (!uids)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (i = 0; i < v->n; i++) {
		m = imap_view_message(v, i);
		if (m && m->flags & MAILDIR_TRASHED &&
		    imap_set_has(set, m->uid))
			uids[n++] = m->uid;
	}
	if (n)
		log_info("imap(%s): expunge: %zu of %s", s->user->name, n,
			 mailbox_name(v->mb));
	return mailbox_expunge(v->mb, uids, n, err);
}

void
imap_cmd_expunge(struct imap_session *s, struct imap_in *in)
{
	struct imap_range all = { 1, UINT32_MAX };
	struct imap_set set = { .v = &all, .n = 1 };
	struct err err;

	/* RFC 4315 2.1: UID EXPUNGE has a set, EXPUNGE has none. */
	if ((s->uid && (!imap_space(in) || !imap_set(in, &set))) ||
	    !imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	if (imap_expunge_set(s, &set, &err) < 0)
		imap_reply_err(s, &err);
	else
		imap_reply(s, "OK Expunge completed");
}

/* --- COPY, MOVE ------------------------------------------------------------
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

/* RFC 4315 3 */
static void
put_copyuid(struct buf *b, const struct mailbox *dst, const uint32_t *uids,
	    size_t n, uint32_t first)
{
	buf_addf(b, "[COPYUID %u ", mailbox_uidvalidity(dst));
	imap_put_uid_set(b, uids, n);
	buf_addf(b, " %u", first);
	if (n > 1)
		buf_addf(b, ":%u", first + (uint32_t)n - 1);
	buf_add_byte(b, ']');
}

static void
copied(struct imap_session *s, struct mailbox *dst, uint32_t *uids, size_t n,
       uint32_t first, bool move)
{
	struct buf *out = imap_out(s);
	struct err err;

	if (!move) {
		buf_reset(&s->reply);
		buf_add_c(&s->reply, "OK ");
		put_copyuid(&s->reply, dst, uids, n, first);
		buf_add_c(&s->reply, " Copy completed");
		return;
	}
	buf_add_c(out, "* OK "); /* RFC 6851 4.3 */
	put_copyuid(out, dst, uids, n, first);
	buf_add_c(out, " Moved\r\n");
	if (mailbox_expunge(s->view.mb, uids, n, &err) < 0)
		imap_reply_err(s, &err);
	else
		imap_reply(s, "OK Move completed");
}

static void
copy(struct imap_session *s, struct imap_in *in, bool move)
{
	struct mailbox *dst;
	struct imap_set set;
	uint32_t *uids, first;
	struct str name;
	struct err err;
	bool gone;
	size_t n;

	if (!imap_space(in) || !imap_set(in, &set) || !imap_space(in) ||
	    !imap_mailbox_arg(s, in, &name) || !imap_end(in)) {
		imap_reply_bad(s, in);
		return;
	}
	if (!imap_targets(s, &set, &uids, &n, &gone))
		return;
	dst = open_target(s, name);
	if (!dst)
		return;
	if (gone && !s->uid)
		imap_reply(s, "NO [EXPUNGEISSUED] Some messages are gone");
	else if (n == 0)
		imap_reply(s, "OK No messages found");
	else if (mailbox_copy(s->view.mb, uids, n, dst, &first, &err) < 0)
		imap_reply_err(s, &err);
	else
		copied(s, dst, uids, n, first, move);
	mailbox_release(dst);
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
