/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/log.h"
#include "mail/smtpline.h"
#include "mail/utf8.h"
#include "mail/xtext.h"
#include "session_impl.h"

enum {
	AHEAD = 16 * 1024,	   /* commands that wait for the socket */
	RCPT_PHASE_MS = 10 * 1000, /* in the time of all commands, each */
};

enum command { COMMAND_RSET, COMMAND_MAIL, COMMAND_RCPT, COMMAND_DATA };

static uint32_t
total(const struct txn *t)
{
	return t->rset + 1 + t->n + !t->bdat;
}

/* What command number k is; *r: which recipient. */
static enum command
command_at(const struct txn *t, uint32_t k, uint32_t *r)
{
	k += !t->rset;
	*r = 0;
	if (k < 2)
		return k ? COMMAND_MAIL : COMMAND_RSET;
	*r = k - 2;
	return *r < t->n ? COMMAND_RCPT : COMMAND_DATA;
}

static enum command
awaited(const struct txn *t, uint32_t *r)
{
	return command_at(t, t->got, r);
}

static struct letter_server
server_of(struct session *s)
{
	return (struct letter_server){ s->plan.relay, s->plan.host };
}

/* --- results ---------------------------------------------------------------
 */

static void
set_result(struct session *s, struct txn_rcpt *r, const struct fault *f)
{
	struct letter_server at = server_of(s);

	r->state = TXN_RCPT_DONE;
	if (f->class == DELIVER_TEMP || f->elsewhere)
		letter_note(s->txn.l, r->i, &at, f);
	else
		letter_settle(s->txn.l, r->i, &at, f,
			      f->class == DELIVER_OK &&
				      s->offers & SESSION_DSN);
}

void
mail_result(struct session *s, uint32_t r, const struct fault *f)
{
	set_result(s, &s->txn.v[r], f);
}

void
mail_fail(struct session *s, const struct fault *f)
{
	struct txn *t = &s->txn;
	uint32_t i;

	for (i = 0; i < t->n; i++)
		if (t->v[i].state == TXN_RCPT_SENT ||
		    t->v[i].state == TXN_RCPT_TAKEN)
			set_result(s, &t->v[i], f);
	t->failed = true;
}

const char *
mail_doing(const struct session *s)
{
	static const char *const words[] = {
		[COMMAND_RSET] = "sending RSET",
		[COMMAND_MAIL] = "sending MAIL FROM",
		[COMMAND_RCPT] = "sending RCPT TO",
		[COMMAND_DATA] = "sending DATA command",
	};
	const struct txn *t = &s->txn;
	uint32_t r;

	if (t->text_sent)
		return "sending end of data -- message may be sent more than "
		       "once";
	if (t->got < t->sent)
		return words[awaited(t, &r)];
	return t->texting ? "sending message body" : "sending MAIL FROM";
}

static void
expect(struct session *s)
{
	const struct settings *set = s->plan.set;
	const struct txn *t = &s->txn;
	unsigned ms = set->data_done_ms;
	uint32_t r;

	if (t->got < t->sent) {
		switch (awaited(t, &r)) {
		case COMMAND_RSET:
			ms = set->rset_ms;
			break;
		case COMMAND_MAIL:
			ms = set->mail_ms;
			break;
		case COMMAND_RCPT:
			ms = set->rcpt_ms;
			break;
		case COMMAND_DATA:
			ms = set->data_init_ms;
			break;
		}
	} else if (!t->text_sent) {
		ms = set->data_xfer_ms;
	}
	session_expect(s, ms);
}

/* --- commands --------------------------------------------------------------
 */

static void
put_mail(struct session *s, struct buf *b)
{
	const struct letter *l = s->txn.l;

	(void)!buf_addf(b, "MAIL FROM:<%.*s>", STR_FMT(l->sender));
	if (s->offers & SESSION_SIZE)
		(void)!buf_addf(b, " SIZE=%llu",
				(unsigned long long)text_size(l));
	if (s->offers & SESSION_8BITMIME &&
	    (l->flags & COMMIT_8BITMIME || text_bits(l, false) != TEXT_7BIT))
		(void)!buf_add_c(b, " BODY=8BITMIME");
	if (s->txn.utf8)
		(void)!buf_add_c(b, " SMTPUTF8");
	if (!(s->offers & SESSION_DSN))
		return;
	if (l->ret != RET_NONE)
		(void)!buf_add_c(b, l->ret == RET_FULL ? " RET=FULL"
						       : " RET=HDRS");
	if (l->envid.n) {
		(void)!buf_add_c(b, " ENVID=");
		(void)!xtext_encode(b, l->envid);
	}
}

