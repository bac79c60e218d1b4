/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "mail/reply.h"
#include "net/line.h"
#include "receive/commands.h"
#include "receive/qmgr_client.h"
#include "receive/tls.h"
#include "receive/worker.h"

enum {
	IN_LIMIT = 64 * 1024,
	OUT_LIMIT = 64 * 1024,
	LOCAL_OUT_LIMIT = 16 * 1024 * 1024, /* the queue, as a list */
	HELD_LIMIT = 8 * 1024,
	CLOSE_MS = 5000,
	/* For qmgr: below the ten minutes a client waits (RFC 5321
	 * 4.5.3.2.6). */
	COMMIT_MS = 9 * 60 * 1000,
	/* A text above its limit is read to its end, but not for ever. */
	EXCESS_MAX = 1024 * 1024,
};

const char *const session_state_names[SESSION_STATES] = {
	[SESSION_START] = "START", [SESSION_READY] = "READY",
	[SESSION_MAIL] = "MAIL",   [SESSION_RCPT] = "RCPT",
	[SESSION_DATA] = "DATA",   [SESSION_COMMIT] = "COMMIT",
	[SESSION_AUTH] = "AUTH",   [SESSION_TLS] = "TLS",
};

/* --- replies -------------------------------------------------------------- */

struct reply
reply_now(unsigned code, const char *dsn, const char *text)
{
	return (struct reply){ .kind = REPLY_NOW,
			       .code = (uint16_t)code,
			       .dsn = dsn,
			       .text = text };
}

struct reply
reply_nowf(struct session *s, unsigned code, const char *dsn, const char *fmt,
	   ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->w->text, sizeof(s->w->text), fmt, ap);
	va_end(ap);
	return reply_now(code, dsn, s->w->text);
}

struct reply
reply_later(void)
{
	return (struct reply){ .kind = REPLY_LATER };
}

struct reply
reply_log(struct reply r)
{
	r.log = true;
	return r;
}

struct reply
reply_close(struct reply r)
{
	r.then = REPLY_CLOSE;
	return r;
}

/* --- states and the log --------------------------------------------------- */

void
session_enter(struct session *s, enum session_state state)
{
	log_debug("%s: %s -> %s", s->who, session_state_names[s->state],
		  session_state_names[state]);
	s->state = state;
}

void
session_reset(struct session *s)
{
	qmgr_abort(s);
	txn_reset(&s->txn);
	if (s->state != SESSION_START)
		session_enter(s, s->helo[0] ? SESSION_READY : SESSION_START);
}

unsigned
session_offers(const struct session *s)
{
	const struct receive_conf *c = &s->w->conf;
	unsigned offers = s->esmtp ? s->w->r->offers : 0;

	if (c->ehlo & EHLO_NO_DSN)
		offers &= ~(unsigned)SMTP_OFFER_DSN;
	if (c->ehlo & EHLO_NO_UTF8)
		offers &= ~(unsigned)SMTP_OFFER_UTF8;
	return offers | (c->strict_envelopes ? SMTP_OFFER_STRICT : 0);
}

bool
session_may_send(const struct session *s)
{
	return s->trusted || s->login.user[0];
}

void
session_forget(struct session *s)
{
	session_reset(s);
	s->helo[0] = '\0';
	s->esmtp = false;
	s->login.user[0] = '\0';
	session_enter(s, SESSION_START);
}

/* Where the session stands, in Postfix's words. */
static const char *
where(const struct session *s)
{
	if (!s->greeted)
		return "CONNECT";
	if (s->state == SESSION_COMMIT)
		return "END-OF-MESSAGE";
	return smtp_verb_names[s->verb];
}

void
session_log_reject(const struct session *s, const struct reply *r)
{
	bool rcpt = s->verb == SMTP_RCPT;

	log_line(LOG_INFO_, "NOQUEUE",
		 "reject: %s from %s: %u %s %s; from=<%s>%s%s%s proto=%s%s%s%s",
		 where(s), s->who, r->code, r->dsn ? r->dsn : "",
		 LOGQ(str_of(r->text)), s->txn.sender.text, rcpt ? " to=<" : "",
		 rcpt ? s->rcpt.rcpt.text : "", rcpt ? ">" : "",
		 s->esmtp ? "ESMTP" : "SMTP", s->helo[0] ? " helo=<" : "",
		 s->helo, s->helo[0] ? ">" : "");
}

