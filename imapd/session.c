/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "session.h"

enum {
	TURN_MS = 20,		/* a job's share of a turn of the loop */
	STILL_HERE_MS = 120000, /* in IDLE, so that no NAT forgets us */
	BYE_MS = 5000,
};

static void pump(struct imap_session *s);

/* --- replies ---------------------------------------------------------------
 */

void
imap_reply(struct imap_session *s, const char *fmt, ...)
{
	va_list ap;

	buf_reset(&s->reply);
	va_start(ap, fmt);
	buf_vaddf(&s->reply, fmt, ap);
	va_end(ap);
}

void
imap_reply_bad(struct imap_session *s, const struct imap_in *in)
{
	imap_reply(s, "BAD %s: %s", s->cmd ? s->cmd->name : "Error",
		   in->error ? in->error : "Syntax error");
}

void
imap_reply_err(struct imap_session *s, const struct err *err)
{
	static const struct {
		int code;
		const char *response; /* RFC 5530 */
	} rows[] = {
		{ EEXIST, "[ALREADYEXISTS] " },	 { ENOENT, "[NONEXISTENT] " },
		{ EPERM, "[CANNOT] " },		 { EINVAL, "[CANNOT] " },
		{ ENOTEMPTY, "[HASCHILDREN] " }, { ENOSPC, "[OVERQUOTA] " },
		{ EDQUOT, "[OVERQUOTA] " },	 { EBUSY, "[INUSE] " },
	};
	const char *response = "";
	/* Such a text names files, which are not for clients. */
	bool system = err->code &&
		      str_ends(str_of(err->text), str_of(strerror(err->code)));
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == err->code)
			response = rows[i].response;
	if (err->class == ERR_TEMP) {
		log_warn("imap(%s): %s: %s", s->user->name,
			 s->cmd ? s->cmd->name : "-", LOGQ(str_of(err->text)));
		imap_reply(s, "NO %s%s",
			   *response ? response : "[UNAVAILABLE] ",
			   err->code == EBUSY && !system ? err->text
							 : "Temporary problem");
		return;
	}
	if (err->code == ENOENT && system)
		imap_reply(s, "NO %sNo such mailbox", response);
	else if (system)
		imap_reply(s, "NO %s%s", response, strerror(err->code));
	else
		imap_reply(s, "NO %s%s", response, err->text);
}

/* --- states ----------------------------------------------------------------
 */

void
imap_set_state(struct imap_session *s, enum imap_state st)
{
	static const char *const names[] = { "authenticated", "selected",
					     "logout" };

	log_debug("imap(%s): %s: %s -> %s", s->user->name, s->client,
		  names[s->state], names[st]);
	s->state = st;
}

void
imap_unselect(struct imap_session *s)
{
	imap_cache_clear(s);
	imap_view_close(s);
	if (s->state == IMAP_SELECTED)
		imap_set_state(s, IMAP_AUTH);
}

void
imap_job(struct imap_session *s, enum imap_done (*step)(struct imap_session *),
	 void (*end)(struct imap_session *), void *job)
{
	s->step = step;
	s->end = end;
	s->job = job;
	s->stage = STAGE_JOB;
}

static void
end_job(struct imap_session *s)
{
	if (s->end)
		s->end(s);
	s->step = NULL;
	s->end = NULL;
	s->job = NULL;
}

void
imap_bye(struct imap_session *s, const char *text)
{
	if (s->stage == STAGE_END)
		return;
	if (s->stage != STAGE_JOB) /* as say_at_once() */
		buf_addf(imap_out(s), "* BYE %s\r\n", text);
	s->stage = STAGE_END;
	imap_wake(s);
}

void
imap_wake(struct imap_session *s)
{
	static const struct timeval now = { 0, 0 };

	evtimer_add(s->wake, &now);
}

/* --- a command -------------------------------------------------------------
 */

