/* SPDX-License-Identifier: ISC */
#include "net/line.h"
#include "pop3_parse.h"
#include "session.h"

static void
greet(struct session *s)
{
	conn_write(s->conn, STR("+OK Posthouse ready.\r\n"));
}

static void
say(struct session *s, enum login_say what)
{
	/* Response codes: RFC 2449 8, RFC 3206. */
	static const char *const words[] = {
		[SAY_AUTH_FAILED] = "[AUTH] Authentication failed.",
		[SAY_TEMPORARY] = ("[SYS/TEMP] Temporary authentication "
				   "failure."),
		[SAY_UNAVAILABLE] = ("[SYS/TEMP] The mailbox cannot be served "
				     "now."),
		[SAY_SASL_CANCELLED] = "Authentication cancelled.",
		[SAY_SASL_BAD] = "The response is not base64.",
		[SAY_BYE_FAILED] = NULL, /* the failure itself was said */
		[SAY_BYE_ERRORS] = "Too many invalid commands.",
		[SAY_BYE_LOST] = "The line is too long.",
		[SAY_BYE_TIMEOUT] = "Disconnected for inactivity.",
		[SAY_BYE_BUSY] = "[SYS/TEMP] Too many connections.",
	};

	if (words[what])
		conn_writef(s->conn, "-ERR %s\r\n", words[what]);
}

static void
reply(struct session *s, const char *text)
{
	conn_writef(s->conn, "%s\r\n", text);
}

static void
reply_error(struct session *s, const char *text)
{
	s->errors++;
	conn_writef(s->conn, "-ERR %s\r\n", text);
}

/* RFC 2449 5, RFC 2595 4 */
static void
cmd_capa(struct session *s)
{
	struct buf sasl;

	buf_init(&sasl, LOGIN_LINE_MAX);
	session_mechanisms(s, "", &sasl);
	conn_write(s->conn, STR("+OK\r\n"));
	pop3_capa_put(conn_out(s->conn), &s->w->conf.pop3, buf_str(&sasl));
	if (session_offers_tls(s) && !s->utf8)
		conn_write(s->conn, STR("STLS\r\n"));
	conn_write(s->conn, STR(".\r\n"));
	buf_fini(&sasl);
}

static bool
may_send_password(struct session *s)
{
	if (s->secured)
		return true;
	s->tried_plaintext = true;
	reply(s, "-ERR [SYS/PERM] Plaintext authentication is not allowed on "
		 "this connection.");
	return false;
}

static bool
may_say_password(struct session *s)
{
	if (!may_send_password(s))
		return false;
	if (session_takes_passwords(s))
		return true;
	reply_error(s, "Use AUTH.");
	return false;
}

static void
cmd_user(struct session *s, struct str name)
{
	if (!may_say_password(s))
		return;
	if (name.n == 0 || !str_copy(s->pop3_user, sizeof(s->pop3_user), name))
		reply_error(s, "USER takes a name.");
	else
		reply(s, "+OK");
}

static void
cmd_pass(struct session *s, struct str password)
{
	if (!may_say_password(s))
		return;
	if (!s->pop3_user[0]) {
		reply_error(s, "Give USER first.");
		return;
	}
	session_login(s, str_of(s->pop3_user), password);
	s->pop3_user[0] = '\0';
}

/* The mechanisms, as clients of old ask for them. */
static void
list_mechanisms(struct session *s)
{
	struct str rest, mech;
	struct buf list;

	buf_init(&list, LOGIN_LINE_MAX);
	session_mechanisms(s, "", &list);
	rest = buf_str(&list);
	conn_write(s->conn, STR("+OK\r\n"));
	while (str_token(&rest, " ", &mech))
		conn_writef(s->conn, "%.*s\r\n", STR_FMT(mech));
	conn_write(s->conn, STR(".\r\n"));
	buf_fini(&list);
}

/* RFC 5034 */
static void
cmd_auth(struct session *s, struct str arg)
{
	struct str mech, initial = arg;

	if (arg.n == 0) {
		list_mechanisms(s);
		return;
	}
	if (!may_send_password(s))
		return;
	if (!str_cut(&initial, ' ', &mech)) {
		mech = arg;
		initial = STR_NULL;
	}
	if (session_offers(s, mech))
		session_sasl(s, mech, initial);
	else
		reply_error(s, "Unsupported authentication mechanism.");
}

/* RFC 2595 4 */
static void
cmd_stls(struct session *s, struct str arg)
{
	if (arg.n) {
		reply_error(s, "No arguments belong here.");
	} else if (s->tls) {
		reply_error(s, "TLS is active already.");
	} else if (s->utf8) { /* RFC 6856 2.1 */
		reply_error(s, "STLS comes before UTF8.");
	} else if (!session_offers_tls(s)) {
		reply(s, "-ERR [SYS/TEMP] TLS is not available.");
	} else {
		reply(s, "+OK Begin TLS negotiation now.");
		session_enter(s, LOGIN_TLS);
	}
}

/* RFC 6856 2.1 */
static void
cmd_utf8(struct session *s, struct str arg)
{
	if (arg.n) {
		reply_error(s, "No arguments belong here.");
		return;
	}
	s->utf8 = true;
	reply(s, "+OK UTF8 enabled.");
}

/* False: the session has ended. */
static bool
dispatch(struct session *s, struct str line)
{
	struct str arg;

	switch (pop3_command(line, &arg)) {
	case POP3_CAPA:
		cmd_capa(s);
		break;
	case POP3_USER:
		cmd_user(s, arg);
		break;
	case POP3_PASS:
		cmd_pass(s, arg);
		break;
	case POP3_AUTH:
		cmd_auth(s, arg);
		break;
	case POP3_STLS:
		cmd_stls(s, arg);
		break;
	case POP3_UTF8:
		cmd_utf8(s, arg);
		break;
	case POP3_NOOP:
		reply(s, "+OK");
		break;
	case POP3_QUIT:
		reply(s, "+OK Logging out.");
		session_quit(s);
		return false;
	case POP3_UNKNOWN:
		reply_error(s, "Unknown command, or not before login.");
		break;
	}
	return true;
}

static bool
input(struct session *s)
{
	bool sasl = s->state == LOGIN_SASL, alive = true;
	struct str in = conn_input(s->conn), line;
	size_t limit = sasl ? SASL_LINE_MAX + 2 : POP3_LINE_MAX, used;
	enum line_result got = line_get(in, limit, &line, &used);

	if (got == LINE_MORE)
		return false;
	if (got == LINE_TOO_LONG) {
		session_bye(s, SAY_BYE_LOST, "Line too long");
		return false;
	}
	if (sasl) /* what is no line is no base64 either */
		session_sasl_line(s,
				  got == LINE_OK ? line : str_head(in, used));
	else if (got == LINE_OK)
		alive = dispatch(s, line);
	else
		reply_error(s, "The line is not well-formed.");
	if (alive)
		session_consume(s, used);
	return alive;
}

const struct proto login_pop3 = {
	.name = "pop3-login",
	.service = SVC_POP3D,
	.tls = TLS_POP3,
	.greet = greet,
	.input = input,
	.say = say,
	.busy = "-ERR [SYS/TEMP] Too many connections.\r\n",
};
