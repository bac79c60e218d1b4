/* SPDX-License-Identifier: ISC */
#include "net/line.h"
#include "plain.h"
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
		[SAY_TEMPORARY] = "[SYS/TEMP] Temporary authentication "
				  "failure.",
		[SAY_UNAVAILABLE] = "[SYS/TEMP] The mailbox cannot be served "
				    "now.",
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

/* RFC 2449 5 */
static void
cmd_capa(struct session *s)
{
	conn_writef(s->conn,
		    "+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
		    "PIPELINING\r\nEXPIRE NEVER\r\n%s"
		    "IMPLEMENTATION Posthouse\r\n.\r\n",
		    s->plaintext ? "USER\r\nSASL PLAIN\r\n" : "");
}

static bool
may_send_password(struct session *s)
{
	if (s->plaintext)
		return true;
	s->tried_plaintext = true;
	reply(s, "-ERR [SYS/PERM] Plaintext authentication is not allowed on "
		 "this connection.");
	return false;
}

static void
cmd_user(struct session *s, struct str name)
{
	if (!may_send_password(s))
		return;
	if (name.n == 0 || !str_copy(s->pop3_user, sizeof(s->pop3_user), name))
		reply_error(s, "USER takes a name.");
	else
		reply(s, "+OK");
}

static void
cmd_pass(struct session *s, struct str password)
{
	if (!may_send_password(s))
		return;
	if (!s->pop3_user[0]) {
		reply_error(s, "Give USER first.");
		return;
	}
	session_login(s, str_of(s->pop3_user), password);
	s->pop3_user[0] = '\0';
}

static void
take_plain(struct session *s, struct str text)
{
	struct str user, password;
	struct buf plain;

	buf_init(&plain, PLAIN_BYTES_MAX);
	session_enter(s, LOGIN_READY);
	if (plain_parse(text, &plain, &user, &password))
		session_login(s, user, password);
	else
		reply_error(s, "Bad PLAIN response.");
	if (plain.n)
		explicit_bzero(plain.p, plain.n);
	buf_fini(&plain);
}

/* RFC 5034 */
static void
cmd_auth(struct session *s, struct str arg)
{
	struct str mechanism, rest = arg;

	if (arg.n == 0) { /* the mechanisms, as clients of old ask for them */
		conn_writef(s->conn, "+OK\r\n%s.\r\n",
			    s->plaintext ? "PLAIN\r\n" : "");
		return;
	}
	if (!may_send_password(s))
		return;
	if (!str_cut(&rest, ' ', &mechanism)) {
		mechanism = arg;
		rest = STR_NULL;
	}
	if (!str_ieq(mechanism, STR("PLAIN"))) {
		reply_error(s, "Unsupported authentication mechanism.");
	} else if (rest.n) {
		take_plain(s, rest);
	} else {
		conn_write(s->conn, STR("+ \r\n"));
		session_enter(s, LOGIN_SASL);
	}
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
	struct str line;
	size_t used;

	switch (line_get(conn_input(s->conn), POP3_LINE_MAX, &line, &used)) {
	case LINE_MORE:
		return false;
	case LINE_TOO_LONG:
		session_bye(s, SAY_BYE_LOST, "Line too long");
		return false;
	case LINE_OK:
		if (s->state == LOGIN_READY) {
			if (!dispatch(s, line))
				return false;
		} else if (str_eq(line, STR("*"))) {
			session_enter(s, LOGIN_READY);
			reply_error(s, "Authentication cancelled.");
		} else {
			take_plain(s, line);
		}
		break;
	default:
		session_enter(s, LOGIN_READY);
		reply_error(s, "The line is not well-formed.");
	}
	session_consume(s, used);
	return true;
}

const struct proto login_pop3 = {
	.name = "pop3-login",
	.service = SVC_POP3D,
	.greet = greet,
	.input = input,
	.say = say,
	.busy = "-ERR [SYS/TEMP] Too many connections.\r\n",
};