static void
put_rcpt(struct session *s, struct buf *b, const struct msg_send_rcpt *to)
{
	struct str type, address = to->orcpt;

	(void)!buf_addf(b, "RCPT TO:<%.*s>", STR_FMT(to->address));
	if (!(s->offers & SESSION_DSN))
		return;
	smtpline_put_notify(b, to->notify);
	if (str_cut(&address, ';', &type)) {
		(void)!buf_addf(b, " ORCPT=%.*s;", STR_FMT(type));
		if (str_ieq(type, STR("utf-8")))
			(void)!xtext_utf8(b, address, s->txn.utf8, true);
		else
			(void)!xtext_encode(b, address);
	}
}

static void
say(struct session *s, enum command c, uint32_t r)
{
	const struct txn *t = &s->txn;
	size_t at;
	struct buf *b = session_line(s, &at);

	switch (c) {
	case COMMAND_RSET:
		(void)!buf_add_c(b, "RSET");
		break;
	case COMMAND_MAIL:
		put_mail(s, b);
		break;
	case COMMAND_RCPT:
		put_rcpt(s, b, &t->l->rcpts[t->v[r].i].to);
		break;
	case COMMAND_DATA:
		(void)!buf_add_c(b, "DATA");
		break;
	}
	session_line_end(s, at);
}

/* May the next command go now? */
static bool
may_say(const struct session *s)
{
	const struct txn *t = &s->txn;

	return !t->failed && t->sent < total(t) &&
	       (t->sent == t->got || s->offers & SESSION_PIPELINING);
}

bool
mail_has_more(const struct session *s)
{
	const struct txn *t = &s->txn;

	return t->over || may_say(s) || (t->texting && !t->text_sent);
}

static void
push_commands(struct session *s)
{
	struct txn *t = &s->txn;
	enum command c;
	uint32_t r;

	while (may_say(s) && conn_unsent(s->conn) < AHEAD) {
		c = command_at(t, t->sent, &r);
		if (c == COMMAND_DATA && t->got == t->sent && !t->taken) {
			t->failed = true;
			break;
		}
		say(s, c, r);
		t->sent++;
	}
}

/* --- the end of it ---------------------------------------------------------
 */

void
mail_init(struct session *s)
{
	s->txn = (struct txn){ 0 };
	buf_init(&s->txn.chunk, TEXT_CHUNK_MAX);
}

void
mail_fini(struct session *s)
{
	free(s->txn.v);
	text_close(&s->txn.text);
	buf_fini(&s->txn.chunk);
	mail_init(s);
}

/* Those that were too many, if the others went through: the list is made
 * shorter in place.  0: no further transaction. */
static uint32_t
keep_too_many(struct session *s)
{
	struct txn *t = &s->txn;
	uint32_t i, n = 0;

	if (!t->delivered || s->doubt)
		return 0;
	for (i = 0; i < t->n; i++)
		if (t->v[i].state == TXN_RCPT_TOO_MANY)
			t->v[n++] = t->v[i];
	return n;
}

static void start(struct session *s);

static void
finish(struct session *s)
{
	struct txn *t = &s->txn;
	uint32_t n = keep_too_many(s);

	/* RFC 5321 4.1.1.5: after the text nothing is left to forget; RFC
	 * 3030 2: but who knows what is, after a chunk that was refused. */
	if (t->sent)
		s->need_rset = !t->text_sent || (t->bdat && !t->delivered);
	if (n && !conn_input(s->conn).n) {
		text_close(&t->text);
		*t = (struct txn){
			.l = t->l, .v = t->v, .n = n, .chunk = t->chunk
		};
		start(s);
		if (!t->over)
			mail_push(s);
		return;
	}
	mail_fini(s);
	session_txn_done(s, !s->doubt);
}

void
mail_push(struct session *s)
{
	struct txn *t = &s->txn;

	if (!t->over)
		push_commands(s);
	if (!t->over && t->sent == total(t) && !t->failed)
		text_push(s);
	if (s->dead)
		return;
	if (t->over || (t->failed && t->got == t->sent && !t->texting))
		finish(s);
	else
		expect(s);
}

