/* SPDX-License-Identifier: ISC */
#include "net/line.h"
#include "session.h"

/* Each time anew: tlsd, and TLS, come and go.  ENABLE and IDLE are imapd's, but
 * some clients (Python's imaplib) do not look again after the login. */
static void
add_capabilities(const struct session *s, struct buf *out)
{
	(void)!buf_add_c(out,
			 "IMAP4rev1 IMAP4rev2 SASL-IR LITERAL- ENABLE IDLE ID");
	if (session_offers_tls(s))
		(void)!buf_add_c(out, " STARTTLS");
	if (!session_takes_passwords(s))
		(void)!buf_add_c(out, " LOGINDISABLED");
	session_mechanisms(s, "AUTH=", out);
}

static void
greet(struct session *s)
{
	conn_writef(s->conn, "* OK [CAPABILITY ");
	add_capabilities(s, conn_out(s->conn));
	conn_writef(s->conn, "] Posthouse ready.\r\n");
}

static void
say(struct session *s, enum login_say what)
{
	static const struct {
		bool tagged;
		const char *text;
	} words[] = {
		[SAY_AUTH_FAILED] = { true, "NO [AUTHENTICATIONFAILED] "
					    "Authentication failed." },
		[SAY_TEMPORARY] = { true, "NO [UNAVAILABLE] Temporary "
					  "authentication failure." },
		[SAY_UNAVAILABLE] = { true, "NO [UNAVAILABLE] The mailbox "
					    "cannot be served now." },
		[SAY_SASL_CANCELLED] = { true, "BAD Authentication "
					       "cancelled." },
		[SAY_SASL_BAD] = { true, "BAD The response is not base64." },
		[SAY_BYE_FAILED] = { false, "BYE Too many failed logins." },
		[SAY_BYE_ERRORS] = { false, "BYE Too many invalid commands." },
		[SAY_BYE_LOST] = { false, "BYE The command is too long." },
		[SAY_BYE_TIMEOUT] = { false, "BYE Disconnected for "
					     "inactivity." },
		[SAY_BYE_BUSY] = { false, "BYE Too many connections." },
	};

	conn_writef(s->conn, "%s %s\r\n", words[what].tagged ? s->tag : "*",
		    words[what].text);
}

static void
reply(struct session *s, const struct imap_command *c, const char *text)
{
	conn_writef(s->conn, "%.*s %s\r\n", STR_FMT(c->tag), text);
}

static void
reply_bad(struct session *s, struct str tag, const char *text)
{
	s->errors++;
	conn_writef(s->conn, "%.*s BAD %s\r\n", STR_FMT(tag.n ? tag : STR("*")),
		    text);
}

/* --- commands; false: the session has ended ------------------------------ */

static bool
cmd_capability(struct session *s, struct imap_command *c)
{
	conn_writef(s->conn, "* CAPABILITY ");
	add_capabilities(s, conn_out(s->conn));
	conn_writef(s->conn, "\r\n");
	reply(s, c, "OK Capability completed.");
	return true;
}

static bool
cmd_noop(struct session *s, struct imap_command *c)
{
	reply(s, c, "OK Noop completed.");
	return true;
}

static bool
cmd_logout(struct session *s, struct imap_command *c)
{
	conn_write(s->conn, STR("* BYE Logging out.\r\n"));
	reply(s, c, "OK Logout completed.");
	session_quit(s);
	return false;
}

/* RFC 2971: NIL, or a list of up to 30 pairs.  Nothing of it is kept. */
static bool
cmd_id(struct session *s, struct imap_command *c)
{
	const struct imap_arg *a = c->arg;
	bool list = c->nargs >= 2 && c->nargs % 2 == 0 &&
		    a[0].kind == IMAP_OPEN &&
		    a[c->nargs - 1].kind == IMAP_CLOSE;
	bool nil = c->nargs == 1 && a[0].kind == IMAP_ATOM &&
		   str_ieq(a[0].s, STR("NIL"));

	if (!list && !nil) {
		reply_bad(s, c->tag, "ID takes NIL or a list of pairs.");
		return true;
	}
	conn_write(s->conn, STR("* ID (\"name\" \"Posthouse\")\r\n"));
	reply(s, c, "OK Id completed.");
	return true;
}

static bool
may_send_password(struct session *s, const struct imap_command *c)
{
	if (s->secured)
		return true;
	s->tried_plaintext = true;
	reply(s, c,
	      "NO [PRIVACYREQUIRED] Plaintext authentication is not "
	      "allowed on this connection.");
	return false;
}

static bool
may_say_password(struct session *s, const struct imap_command *c)
{
	if (!may_send_password(s, c))
		return false;
	if (session_takes_passwords(s))
		return true;
	reply(s, c, "NO Use AUTHENTICATE.");
	return false;
}

static bool
is_string(const struct imap_arg *a)
{
	return a->kind == IMAP_ATOM || a->kind == IMAP_STRING;
}

static bool
cmd_login(struct session *s, struct imap_command *c)
{
	if (!may_say_password(s, c))
		return true;
	if (c->nargs != 2 || !is_string(&c->arg[0]) || !is_string(&c->arg[1])) {
		reply_bad(s, c->tag, "LOGIN takes a user and a password.");
		return true;
	}
	(void)!str_copy(s->tag, sizeof(s->tag), c->tag);
	session_login(s, c->arg[0].s, c->arg[1].s);
	return true;
}