static void
say_reply(struct imap_session *s)
{
	struct str reply = buf_str(&s->reply);
	struct buf *out = imap_out(s);

	/* While expunges wait, what the client has heard of mod-sequences is no
	 * measure (RFC 7162 6). */
	if (s->view.mb && s->qresync && s->view.todo.n)
		buf_addf(out, "* OK [HIGHESTMODSEQ %llu] Expunges wait\r\n",
			 (unsigned long long)imap_view_modseq(&s->view));
	buf_addf(out, "%s ", *s->tag ? s->tag : "*");
	if (s->says_modseq && s->view.mb && str_starts(reply, STR("OK "))) {
		buf_addf(out, "OK [HIGHESTMODSEQ %llu] ",
			 (unsigned long long)imap_view_modseq(&s->view));
		reply = str_from(reply, 3);
	}
	buf_add_str(out, reply);
	buf_add_c(out, "\r\n");
}

/* After the handler (and its job): the news, then the tagged reply. */
static void
finish_command(struct imap_session *s)
{
	say_reply(s);
	if (s->view.mb)
		imap_view_let_go(&s->view);
	buf_reset(&s->reply);
	imap_compress_begin(s);
	pool_fini(&s->pool);
	s->cmd = NULL;
	s->uid = false;
	s->numbers = false;
	s->says_modseq = false;
	s->typed = STR_NULL;
	if (s->stage != STAGE_END)
		s->stage = s->state == IMAP_LOGOUT ? STAGE_END : STAGE_READY;
	imap_collect_reset(&s->in);
	imap_user_work(s->user);
}

static bool
sync_may_expunge(const struct imap_session *s)
{
	return !s->cmd || (s->uid && !s->numbers) ||
	       !(s->cmd->flags & CMD_NO_EXPUNGE);
}

/* True: done; the stage is another one. */
static bool
step_sync(struct imap_session *s)
{
	bool quiet = !s->view.mb || (s->cmd && s->cmd->flags & CMD_NO_SYNC);

	if (!quiet && !imap_view_sync(s, sync_may_expunge(s)))
		return false;
	if (s->stage == STAGE_SYNC)
		finish_command(s);
	return true;
}

static bool
read_tag(struct imap_in *in, struct str *tag)
{
	const char *start = in->p;

	/* RFC 3501 9: any ASTRING-CHAR except "+" */
	while (in->p < in->end && (unsigned char)*in->p > ' ' &&
	       (unsigned char)*in->p < 0x7f && !strchr("(){%*\"\\+", *in->p))
		in->p++;
	*tag = str_mem(start, (size_t)(in->p - start));
	return tag->n > 0 && tag->n <= IMAP_TAG_MAX;
}

/* The verb and its arguments, found in the table and allowed now. */
static bool
find_command(struct imap_session *s, struct imap_in *in)
{
	struct str verb;

	if (!imap_space(in) || !imap_atom(in, &verb)) {
		imap_reply(s, "BAD Command expected");
		return false;
	}
	if (str_ieq(verb, STR("UID"))) {
		s->uid = true;
		if (!imap_space(in) || !imap_atom(in, &verb)) {
			imap_reply(s, "BAD Command expected");
			return false;
		}
	}
	s->cmd = imap_command_find(verb);
	if (!s->cmd || (s->uid && !(s->cmd->flags & CMD_UID))) {
		imap_reply(s, "BAD Unknown command");
		return false;
	}
	if (s->cmd->flags & CMD_NEEDS_BOX && s->state != IMAP_SELECTED) {
		imap_reply(s, "BAD No mailbox selected");
		return false;
	}
	if (s->cmd->flags & CMD_NEEDS_RW && s->view.readonly) {
		imap_reply(s, "NO [READ-ONLY] Mailbox is read-only");
		return false;
	}
	return true;
}

static bool
begin_command(struct imap_session *s, struct imap_in *in)
{
	struct str tag;

	*in = (struct imap_in){ .p = s->in.text.p,
				.end = s->in.text.p + s->in.text.n,
				.pool = &s->pool };
	s->cmd = NULL;
	s->uid = false;
	if (s->view.mb)
		imap_view_hold(&s->view);
	*s->tag = '\0';
	s->stage = STAGE_SYNC;
	if (s->in.text.n == 0 || !read_tag(in, &tag)) {
		imap_reply(s, "BAD Tag expected");
		return false;
	}
	(void)!str_copy(s->tag, sizeof(s->tag), tag);
	return find_command(s, in);
}

static void
run_command(struct imap_session *s)
{
	struct imap_in in;

	if (begin_command(s, &in))
		s->cmd->run(s, &in);
}