/* "disconnect from unknown[1.2.3.4] ehlo=1 mail=1 rcpt=0/1 commands=2/3" */
static void
log_disconnect(const struct session *s)
{
	uint32_t all = 0, good = 0;
	char text[400], name[16];
	size_t n = 0, i, k;

	text[0] = '\0';
	for (i = 0; i < SMTP_VERBS; i++) {
		if (s->all[i] == 0)
			continue;
		all += s->all[i];
		good += s->good[i];
		for (k = 0; smtp_verb_names[i][k] && k < sizeof(name) - 1; k++)
			name[k] = ascii_lower(smtp_verb_names[i][k]);
		name[k] = '\0';
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      s->good[i] == s->all[i] ? " %s=%u"
							      : " %s=%u/%u",
				      name, s->good[i], s->all[i]);
	}
	if (good == all)
		log_info("disconnect from %s%s commands=%u", s->who, text, all);
	else
		log_info("disconnect from %s%s commands=%u/%u", s->who, text,
			 good, all);
}

/* --- time ----------------------------------------------------------------- */

static void
set_deadline(struct session *s, unsigned ms)
{
	s->deadline = clock_mono_ms() + ms;
	conn_deadline(s->conn, ms);
}

void
session_progress(struct session *s)
{
	set_deadline(s, s->w->conf.timeout_ms);
}

/* n bytes of text came: they buy time, up to the timeout. */
static void
extend_deadline(struct session *s, size_t n)
{
	uint64_t now = clock_mono_ms(), left;

	left = s->deadline > now ? s->deadline - now : 0;
	left += (uint64_t)n * 1000 / s->w->conf.data_rate;
	if (left > s->w->conf.timeout_ms)
		left = s->w->conf.timeout_ms;
	set_deadline(s, left ? (unsigned)left : 1);
}

/* --- the end -------------------------------------------------------------- */

void
session_free(struct session *s)
{
	if (s->tag)
		asker_cancel(s->asked, s->tag);
	s->tag = 0;
	if (s->tls_tag)
		tls_client_cancel(s->w->tls, s->tls_tag);
	s->tls_tag = 0;
	sasl_abandon(&s->login.sasl);
	qmgr_abort(s);
	if (s->delay)
		event_free(s->delay);
	s->delay = NULL;
	if (s->conn)
		conn_close(s->conn);
	s->conn = NULL;
	free(s->tls);
	s->tls = NULL;
	txn_reset(&s->txn);
	buf_fini(&s->held);
	list_remove(&s->link);
	worker_session_ended(s->w, s);
}

/* Close once the replies are out. */
static void
finish(struct session *s)
{
	log_disconnect(s);
	if (s->conn)
		conn_close_drained(s->conn, CLOSE_MS);
	s->conn = NULL;
	session_free(s);
}

void
session_shutdown(struct session *s)
{
	if (s->state == SESSION_COMMIT)
		return;
	if (s->conn)
		(void)!conn_writef(
			s->conn,
			"421 4.3.2 %.*s Service closing, try again\r\n",
			STR_FMT(s->w->conf.hostname));
	finish(s);
}

void
session_lost(struct session *s)
{
	log_info("lost connection after %s from %s", where(s), s->who);
	log_disconnect(s);
	session_free(s);
}

static void
on_end(struct conn *c, void *arg, enum conn_end why)
{
	struct session *s = arg;
	const char *what = why == CONN_DEADLINE ? "timeout" : "lost connection";

	if (s->state == SESSION_DATA)
		log_info("%s after DATA (%llu bytes) from %s", what,
			 (unsigned long long)s->txn.scan.size, s->who);
	else
		log_info("%s after %s from %s", what, where(s), s->who);
	if (why == CONN_DEADLINE) /* RFC 5321 4.5.3.2, 3.8 */
		(void)!conn_writef(c,
				   "421 4.4.2 %.*s Error: timeout exceeded\r\n",
				   STR_FMT(s->w->conf.hostname));
	log_disconnect(s);
	session_free(s);
}