/* --- replies ---------------------------------------------------------------
 */

static void
on_mail(struct session *s)
{
	struct fault f;

	if (s->reply.code / 100 == 2)
		return;
	f = words_said(s, "MAIL FROM command");
	mail_fail(s, &f);
}

/*
 * RFC 5321 4.5.3.1.10: 452 to a recipient after others means "too many"; some
 * say 552, which also means a full mailbox (then with an X.2.2).
 */
static bool
is_too_many(const struct session *s)
{
	const char *dsn = s->reply.dsn;

	return s->txn.taken &&
	       ((s->reply.code == 452 &&
		 (!*dsn || str_eq(str_of(dsn), STR("4.5.3")))) ||
		(s->reply.code == 552 &&
		 (!*dsn || str_eq(str_of(dsn), STR("5.5.3")))));
}

static void
on_rcpt(struct session *s, uint32_t r)
{
	struct txn *t = &s->txn;
	struct fault f;

	if (t->failed)
		return;
	if (s->reply.code / 100 == 2) {
		t->v[r].state = TXN_RCPT_TAKEN;
		t->taken++;
		return;
	}
	f = words_said(s, "RCPT TO command");
	if (!is_too_many(s)) {
		mail_result(s, r, &f);
		return;
	}
	f.class = DELIVER_TEMP;
	f.dsn = STR("4.5.3");
	mail_result(s, r, &f);
	t->v[r].state = TXN_RCPT_TOO_MANY;
}

static void
on_data(struct session *s)
{
	struct txn *t = &s->txn;
	struct fault f;

	if (s->reply.code / 100 == 3) {
		text_start(s);
		return;
	}
	if (s->reply.code / 100 == 2)
		s->doubt = true; /* does it take text or not? */
	f = words_said(s, "DATA command");
	if (f.class == DELIVER_OK)
		f = words_reply(s, true, "host ", " said to DATA");
	if (!t->failed)
		mail_fail(s, &f);
}

static void
on_421(struct session *s)
{
	static const char *const names[] = {
		[COMMAND_RSET] = "RSET command",
		[COMMAND_MAIL] = "MAIL FROM command",
		[COMMAND_RCPT] = "RCPT TO command",
		[COMMAND_DATA] = "DATA command",
	};
	struct txn *t = &s->txn;
	bool stale = s->uses > 1 && !t->answered;
	struct fault f;
	uint32_t r;

	f = words_said(s, t->got < t->sent ? names[awaited(t, &r)]
			  : t->text_sent   ? "end of DATA command"
					   : "message body");
	session_ended(s, stale ? SESSION_STALE : SESSION_LOST, &f);
}

static void
on_command_reply(struct session *s)
{
	struct txn *t = &s->txn;
	uint32_t r;

	switch (awaited(t, &r)) {
	case COMMAND_RSET:
		if (s->reply.code / 100 != 2)
			s->doubt = true;
		break;
	case COMMAND_MAIL:
		on_mail(s);
		break;
	case COMMAND_RCPT:
		on_rcpt(s, r);
		break;
	case COMMAND_DATA:
		on_data(s);
		break;
	}
	t->got++;
}

void
mail_reply(struct session *s)
{
	struct txn *t = &s->txn;

	if (s->reply.code == 421) {
		on_421(s);
		return;
	}
	t->answered = true;
	if (t->got < t->sent)
		on_command_reply(s);
	else if (t->texting)
		text_reply(s);
	else
		session_broken(s, "a reply to nothing");
	if (!s->dead && t->l)
		mail_push(s);
}

/* --- the beginning ---------------------------------------------------------
 */

/* Can a command line hold it as a path? Nothing else should have come here;
 * this is the last place to look. */
static bool
is_path(struct str a)
{
	bool quoted = false, escaped = false;
	size_t i;

	for (i = 0; i < a.n; i++) {
		if ((unsigned char)a.p[i] < ' ' || a.p[i] == 0x7f)
			return false;
		if (escaped)
			escaped = false;
		else if (a.p[i] == '"')
			quoted = !quoted;
		else if (quoted && a.p[i] == '\\')
			escaped = true;
		else if (!quoted &&
			 (a.p[i] == '<' || a.p[i] == '>' || a.p[i] == ' '))
			return false;
	}
	return !quoted;
}

