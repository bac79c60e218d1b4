/* SPDX-License-Identifier: ISC */
/* APPEND: messages are written to disk as they come, and all become part of the
 * mailbox at the end of the command, or none does (RFC 3502). */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "commands.h"

enum append_phase {
	BODY, /* bytes of a message */
	TAIL, /* the line behind it */
};

enum {
	APPEND_MAX = 100, /* messages of one command: each has a file open */
	SKIP_MAX = 268435456 /* bytes that are read over */,
};

struct imap_append {
	enum append_phase phase;
	struct mailbox *mb;
	bool failed; /* the reply is set; what comes is read over */
	/* the message that comes */
	uint64_t left;
	uint64_t skipped; /* of all */
	bool literal8;
	bool in_utf8; /* it stands in "UTF8 (...)": RFC 6855 4, before RFC 9755
			 took that back */
	char last;    /* its last byte so far */
	/* those that are there, and it */
	size_t n;
	struct store_append *file[APPEND_MAX];
	struct imap_flags flags[APPEND_MAX];
	int64_t date[APPEND_MAX];
};

static void
drop_files(struct imap_append *a)
{
	while (a->n)
		append_abort(a->file[--a->n]);
}

void
imap_append_cancel(struct imap_session *s)
{
	struct imap_append *a = s->append;

	if (!a)
		return;
	drop_files(a);
	if (a->mb)
		mailbox_release(a->mb);
	free(a);
	s->append = NULL;
}

/* --- arguments -------------------------------------------------------------
 */

/* Their names stand in the command, which moves as it grows. */
static bool
keep_keywords(struct imap_in *in, struct imap_flags *f)
{
	size_t i;

	for (i = 0; i < f->nkeywords; i++) {
		f->keywords[i] = pool_str(in->pool, f->keywords[i]);
		if (!f->keywords[i].p)
			return imap_fail(in, "Command is too large");
	}
	return true;
}

/* SP [flags SP] [date SP] ["UTF8 ("], up to where the literal stood. */
static bool
read_options(struct imap_in *in, struct imap_append *a)
{
	struct imap_flags *flags = &a->flags[a->n];
	int64_t *date = &a->date[a->n];

	*flags = (struct imap_flags){ 0 };
	*date = (int64_t)(clock_wall_us() / 1000000);
	a->in_utf8 = false;
	if (!imap_space(in))
		return false;
	if (imap_peek(in) == '(' &&
	    (!imap_flag_list(in, false, flags) || !keep_keywords(in, flags) ||
	     !imap_space(in)))
		return false;
	if (imap_peek(in) == '"' &&
	    (!imap_date_time(in, date) || !imap_space(in)))
		return false;
	if (imap_word(in, "UTF8")) {
		a->in_utf8 = true;
		if (!imap_space(in) || !imap_char(in, '('))
			return false;
		if (!a->literal8)
			return imap_fail(in, "UTF8 wants a literal8");
	}
	return imap_at_end(in) || imap_fail(in, "Syntax error");
}

static bool
open_box(struct imap_session *s, struct imap_append *a, struct str name)
{
	struct err err;

	a->mb = mailbox_open(s->user->store, name, &err);
	if (a->mb) {
		imap_say_typed(s, "", name);
		return true;
	}
	if (err.code == ENOENT) /* RFC 9051 6.3.12 */
		imap_reply(s, "NO [TRYCREATE] No such mailbox");
	else
		imap_reply_err(s, &err);
	return false;
}

/* Room for one more; false: the reply is set. */
static bool
open_file(struct imap_session *s, struct imap_append *a)
{
	struct err err;

	if (a->left > s->user->append_limit) { /* RFC 7889 4 */
		imap_reply(s, "NO [TOOBIG] Message is larger than %llu bytes",
			   (unsigned long long)s->user->append_limit);
		return false;
	}
	if (a->left == 0) { /* RFC 3502 6.3.11: so a client takes it back */
		imap_reply(s, "NO Message is empty");
		return false;
	}
	if (!imap_keywords_fit(s, a->mb, &a->flags[a->n]))
		return false;
	a->file[a->n] = append_begin(a->mb, &err);
	if (!a->file[a->n]) {
		imap_reply_err(s, &err);
		return false;
	}
	a->n++;
	return true;
}

static void
fail(struct imap_append *a)
{
	a->failed = true;
	drop_files(a);
}

/* A message is announced: ask for it, read over it, or end the command. */
static void
next_message(struct imap_session *s, struct imap_append *a, struct imap_in *in,
	     struct str name)
{
	a->phase = BODY;
	a->left = s->in.literal;
	a->literal8 = s->in.literal8;
	a->last = '\0';
	if (a->failed) {
		/* the reply is set */
	} else if (a->n == APPEND_MAX) {
		imap_reply(s, "NO [LIMIT] At most %d messages", APPEND_MAX);
		fail(a);
	} else if (!read_options(in, a)) {
		imap_reply_bad(s, in);
		fail(a);
	} else if ((!a->mb && !open_box(s, a, name)) || !open_file(s, a)) {
		fail(a);
	} else {
		if (!s->in.nonsync)
			buf_add_c(imap_out(s), "+ OK\r\n");
		return;
	}
	/* Refused: a client that asked does not send it (RFC 7888 4). */
	if (!s->in.nonsync) {
		s->stage = STAGE_SYNC;
		imap_append_cancel(s);
	} else if ((a->skipped += a->left) > SKIP_MAX) {
		imap_append_cancel(s);
		imap_bye(s, "Message is too large");
	}
}