/* --- sending -------------------------------------------------------------- */

/* The reply is in the output.  False: the session is no more. */
static bool
go_on(struct session *s, enum reply_then then)
{
	if (then == REPLY_CLOSE) {
		finish(s);
		return false;
	}
	if (then == REPLY_TLS)
		return tls_begin(s);
	session_progress(s);
	return true;
}

static void
on_delay(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	(void)!conn_write(s->conn, buf_str(&s->held));
	buf_reset(&s->held);
	s->pending = false;
	if (go_on(s, s->held_then))
		session_input(s);
}

/* The reply waits in s->held: later.  -1: no timer to be had. */
static int
hold_back(struct session *s, enum reply_then then, unsigned ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (!s->delay)
		s->delay = evtimer_new(s->w->d->loop.base, on_delay, s);
	if (!s->delay)
		return -1;
	evtimer_add(s->delay, &tv);
	s->held_then = then;
	s->pending = true;
	set_deadline(s, ms + s->w->conf.timeout_ms);
	return 0;
}

static void
count_reply(struct session *s, const struct reply *r)
{
	if (r->code >= 400)
		s->errors += !s->local; /* a list has many old addresses */
	/* DATA counts when it is stored, STARTTLS when TLS is up. */
	else if (r->code != 354 && r->then != REPLY_TLS)
		s->good[s->verb]++;
}

/* soft_bounce: try again later; but not with the same password. */
void
session_soften(struct session *s, struct reply *r)
{
	if (!s->w->conf.soft_bounce || r->code < 500 || r->code == 535)
		return;
	r->code -= 100;
	if (r->dsn && r->dsn[0] == '5') {
		snprintf(s->soft_dsn, sizeof(s->soft_dsn), "4%s", r->dsn + 1);
		r->dsn = s->soft_dsn;
	}
}

/* Send a reply; false: that was the end of the session. */
static bool
send_reply(struct session *s, struct reply r)
{
	const struct receive_conf *c = &s->w->conf;
	struct buf *out;
	unsigned late = r.late_ms;

	session_soften(s, &r);
	count_reply(s, &r);
	if (r.log)
		session_log_reject(s, &r);
	if (s->errors > c->soft_errors && late < c->sleep_ms)
		late = c->sleep_ms;
	out = late ? &s->held : conn_out(s->conn);
	(void)!reply_format(out, r.code, r.dsn, str_of(r.text));
	if (s->errors >= c->hard_errors && r.then != REPLY_CLOSE) {
		log_info("too many errors after %s from %s", where(s), s->who);
		reply_format(out, 421, "4.7.0",
			     str_of(reply_nowf(s, 421, "4.7.0",
					       "%.*s Error: too many errors",
					       STR_FMT(c->hostname))
					    .text));
		r.then = REPLY_CLOSE;
	}
	if (late && hold_back(s, r.then, late) == 0)
		return true;
	return go_on(s, r.then);
}

void
session_answer(struct session *s, struct reply r)
{
	s->pending = false;
	if (send_reply(s, r))
		session_input(s);
}

void
session_challenge(struct session *s, struct str challenge)
{
	/* Not through reply_format(): this is not for a person, and may be
	 * longer than a line of text. */
	(void)!conn_writef(s->conn, "334 %.*s\r\n", STR_FMT(challenge));
	s->pending = false;
	session_progress(s);
	session_input(s);
}

/* --- input ---------------------------------------------------------------- */

enum step {
	STEP_AGAIN,
	STEP_WAIT, /* for more input, or for somebody's answer */
	STEP_GONE, /* the session is no more */
};

static enum step
after_reply(struct session *s, struct reply r)
{
	if (r.kind == REPLY_NOW)
		return send_reply(s, r) ? STEP_AGAIN : STEP_GONE;
	s->pending = true;
	if (s->state == SESSION_COMMIT)
		set_deadline(s, COMMIT_MS);
	return STEP_WAIT;
}

static struct reply
refuse_bare(struct session *s, char c)
{
	/* What stands behind it may be meant to look like commands to us
	 * alone: there is no safe way to go on. */
	return reply_close(reply_nowf(
		s, 521, "5.5.2", "%.*s Error: bare <%s> received",
		STR_FMT(s->w->conf.hostname), c == '\n' ? "LF" : "CR"));
}

