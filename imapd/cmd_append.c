/* SPDX-License-Identifier: ISC */
/* APPEND: the message is written to disk as it comes. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "commands.h"

enum append_phase {
	BODY, /* bytes of the message */
	TAIL, /* the end of the command's line */
	SKIP, /* reading over all of it; the reply is set */
};

struct imap_append {
	enum append_phase phase;
	struct mailbox *mb;
	struct store_append *file; /* NULL: failed, the reply is set */
	uint64_t left;
	struct imap_flags flags;
	int64_t date;
};

enum { SKIP_MESSAGE_MAX = 268435456 };

void
imap_append_cancel(struct imap_session *s)
{
	struct imap_append *a = s->append;

	if (!a)
		return;
	if (a->file)
		append_abort(a->file);
	if (a->mb)
		mailbox_release(a->mb);
	free(a);
	s->append = NULL;
}

static void
drop_file(struct imap_append *a)
{
	if (a->file)
		append_abort(a->file);
	a->file = NULL;
}

/* mailbox [flags] [date], up to where the literal stood. */
static bool
read_args(struct imap_session *s, struct imap_in *in, struct str *name,
	  struct imap_append *a)
{
	a->date = (int64_t)(clock_wall_us() / 1000000);
	if (!imap_space(in) || !imap_mailbox_arg(s, in, name) ||
	    !imap_space(in))
		return false;
	if (imap_peek(in) == '(' &&
	    (!imap_flag_list(in, false, &a->flags) || !imap_space(in)))
		return false;
	if (imap_peek(in) == '"' &&
	    (!imap_date_time(in, &a->date) || !imap_space(in)))
		return false;
	return imap_at_end(in) || imap_fail(in, "Syntax error");
}

static bool
open_append(struct imap_session *s, struct imap_append *a, struct str name)
{
	struct err err;

	if (s->in.literal > s->user->append_limit) {
		imap_reply(s, "NO [TOOBIG] Message is larger than %llu bytes",
			   (unsigned long long)s->user->append_limit);
		return false;
	}
	if (s->in.literal == 0) {
		imap_reply(s, "NO Message is empty");
		return false;
	}
	a->mb = mailbox_open(s->user->store, name, &err);
	if (a->mb)
		a->file = append_begin(a->mb, &err);
	if (a->file)
		return true;
	if (!a->mb && err.code == ENOENT) /* RFC 3501 6.3.11 */
		imap_reply(s, "NO [TRYCREATE] No such mailbox");
	else
		imap_reply_err(s, &err);
	return false;
}

void
imap_append_start(struct imap_session *s, struct imap_in *in)
{
	struct imap_append *a = calloc(1, sizeof(*a));
	struct str name;

	if (!a) {
		imap_bye(s, "Out of memory");
		return;
	}
	s->append = a;
	a->left = s->in.literal;
	s->stage = STAGE_APPEND;
	if (!read_args(s, in, &name, a)) {
		imap_reply_bad(s, in);
	} else if (open_append(s, a, name)) {
		if (!s->in.nonsync)
			buf_add_c(imap_out(s), "+ OK\r\n");
		return;
	}
	/* Refused: a client that asked does not send it (RFC 7888 4). */
	if (!s->in.nonsync) {
		s->stage = STAGE_SYNC;
		imap_append_cancel(s);
	} else if (s->in.literal > SKIP_MESSAGE_MAX) {
		imap_append_cancel(s);
		imap_bye(s, "Message is too large");
	} else {
		a->phase = SKIP;
		imap_collect_skip_message(&s->in);
	}
}

static void
take_body(struct imap_session *s, struct imap_append *a)
{
	struct str part = imap_input(s);
	struct err err;

	if (part.n > a->left)
		part.n = (size_t)a->left;
	if (a->file && memchr(part.p, '\0', part.n)) {
		imap_reply(s, "NO [CANNOT] Message contains a NUL");
		drop_file(a);
	}
	if (a->file && append_write(a->file, part, &err) < 0) {
		imap_reply_err(s, &err);
		drop_file(a);
	}
	a->left -= part.n;
	s->bytes_in += part.n;
	imap_consume(s, part.n);
	if (a->left == 0) {
		a->phase = TAIL;
		imap_collect_resume(&s->in);
	}
}

static void
commit(struct imap_session *s, struct imap_append *a)
{
	uint32_t uid;
	struct err err;
	int rc;

	rc = append_commit(a->file, imap_flags_to_store(a->flags.flags),
			   a->date, &uid, &err);
	a->file = NULL;
	if (rc < 0) {
		imap_reply_err(s, &err);
		return;
	}
	log_info("imap(%s): append: uid=%u to %s", s->user->name, uid,
		 mailbox_name(a->mb));
	imap_reply(s, "OK [APPENDUID %u %u] Append completed",
		   mailbox_uidvalidity(a->mb), uid);
}

/* The rest of the line came: it has to be empty. */
static void
end_line(struct imap_session *s, struct imap_append *a,
	 enum imap_collected what)
{
	if (what == COLLECT_HOPELESS ||
	    (what == COLLECT_APPEND && s->in.nonsync)) {
		imap_bye(s, "Too much input");
		return;
	}
	s->stage = STAGE_SYNC;
	if (a->phase == TAIL && a->file) {
		if (what == COLLECT_COMMAND && s->in.text.n == s->in.line)
			commit(s, a);
		else
			imap_reply(s, "BAD APPEND: Too many arguments");
	}
	imap_append_cancel(s);
}

void
imap_append_input(struct imap_session *s)
{
	struct imap_append *a = s->append;
	enum imap_collected what;
	size_t used;

	if (a->phase == BODY) {
		take_body(s, a);
		return;
	}
	what = imap_collect(&s->in, imap_input(s), &used);
	imap_consume(s, used);
	s->bytes_in += used;
	if (what == COLLECT_CONTINUE) /* another literal: no such thing */
		what = COLLECT_BARE;
	if (what != COLLECT_MORE)
		end_line(s, a, what);
}

/* An APPEND without a literal at its end. */
void
imap_cmd_append(struct imap_session *s, struct imap_in *in)
{
	(void)in;
	imap_reply(s, "BAD APPEND: Message literal expected");
}
