/* SPDX-License-Identifier: ISC */
#include "receive/commands.h"
#include "base/log.h"
#include "receive/qmgr_client.h"
#include "receive/tls.h"
#include "receive/worker.h"

/* RFC 5321 4.1.4: HELO and EHLO also end a transaction. */
static void
begin(struct session *s, bool esmtp, struct str name)
{
	session_reset(s);
	s->esmtp = esmtp;
	trace_helo(s->helo, name);
	session_enter(s, SESSION_READY);
}

static struct reply
cmd_helo(struct session *s, struct str args)
{
	if (args.n == 0)
		return reply_now(501, NULL, "Syntax: HELO hostname");
	begin(s, false, args);
	return reply_nowf(s, 250, NULL, "%.*s", STR_FMT(s->w->conf.hostname));
}

/* "\nAUTH PLAIN LOGIN", and for some old programs "\nAUTH=PLAIN LOGIN". */
static void
ehlo_auth(struct session *s, char *to, size_t size)
{
	char mechs[140];

	to[0] = '\0';
	if (!s->w->r->auth || s->local || s->w->conf.ehlo & EHLO_NO_AUTH)
		return;
	s->w->r->mechs(s, mechs, sizeof(mechs));
	if (mechs[0] && s->w->conf.old_auth_line)
		snprintf(to, size, "\nAUTH%s\nAUTH=%s", mechs, mechs + 1);
	else if (mechs[0])
		snprintf(to, size, "\nAUTH%s", mechs);
}

static struct reply
cmd_ehlo(struct session *s, struct str args)
{
	const struct receive_conf *c = &s->w->conf;
	char size[40] = "", auth[300];
	unsigned offers;

	if (args.n == 0)
		return reply_now(501, NULL, "Syntax: EHLO hostname");
	begin(s, true, args);
	if (c->message_size)
		snprintf(size, sizeof(size), " %llu",
			 (unsigned long long)c->message_size);
	offers = session_offers(s);
	ehlo_auth(s, auth, sizeof(auth));
	return reply_nowf(
		s, 250, NULL, "%.*s%s%s%s%s%s%s%s%s%s%s\nHELP",
		STR_FMT(c->hostname),
		c->ehlo & EHLO_NO_PIPELINING ? "" : "\nPIPELINING",
		c->ehlo & EHLO_NO_SIZE ? "" : "\nSIZE",
		c->ehlo & EHLO_NO_SIZE ? "" : size, c->no_vrfy ? "" : "\nVRFY",
		tls_is_offered(s) && !(c->ehlo & EHLO_NO_STARTTLS)
			? "\nSTARTTLS"
			: "",
		auth,
		c->ehlo & EHLO_NO_STATUSCODES ? "" : "\nENHANCEDSTATUSCODES",
		c->ehlo & EHLO_NO_8BITMIME ? "" : "\n8BITMIME",
		offers & SMTP_OFFER_DSN ? "\nDSN" : "",
		offers & SMTP_OFFER_UTF8 ? "\nSMTPUTF8" : "");
}

static struct reply
cmd_rset(struct session *s, struct str args)
{
	if (args.n)
		return reply_now(501, "5.5.4", "Syntax: RSET");
	session_reset(s);
	return reply_now(250, "2.0.0", "Ok");
}

static struct reply
cmd_noop(struct session *s, struct str args)
{
	(void)s;
	(void)args;
	return reply_now(250, "2.0.0", "Ok");
}

static struct reply
cmd_vrfy(struct session *s, struct str args)
{
	if (s->w->conf.no_vrfy)
		return reply_now(502, "5.5.1", "VRFY command is disabled");
	if (args.n == 0)
		return reply_now(501, "5.5.4", "Syntax: VRFY address");
	/* RFC 5321 3.5.3, 7.3: says nothing about who exists. */
	return reply_nowf(s, 252, "2.0.0", "%.*s", STR_FMT(args));
}

static struct reply
cmd_help(struct session *s, struct str args)
{
	(void)args;
	return reply_nowf(s, 214, "2.0.0",
			  "Commands: HELO EHLO%s%s MAIL RCPT DATA RSET NOOP "
			  "VRFY HELP QUIT",
			  s->w->tls && !s->local ? " STARTTLS" : "",
			  s->w->r->auth && !s->local ? " AUTH" : "");
}

/* RFC 4954 */
static struct reply
cmd_auth(struct session *s, struct str args)
{
	if (!s->w->r->auth || s->local || s->w->conf.ehlo & EHLO_NO_AUTH)
		return reply_now(503, "5.5.1",
				 "Error: authentication not enabled");
	return s->w->r->auth(s, args);
}

static struct reply
cmd_quit(struct session *s, struct str args)
{
	(void)s;
	(void)args;
	return reply_close(reply_now(221, "2.0.0", "Bye"));
}

static struct reply
cmd_unknown(struct session *s, struct str args)
{
	(void)s;
	(void)args;
	return reply_now(500, "5.5.2", "Error: command not recognized");
}