/* Done with n bytes of commands; a password may be among them. */
static void
consume(struct session *s, size_t n)
{
	if (s->w->r->auth)
		explicit_bzero((void *)(uintptr_t)conn_input(s->conn).p, n);
	conn_consume(s->conn, n);
}

/* A line that is none: also the end of an exchange that waited for one. */
static struct reply
refuse_line(struct session *s, const char *dsn, const char *text)
{
	if (s->state == SESSION_AUTH) {
		sasl_abandon(&s->login.sasl);
		session_enter(s, SESSION_READY);
	}
	return reply_now(500, dsn, text);
}

/* Inside a command that is too long, of which nothing is kept. */
static enum step
skip_line(struct session *s, struct str in)
{
	ptrdiff_t lf = str_find(in, '\n');
	size_t n = lf < 0 ? in.n : (size_t)lf;
	bool bare;

	if (lf < 0 && in.p[in.n - 1] == '\r')
		n--;
	if (lf < 0) {
		consume(s, n);
		return STEP_WAIT;
	}
	s->skipping = false;
	bare = n == 0 || in.p[n - 1] != '\r';
	consume(s, n + 1); /* what in pointed at is gone */
	if (bare)
		return after_reply(s, refuse_bare(s, '\n'));
	return after_reply(
		s, refuse_line(s, s->state == SESSION_AUTH ? "5.5.6" : "5.5.2",
			       "Error: line too long"));
}

/* RFC 2920 3.1: the client did not wait where it has to. */
static bool
is_improper_pipelining(struct session *s, enum smtp_verb verb, struct str rest)
{
	if (rest.n == 0 || !(commands[verb].flags & COMMAND_LAST))
		return false;
	if (!s->pipelined)
		log_info("improper command pipelining after %s from %s: %s",
			 smtp_verb_names[verb], s->who,
			 s->w->r->auth ? "(hidden)"
				       : LOGQ(str_head(rest, 100)));
	s->pipelined = true;
	return s->w->conf.forbid_pipelining && !s->local;
}

static enum step
run_line(struct session *s, struct str line, size_t used)
{
	struct str rest = str_from(conn_input(s->conn), used);
	struct smtp_line l;
	struct reply r;

	smtpline_parse(line, &l);
	s->verb = l.verb;
	s->all[s->verb]++;
	s->greeted = true;
	if (is_improper_pipelining(s, l.verb, rest))
		r = reply_close(reply_now(
			554, "5.5.0", "Error: SMTP protocol synchronization"));
	else
		r = command_run(s, &l);
	consume(s, used); /* line is gone from here on */
	return after_reply(s, r);
}

static enum step
run_response(struct session *s, struct str line, size_t used)
{
	struct reply r = s->w->r->response(s, line);

	consume(s, used);
	return after_reply(s, r);
}

/* RFC 4954 4.4 and 12: responses, and AUTH with one, may be longer. */
static size_t
line_max(const struct session *s, struct str in)
{
	enum { AUTH_LINE_MAX = 12288 };
	size_t max = s->w->conf.command_line;

	if (max < AUTH_LINE_MAX &&
	    (s->state == SESSION_AUTH ||
	     (s->w->r->auth && str_istarts(in, STR("AUTH ")))))
		return AUTH_LINE_MAX;
	return max;
}

static enum step
step_command(struct session *s, struct str in)
{
	struct str line;
	size_t used;
	char bare;

	if (s->skipping)
		return skip_line(s, in);
	switch (line_get(in, line_max(s, in), &line, &used)) {
	case LINE_OK:
		return s->state == SESSION_AUTH ? run_response(s, line, used)
						: run_line(s, line, used);
	case LINE_MORE:
		return STEP_WAIT;
	case LINE_TOO_LONG:
		s->skipping = true;
		return STEP_AGAIN;
	case LINE_BARE:
		bare = in.p[used - 1];
		consume(s, used);
		return after_reply(s, refuse_bare(s, bare));
	case LINE_NUL:
		break;
	}
	consume(s, used);
	return after_reply(s, refuse_line(s, "5.5.2", "Error: NUL received"));
}