/* RFC 9051 6.2.2, RFC 4959 */
static bool
cmd_authenticate(struct session *s, struct imap_command *c)
{
	if (!may_send_password(s, c))
		return true;
	if (c->nargs < 1 || c->nargs > 2 || !is_string(&c->arg[0]) ||
	    (c->nargs == 2 && c->arg[1].kind != IMAP_ATOM)) {
		reply_bad(s, c->tag,
			  "AUTHENTICATE takes a mechanism and "
			  "perhaps a response.");
		return true;
	}
	if (!session_offers(s, c->arg[0].s)) {
		reply(s, c, "NO Unsupported authentication mechanism.");
		return true;
	}
	(void)!str_copy(s->tag, sizeof(s->tag), c->tag);
	session_sasl(s, c->arg[0].s, c->nargs == 2 ? c->arg[1].s : STR_NULL);
	return true;
}

/* RFC 9051 6.2.1 */
static bool
cmd_starttls(struct session *s, struct imap_command *c)
{
	if (s->tls) {
		reply_bad(s, c->tag, "TLS is active already.");
	} else if (!session_offers_tls(s)) {
		reply(s, c, "NO [UNAVAILABLE] TLS is not available.");
	} else {
		reply(s, c, "OK Begin TLS negotiation now.");
		session_enter(s, LOGIN_TLS);
	}
	return true;
}

static const struct {
	const char *name;
	bool (*fn)(struct session *s, struct imap_command *c);
	bool bare; /* takes no arguments */
} commands[] = {
	{ "CAPABILITY", cmd_capability, true },
	{ "NOOP", cmd_noop, true },
	{ "LOGOUT", cmd_logout, true },
	{ "ID", cmd_id, false },
	{ "LOGIN", cmd_login, false },
	{ "AUTHENTICATE", cmd_authenticate, false },
	{ "STARTTLS", cmd_starttls, true },
};

static bool
dispatch(struct session *s, struct imap_command *c)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!str_ieq(c->name, str_of(commands[i].name)))
			continue;
		if (commands[i].bare && c->nargs) {
			reply_bad(s, c->tag, "No arguments belong here.");
			return true;
		}
		return commands[i].fn(s, c);
	}
	reply_bad(s, c->tag, "Unknown command, or not before login.");
	return true;
}

/* --- input --------------------------------------------------------------- */

static bool
run_command(struct session *s, struct str frame, bool well_formed)
{
	struct imap_command c;
	struct err err;
	bool alive = true;

	if (imap_command_parse(frame, &c, &err) < 0)
		reply_bad(s, c.tag, err.text);
	else if (!well_formed)
		reply_bad(s, c.tag, "The line is not well-formed.");
	else
		alive = dispatch(s, &c);
	if (alive) {
		s->continued = 0;
		session_consume(s, frame.n);
	}
	explicit_bzero(&c, sizeof(c));
	return alive;
}

/* A command that wants to go on with a literal, or may not: answer it. */
static bool
on_literal(struct session *s, struct str head, bool too_long)
{
	struct imap_command c;
	bool go_on = !too_long;
	struct err err;

	(void)!imap_command_parse(head, &c, &err);
	if (too_long) {
		reply_bad(s, c.tag, "The literal is too long.");
	} else if (str_ieq(c.name, STR("LOGIN"))) {
		/* Before the password is on its way. */
		go_on = may_say_password(s, &c);
	} else if (str_ieq(c.name, STR("AUTHENTICATE"))) {
		go_on = may_send_password(s, &c);
	}
	explicit_bzero(&c, sizeof(c));
	if (go_on) {
		s->continued++;
		conn_write(s->conn, STR("+ OK\r\n"));
	} else {
		s->continued = 0;
		session_consume(s, head.n);
	}
	return true;
}

static bool
sasl_input(struct session *s, struct str in)
{
	struct str line;
	size_t used;

	switch (line_get(in, SASL_LINE_MAX + 2, &line, &used)) {
	case LINE_MORE:
		return false;
	case LINE_TOO_LONG:
		session_bye(s, SAY_BYE_LOST, "Line too long");
		return false;
	case LINE_OK:
		session_sasl_line(s, line);
		break;
	default: /* no line that makes sense: no base64 either */
		session_sasl_line(s, str_head(in, used));
	}
	session_consume(s, used);
	return true;
}

static bool
input(struct session *s)
{
	struct str in = conn_input(s->conn);
	size_t used;

	if (s->state == LOGIN_SASL)
		return sasl_input(s, in);
	switch (imap_frame(in, s->continued, &used)) {
	case IMAP_MORE:
		return false;
	case IMAP_WHOLE:
		return run_command(s, str_head(in, used), true);
	case IMAP_WAITS:
		return on_literal(s, str_head(in, used), false);
	case IMAP_REFUSE:
		return on_literal(s, str_head(in, used), true);
	case IMAP_BAD_LINE:
		return run_command(s, str_head(in, used), false);
	case IMAP_LOST:
		break;
	}
	session_bye(s, SAY_BYE_LOST, "Command too long");
	return false;
}

const struct proto login_imap = {
	.name = "imap-login",
	.service = SVC_IMAPD,
	.tls = TLS_IMAP,
	.greet = greet,
	.input = input,
	.say = say,
	.busy = "* BYE Too many connections.\r\n",
};