/* A line that is no command, or too much of one. */
static void
refuse(struct imap_session *s, enum imap_collected what)
{
	struct imap_in in;

	if (!begin_command(s, &in) && !*s->tag && what != COLLECT_BARE &&
	    what != COLLECT_TOO_LONG)
		return;
	if (what == COLLECT_LITERAL)
		imap_reply(s, "NO [TOOBIG] Literal is too large");
	else if (what == COLLECT_TOO_LONG)
		imap_reply(s, "BAD Line is too long");
	else
		imap_reply(s, "BAD A line ends with CR LF");
}

static bool
is_done_word(const struct imap_session *s)
{
	return str_ieq(buf_str(&s->in.text), STR("DONE"));
}

/* Whatever it is that the client has said. */
static void
end_idle(struct imap_session *s, enum imap_collected what)
{
	if (what == COLLECT_COMMAND && is_done_word(s)) /* RFC 2177 */
		imap_reply(s, "OK Idle completed");
	else
		imap_reply(s, "BAD DONE expected");
	s->stage = STAGE_SYNC;
}

/* --- the pump --------------------------------------------------------------
 */

/* Take in what was read; false: nothing more to do now. */
static bool
step_input(struct imap_session *s)
{
	struct str in = imap_input(s);
	enum imap_collected what;
	struct imap_in args;
	size_t used;

	if (in.n == 0)
		return false;
	what = imap_collect(&s->in, in, &used);
	imap_consume(s, used);
	s->bytes_in += used;
	switch (what) {
	case COLLECT_MORE:
		return imap_has_input(s);
	case COLLECT_CONTINUE:
		buf_add_c(imap_out(s), "+ OK\r\n");
		return true;
	case COLLECT_COMMAND:
		if (s->stage == STAGE_IDLE)
			end_idle(s, what);
		else
			run_command(s);
		return true;
	case COLLECT_APPEND:
		if (s->stage == STAGE_IDLE) {
			imap_bye(s, "DONE expected");
			return true;
		}
		if (begin_command(s, &args))
			imap_append_start(s, &args);
		else if (s->in.nonsync)
			imap_bye(s, "Unexpected literal");
		return true;
	case COLLECT_HOPELESS:
		imap_bye(s, "Too much input");
		return true;
	default:
		if (s->stage == STAGE_IDLE)
			end_idle(s, what);
		else
			refuse(s, what);
		return true;
	}
}

static void
step_idle(struct imap_session *s)
{
	if (!s->news && s->view.phase == 0)
		return;
	if (!s->view.mb)
		return;
	(void)!imap_view_sync(s, true);
	imap_user_work(s->user); /* new mail was taken */
}

/* One step; false: wait for input or output. */
static bool
step(struct imap_session *s)
{
	switch (s->stage) {
	case STAGE_JOB:
		if (s->step(s) == IMAP_DONE) {
			end_job(s);
			if (s->stage == STAGE_JOB)
				s->stage = STAGE_SYNC;
		}
		return true;
	case STAGE_SYNC:
		return step_sync(s);
	case STAGE_IDLE:
		step_idle(s);
		return step_input(s);
	case STAGE_READY:
		return step_input(s);
	case STAGE_APPEND:
		if (imap_input(s).n == 0)
			return false;
		imap_append_input(s);
		return true;
	case STAGE_END:
		break;
	}
	return false;
}

static void
say_goodbye(struct imap_session *s)
{
	struct conn *c = s->conn;

	s->conn = NULL;
	imap_session_log_end(s, s->why ? s->why : "Logged out");
	conn_close_drained(c, BYE_MS);
	imap_session_free(s);
}

static void
pump(struct imap_session *s)
{
	uint64_t until = clock_mono_ms() + TURN_MS;
	size_t before = imap_unsent(s);

	while (!imap_full(s) && step(s)) {
		if (clock_mono_ms() >= until) {
			imap_wake(s);
			break;
		}
	}
	s->bytes_out += imap_unsent(s) - before;
	imap_flush(s);
	if (s->stage == STAGE_END)
		say_goodbye(s);
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct imap_session *s = arg;
	struct timeval again = { STILL_HERE_MS / 1000, 0 };
	uint64_t now = clock_mono_ms();

	(void)fd;
	(void)what;
	if (s->stage == STAGE_IDLE) {
		if (now - s->idle_said_ms >= STILL_HERE_MS) {
			s->idle_said_ms = now;
			buf_add_c(imap_out(s), "* OK Still here\r\n");
		}
		evtimer_add(s->wake, &again);
	}
	pump(s);
}