enum {
	BEFORE = 1 << SESSION_START,
	READY = 1 << SESSION_READY,
	MAIL = 1 << SESSION_MAIL,
	RCPT = 1 << SESSION_RCPT,
	/* Not the other four: no command is read there. */
	ANY = BEFORE | READY | MAIL | RCPT,
	LAST = COMMAND_LAST,
	JUNK = COMMAND_JUNK,
	PLAIN = COMMAND_PLAIN,
	USER = COMMAND_USER,
};

#define NEED_NOTHING 503, "5.5.1", "Error: not now"
#define NO_MAIL 503, "5.5.1", "Error: MAIL transaction in progress"

const struct command commands[SMTP_VERBS] = {
	[SMTP_HELO] = { cmd_helo, ANY, LAST | JUNK | PLAIN, NEED_NOTHING },
	[SMTP_EHLO] = { cmd_ehlo, ANY, LAST | JUNK | PLAIN, NEED_NOTHING },
	[SMTP_STARTTLS] = { cmd_starttls, BEFORE | READY, LAST | PLAIN,
			    NO_MAIL },
	[SMTP_AUTH] = { cmd_auth, BEFORE | READY, LAST, NO_MAIL },
	/* START: unless smtpd_helo_required, which cmd_mail() looks at. */
	[SMTP_MAIL] = { cmd_mail, BEFORE | READY, USER, 503, "5.5.1",
			"Error: nested MAIL command" },
	[SMTP_RCPT] = { cmd_rcpt, MAIL | RCPT, USER, 503, "5.5.1",
			"Error: need MAIL command" },
	[SMTP_DATA] = { cmd_data, RCPT, LAST | USER, 503, "5.5.1",
			"Error: need RCPT command" },
	[SMTP_RSET] = { cmd_rset, ANY, JUNK, NEED_NOTHING },
	[SMTP_NOOP] = { cmd_noop, ANY, LAST | JUNK | PLAIN, NEED_NOTHING },
	[SMTP_VRFY] = { cmd_vrfy, ANY, LAST | JUNK | USER, NEED_NOTHING },
	[SMTP_HELP] = { cmd_help, ANY, LAST | JUNK, NEED_NOTHING },
	[SMTP_QUIT] = { cmd_quit, ANY, LAST | PLAIN, NEED_NOTHING },
	[SMTP_UNKNOWN] = { cmd_unknown, ANY, PLAIN, NEED_NOTHING },
};

/* GET, POST: a browser was tricked into talking to us. */
static bool
is_forbidden(const struct receive_conf *c, struct str name)
{
	struct str list = c->forbidden, word;

	while (str_token(&list, ", \t", &word))
		if (str_ieq(word, name))
			return true;
	return false;
}

struct reply
command_refuse(struct session *s, enum smtp_syntax r, struct str bad,
	       const struct refusal *words)
{
	switch (r) {
	case SMTP_SYNTAX_FORM:
		return reply_now(501, "5.5.4", words->form);
	case SMTP_SYNTAX_ASCII: /* RFC 6531 3.5 */
		return reply_now(553, "5.6.7",
				 "Must declare SMTPUTF8 to send unicode "
				 "address");
	case SMTP_SYNTAX_UNSUPPORTED: /* RFC 5321 4.1.1.11 */
		return reply_nowf(s, 555, "5.5.4", "Unsupported option: %.*s",
				  STR_FMT(str_head(bad, 200)));
	case SMTP_SYNTAX_PARAM:
		return reply_nowf(s, 501, "5.5.4", "Bad parameter: %.*s",
				  STR_FMT(str_head(bad, 200)));
	default:
		return reply_now(501, words->dsn, words->path);
	}
}

struct reply
command_run(struct session *s, const struct smtp_line *line)
{
	const struct receive_conf *c = &s->w->conf;
	const struct command *cmd = &commands[line->verb];

	if (line->verb == SMTP_UNKNOWN && is_forbidden(c, line->name)) {
		log_warn("non-SMTP command from %s: %s %s", s->who,
			 LOGQ(line->name), LOGQ(line->args));
		return reply_close(
			reply_now(221, "2.7.0",
				  "Error: I can break rules, too. Goodbye."));
	}
	if (cmd->flags & COMMAND_JUNK && s->junk++ >= c->junk)
		s->errors += !s->local;
	if (s->w->conf.tls == RECEIVE_TLS_ENCRYPT && !s->tls && !s->local &&
	    !(cmd->flags & COMMAND_PLAIN)) /* RFC 3207 4 */
		return reply_now(530, "5.7.0",
				 "Must issue a STARTTLS command first");
	if (!(cmd->states & 1u << s->state))
		return reply_now(cmd->code, cmd->dsn, cmd->text);
	if (s->w->r->auth && !session_may_send(s) && cmd->flags & COMMAND_USER)
		return reply_now(530, "5.7.0", "Authentication required");
	if (line->verb == SMTP_UNKNOWN && s->local && s->w->r->local)
		return s->w->r->local(s, line);
	return cmd->handler(s, line->args);
}