void
imap_append_start(struct imap_session *s, struct imap_in *in)
{
	struct imap_append *a = calloc(1, sizeof(*a));
	struct str name = STR_NULL;

	if (!a) {
		imap_bye(s, "Out of memory");
		return;
	}
	s->append = a;
	s->stage = STAGE_APPEND;
	if (!imap_space(in) || !imap_mailbox_arg(s, in, &name)) {
		imap_reply_bad(s, in);
		a->failed = true;
	}
	next_message(s, a, in, name);
}

/* --- the messages ----------------------------------------------------------
 */

/*
 * What cannot be kept as it is.  Header fields with 8-bit characters are taken
 * from everybody: RFC 9755 4 would have them refused to clients that have not
 * enabled UTF8=ACCEPT, but those, mbsync for one, then could not copy mail that
 * they have.  A literal has no NUL (RFC 9051 4.3); a
 * literal8 may, but files of messages here are lines, whose ends are no
 * matter, so neither that nor a line end of LF alone could be given back
 * (RFC 3516 4.4).
 */
static bool
is_storable(const struct imap_append *a, struct str part)
{
	size_t i;

	if (memchr(part.p, '\0', part.n))
		return false;
	if (!a->literal8 || a->in_utf8)
		return true;
	for (i = 0; i < part.n; i++)
		if (part.p[i] == '\n' && (i ? part.p[i - 1] : a->last) != '\r')
			return false;
	return true;
}

static void
take_body(struct imap_session *s, struct imap_append *a)
{
	struct str part = str_head(imap_input(s), (size_t)a->left);
	struct err err;

	if (!a->failed && part.n && !is_storable(a, part)) {
		imap_reply(s, a->literal8
				      ? "NO [UNKNOWN-CTE] Binary messages "
					"cannot be kept"
				      : "NO [CANNOT] Message contains a NUL");
		fail(a);
	}
	if (!a->failed && append_write(a->file[a->n - 1], part, &err) < 0) {
		imap_reply_err(s, &err);
		fail(a);
	}
	if (part.n)
		a->last = part.p[part.n - 1];
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
	struct append_info info[APPEND_MAX] = { 0 };
	struct index_totals t;
	uint32_t first;
	struct err err;
	size_t i, n = a->n;
	int rc;

	for (i = 0; i < n; i++)
		info[i] = (struct append_info){
			.flags = imap_flags_to_store(a->flags[i].flags),
			.keywords = a->flags[i].keywords,
			.nkeywords = a->flags[i].nkeywords,
			.mtime = a->date[i],
		};
	a->n = 0;
	rc = append_commit_all(a->file, info, n, &first, &err);
	if (rc < 0) {
		imap_reply_err(s, &err);
		return;
	}
	for (i = 0; i < n; i++)
		log_info("imap(%s): append: uid=%u to %s", s->user->name,
			 first + (uint32_t)i, mailbox_name(a->mb));
	mailbox_totals(a->mb, &t);
	if (n == 1)
		imap_reply(s, "OK [APPENDUID %u %u] Append completed",
			   t.uidvalidity, first);
	else
		imap_reply(s, "OK [APPENDUID %u %u:%u] Append completed",
			   t.uidvalidity, first, first + (uint32_t)n - 1);
}

/* The line behind a message: it is the last, or another one comes. */
static void
end_line(struct imap_session *s, struct imap_append *a,
	 enum imap_collected what)
{
	struct str line = str_from(buf_str(&s->in.text), s->in.line);
	struct imap_in in = { .p = line.p,
			      .end = line.p + line.n,
			      .pool = &s->pool };

	if (!a->failed && a->in_utf8 && !imap_char(&in, ')')) {
		imap_reply_bad(s, &in);
		fail(a);
	}
	if (what == COLLECT_APPEND) {
		next_message(s, a, &in, STR_NULL);
		return;
	}
	if (!a->failed && (what != COLLECT_COMMAND || !imap_end(&in))) {
		imap_reply(s, what == COLLECT_LITERAL
				      ? "NO [TOOBIG] Message is too large"
				      : "BAD APPEND: Syntax error");
		fail(a);
	}
	s->stage = STAGE_SYNC;
	if (!a->failed)
		commit(s, a);
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
	if (what == COLLECT_HOPELESS)
		imap_bye(s, "Too much input");
	else if (what != COLLECT_MORE)
		end_line(s, a, what);
}

/* An APPEND without a literal at its end. */
void
imap_cmd_append(struct imap_session *s, struct imap_in *in)
{
	(void)in;
	imap_reply(s, "BAD APPEND: Message literal expected");
}