static void
on_input(struct conn *c, void *arg)
{
	struct imap_session *s = arg;

	conn_deadline(c, s->user->timeout_ms);
	pump(s);
}

static void
on_drained(struct conn *c, void *arg)
{
	struct imap_session *s = arg;

	/* Who reads an answer for half an hour is not idle. */
	if (s->stage == STAGE_JOB || s->stage == STAGE_SYNC)
		conn_deadline(c, s->user->timeout_ms);
	/* In the next turn, so that the others have theirs. */
	if (s->stage != STAGE_READY || imap_has_input(s))
		imap_wake(s);
}

/* Outside the pump.  A job may be in the middle of a literal, whose last bytes
 * this must not become. */
static void
say_at_once(struct imap_session *s, const char *text)
{
	if (s->stage == STAGE_JOB)
		return;
	buf_add_c(imap_out(s), text);
	imap_flush(s);
}

static void
on_end(struct conn *c, void *arg, enum conn_end why)
{
	static const char *const reasons[] = {
		[CONN_EOF] = "Connection closed",
		[CONN_ERROR] = "Connection lost",
		[CONN_DEADLINE] = "Inactivity",
		[CONN_STUCK] = "Client does not read",
	};
	struct imap_session *s = arg;

	(void)c;
	if (why == CONN_DEADLINE) /* RFC 3501 5.4 */
		say_at_once(s, "* BYE Autologout; idle for too long\r\n");
	imap_session_log_end(s, reasons[why]);
	imap_session_free(s);
}

static const struct conn_ops ops = {
	.on_input = on_input,
	.on_drained = on_drained,
	.on_end = on_end,
};

/* --- life ------------------------------------------------------------------
 */

void
imap_shut_down(struct imap_session *s)
{
	say_at_once(s, "* BYE Server is shutting down\r\n");
	imap_session_log_end(s, "Shutting down");
	imap_session_free(s);
}

static void
greet(struct imap_session *s, struct str tag)
{
	if (tag.n)
		conn_writef(s->conn, "%.*s OK", STR_FMT(tag));
	else
		conn_writef(s->conn, "* PREAUTH");
	buf_add_c(imap_out(s), " [CAPABILITY ");
	imap_put_capabilities(s, imap_out(s));
	buf_addf(imap_out(s), "] %s\r\n", tag.n ? "Logged in" : "Ready");
}

struct imap_session *
imap_session_new(struct imap_user *u, int fd, struct str tag,
		 struct str pending, struct str client)
{
	struct imap_session *s = calloc(1, sizeof(*s));

	if (!s) {
		close(fd);
		return NULL;
	}
	s->user = u;
	s->stage = STAGE_READY;
	list_init(&s->link);
	imap_collect_init(&s->in);
	pool_init(&s->pool, IMAP_POOL_MAX);
	buf_init(&s->reply, IMAP_REPLY_MAX);
	(void)!str_copy(s->client, sizeof(s->client), client);
	s->wake = evtimer_new(u->loop.base, on_wake, s);
	s->conn =
		conn_new(&u->loop, fd, IMAP_IN_LIMIT, IMAP_OUT_LIMIT, &ops, s);
	list_append(&u->sessions, &s->link);
	u->nsessions++;
	if (!s->conn || !s->wake ||
	    (pending.n && conn_preload(s->conn, pending) < 0)) {
		imap_session_free(s);
		return NULL;
	}
	conn_deadline(s->conn, u->timeout_ms);
	greet(s, tag);
	s->bytes_out = conn_unsent(s->conn);
	return s;
}

void
imap_session_free(struct imap_session *s)
{
	struct imap_user *u = s->user;

	end_job(s);
	imap_append_cancel(s);
	imap_cache_clear(s);
	imap_view_close(s);
	imap_compress_free(s);
	if (s->conn)
		conn_close(s->conn);
	if (s->wake)
		event_free(s->wake);
	imap_collect_fini(&s->in);
	pool_fini(&s->pool);
	buf_fini(&s->reply);
	list_remove(&s->link);
	u->nsessions--;
	free(s);
	imap_user_session_gone(u);
}