static struct fault
own(struct session *s, const char *dsn, const char *text)
{
	struct fault f;

	f = words_own(s, DELIVER_PERM, dsn, "%s by host %s", text, s->who);
	f.elsewhere = true;
	return f;
}

static const char NO_UTF8[] = "SMTPUTF8 is required, but was not offered";

/* Is there something about the message that this server cannot take?  Then *f
 * says what. */
static bool
is_not_for_it(struct session *s, struct fault *f)
{
	struct txn *t = &s->txn;
	const struct letter *l = t->l;
	const struct text_form form = {
		.bdat = t->bdat,
		.eight_bit = s->offers & SESSION_8BITMIME,
		.max_line = s->plan.set->line_length_limit,
	};
	struct err err;

	if (!is_path(l->sender)) {
		*f = words_own(s, DELIVER_PERM, "5.1.7",
			       "bad sender address syntax");
		return true;
	}
	if (s->size_limit && text_size(l) > s->size_limit) {
		*f = words_own(s, DELIVER_PERM, "5.3.4",
			       "message size %llu exceeds size limit %llu of "
			       "server %s",
			       (unsigned long long)text_size(l),
			       (unsigned long long)s->size_limit, s->who);
		f->elsewhere = true;
		return true;
	}
	if (!utf8_is_ascii(l->sender) ||
	    (l->flags & COMMIT_SMTPUTF8 && text_header_is_8bit(l)))
		t->utf8 = true;
	if (t->utf8 && !(s->offers & SESSION_SMTPUTF8)) {
		*f = own(s, "5.6.7", NO_UTF8);
		return true;
	}
	if (text_open(&t->text, l, &form, &err) == 0)
		return false;
	*f = err.class == ERR_TEMP
		     ? words_own(s, DELIVER_TEMP, "4.3.0", "%s", err.text)
		     : own(s, "5.6.3", err.text);
	return true;
}

/* Leave out recipients that cannot be named to this server. */
static void
check_rcpts(struct session *s)
{
	struct txn *t = &s->txn;
	uint32_t i, n = 0;
	struct fault f;
	struct str a;

	for (i = 0; i < t->n; i++) {
		a = t->l->rcpts[t->v[i].i].to.address;
		if (!is_path(a) || !a.n) {
			f = words_own(s, DELIVER_PERM, "5.1.3",
				      "bad recipient address syntax");
			mail_result(s, i, &f);
		} else if (!utf8_is_ascii(a) &&
			   !(s->offers & SESSION_SMTPUTF8)) {
			f = own(s, "5.6.7", NO_UTF8);
			mail_result(s, i, &f);
		} else {
			t->utf8 |= !utf8_is_ascii(a);
			t->v[n++] = t->v[i];
		}
	}
	t->n = n;
}

/* v and n are set, everything else is as after mail_init(). */
static void
start(struct session *s)
{
	const struct settings *set = s->plan.set;
	struct txn *t = &s->txn;
	struct fault f;
	uint32_t i;

	for (i = 0; i < t->n; i++)
		t->v[i].state = TXN_RCPT_SENT;
	t->rset = s->need_rset;
	t->bdat = text_by_bdat(s);
	check_rcpts(s);
	if (t->n && is_not_for_it(s, &f)) {
		mail_fail(s, &f);
		t->n = 0;
	}
	if (t->n == 0) {
		/* The owner is told in the next turn, not from inside of its
		 * own call. */
		t->over = true;
		session_soon(s);
		return;
	}
	session_phase(s, (uint64_t)set->rset_ms + set->mail_ms + set->rcpt_ms +
				 set->data_init_ms +
				 (uint64_t)t->n * RCPT_PHASE_MS);
}

void
mail_begin(struct session *s, struct letter *l, const uint32_t *rcpts,
	   uint32_t n)
{
	struct txn *t = &s->txn;
	uint32_t i;

	session_enter(s, SESSION_MAIL);
	t->l = l;
	t->v = calloc(n ? n : 1, sizeof(*t->v));
	for (i = 0; t->v && i < n; i++)
		if (!l->rcpts[rcpts[i]].settled)
			t->v[t->n++].i = rcpts[i];
	if (!t->v) {
		t->over = true; /* nobody is told: tried again later */
		session_soon(s);
		return;
	}
	start(s);
	if (!t->over)
		mail_push(s);
}