static enum step
step_data(struct session *s, struct str in)
{
	const struct receive_conf *c = &s->w->conf;
	struct txn *t = &s->txn;
	size_t used;

	if (txn_is_full(t))
		return STEP_WAIT; /* until the pipe has taken some */
	used = txn_take(t, c, in);
	conn_consume(s->conn, used);
	if (t->scan.done)
		return after_reply(s, data_end(s));
	if (c->message_size &&
	    t->scan.size + t->scan.line > 2 * c->message_size + EXCESS_MAX)
		return after_reply(s, reply_close(data_refused(s)));
	if (t->stream == STREAM_NONE && t->split && !t->fault.code &&
	    t->text.n > COMMIT_INLINE_MAX)
		qmgr_stream(s);
	if (t->stream == STREAM_OPEN)
		qmgr_push(s);
	extend_deadline(s, used);
	return STEP_AGAIN;
}

void
session_input(struct session *s)
{
	enum step step = STEP_AGAIN;
	struct str in;

	if (s->busy)
		return;
	s->busy = true;
	while (step == STEP_AGAIN && !s->pending) {
		in = conn_input(s->conn);
		if (in.n == 0)
			break;
		step = s->state == SESSION_DATA ? step_data(s, in)
						: step_command(s, in);
	}
	if (step != STEP_GONE)
		s->busy = false;
}

static void
on_input(struct conn *c, void *arg)
{
	(void)c;
	session_input(arg);
}

static const struct conn_ops session_conn_ops = {
	.on_input = on_input,
	.on_end = on_end,
};

/* --- the beginning -------------------------------------------------------- */

static struct session *
alloc(struct worker *w)
{
	struct session *s;

	if (!list_empty(&w->spare)) {
		s = LIST_OF(w->spare.next, struct session, link);
		list_remove(&s->link);
		w->nspare--;
	} else {
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		list_init(&s->link);
		txn_init(&s->txn);
	}
	s->w = w;
	s->state = SESSION_START;
	buf_init(&s->held, HELD_LIMIT);
	return s;
}

/* The stream on which SMTP is spoken; takes fd. */
static int
open_conn(struct session *s, int fd)
{
	s->conn = conn_new(&s->w->d->loop, fd, IN_LIMIT,
			   s->local ? LOCAL_OUT_LIMIT : OUT_LIMIT,
			   &session_conn_ops, s);
	return s->conn ? 0 : -1;
}

static void
greet(struct session *s)
{
	(void)!reply_format(conn_out(s->conn), 220, NULL, s->w->conf.banner);
	session_progress(s);
}

/* Takes fd. */
static struct session *
begin(struct session *s, int fd, bool tls)
{
	log_info("connect from %s", s->who);
	if ((tls ? tls_begin_fd(s, fd) : open_conn(s, fd)) < 0) {
		txn_fini(&s->txn);
		free(s);
		return NULL;
	}
	if (!tls)
		greet(s);
	return s;
}

struct session *
session_new(struct worker *w, int fd, const struct addr *peer, bool tls)
{
	struct session *s = alloc(w);

	if (!s) {
		close(fd);
		return NULL;
	}
	s->peer = *peer;
	s->trusted = nets_have(&w->conf.trusted, peer);
	addr_text(peer, s->ip);
	snprintf(s->who, sizeof(s->who), "unknown[%s]", s->ip);
	return begin(s, fd, tls);
}

struct session *
session_new_local(struct worker *w, int fd, uint32_t uid)
{
	struct session *s = alloc(w);

	if (!s) {
		close(fd);
		return NULL;
	}
	s->local = s->trusted = true;
	s->uid = uid;
	snprintf(s->who, sizeof(s->who), "local[uid=%u]", uid);
	return begin(s, fd, false);
}

void
session_tls_up(struct session *s, int fd)
{
	if (open_conn(s, fd) < 0) {
		session_lost(s);
		return;
	}
	session_enter(s, SESSION_START);
	s->pending = false;
	if (s->greeted) {
		s->good[SMTP_STARTTLS]++;
		session_progress(s);
	} else {
		greet(s); /* TLS from the first byte */
	}
}
