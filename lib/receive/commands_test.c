/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log.h"
#include "receive/commands.h"
#include "receive/testbed.h"

extern const struct daemon_ops smtpd_ops, submitd_ops;

/*
 * Security rule 6: every pair of state and verb, against this picture of RFC
 * 5321 4.1.4, RFC 3207 4 and RFC 4954 4.  A: the handler is called; -: the
 * row's refusal is the answer and the session is as before.
 */
static const struct {
	enum smtp_verb verb;
	const char *states; /* START READY MAIL RCPT DATA COMMIT AUTH TLS */
	const char *flags;  /* p: before TLS, u: only after a login */
} want[] = {
	{ SMTP_HELO, "AAAA----", "p" },	    { SMTP_EHLO, "AAAA----", "p" },
	{ SMTP_STARTTLS, "AA------", "p" }, { SMTP_AUTH, "AA------", "" },
	{ SMTP_MAIL, "AA------", "u" },	    { SMTP_RCPT, "--AA----", "u" },
	{ SMTP_DATA, "---A----", "u" },	    { SMTP_RSET, "AAAA----", "" },
	{ SMTP_NOOP, "AAAA----", "p" },	    { SMTP_VRFY, "AAAA----", "u" },
	{ SMTP_HELP, "AAAA----", "" },	    { SMTP_QUIT, "AAAA----", "p" },
	{ SMTP_UNKNOWN, "AAAA----", "p" },
};

#define USER "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n+"
#define MAIL "MAIL FROM:<alice@own.test>\r\n"
#define RCPT "RCPT TO:<alice@own.test>\r\n"

/* What a client says to get there; NULL: it cannot. */
static const char *const way_smtpd[SESSION_STATES] = {
	[SESSION_START] = "",
	[SESSION_READY] = "EHLO x\r\n",
	[SESSION_MAIL] = "EHLO x\r\n+" MAIL,
	[SESSION_RCPT] = "EHLO x\r\n+" MAIL RCPT,
	[SESSION_DATA] = "EHLO x\r\n+" MAIL RCPT "DATA\r\n",
	[SESSION_COMMIT] = "EHLO x\r\n+" MAIL RCPT "DATA\r\n+.\r\n",
	[SESSION_TLS] = "EHLO x\r\n+STARTTLS\r\n",
};
static const char *const way_submitd[SESSION_STATES] = {
	[SESSION_READY] = "EHLO x\r\n+" USER,
	[SESSION_MAIL] = "EHLO x\r\n+" USER MAIL,
	[SESSION_RCPT] = "EHLO x\r\n+" USER MAIL RCPT,
	[SESSION_DATA] = "EHLO x\r\n+" USER MAIL RCPT "DATA\r\n",
	[SESSION_COMMIT] = "EHLO x\r\n+" USER MAIL RCPT "DATA\r\n+.\r\n",
	[SESSION_AUTH] = "EHLO x\r\n+AUTH LOGIN\r\n",
	[SESSION_TLS] = "EHLO x\r\n+STARTTLS\r\n",
};

static const char *const line[SMTP_VERBS] = {
	[SMTP_HELO] = "HELO y",
	[SMTP_EHLO] = "EHLO y",
	[SMTP_STARTTLS] = "STARTTLS",
	[SMTP_AUTH] = "AUTH LOGIN",
	[SMTP_MAIL] = "MAIL FROM:<alice@own.test>",
	[SMTP_RCPT] = "RCPT TO:<bob@own.test>",
	[SMTP_DATA] = "DATA",
	[SMTP_RSET] = "RSET",
	[SMTP_NOOP] = "NOOP",
	[SMTP_VRFY] = "VRFY z",
	[SMTP_HELP] = "HELP",
	[SMTP_QUIT] = "QUIT",
	[SMTP_UNKNOWN] = "ETRN",
};

static struct session *
bring_to(struct testbed *tb, const char *way, enum session_state state)
{
	struct str rest = str_of(way), part;
	struct session *s;

	tb->mute = true; /* qmgr: a COMMIT stays unanswered */
	tb->tlsd_does = BED_MUTE;
	testbed_connect(tb, "127.0.0.1", false);
	testbed_settle(tb);
	while (str_cut(&rest, '+', &part))
		testbed_send(tb, part);
	testbed_send(tb, rest);
	testbed_settle(tb);
	s = LIST_OF(tb->w->sessions.prev, struct session, link);
	assert_int_equal(s->state, state);
	return s;
}

static struct reply
run(struct session *s, enum smtp_verb verb)
{
	struct smtp_line l;
	struct reply r;

	print_message("%s in %s\n", smtp_verb_names[verb],
		      session_state_names[s->state]);
	smtpline_parse(str_of(line[verb]), &l);
	assert_int_equal(l.verb, verb);
	s->verb = verb;
	r = command_run(s, &l);
	if (r.kind == REPLY_LATER)
		s->pending = true; /* as session.c does */
	return r;
}

static void
check_pair(struct testbed *tb, const char *way, enum smtp_verb verb,
	   enum session_state state, bool allowed)
{
	const struct command *cmd = &commands[verb];
	struct session *s = bring_to(tb, way, state);
	unsigned nrcpts = s->txn.nrcpts;
	struct reply r;

	assert_int_equal((cmd->states >> state) & 1, allowed);
	r = run(s, verb);
	if (!allowed) {
		assert_int_equal(r.kind, REPLY_NOW);
		assert_int_equal(r.code, cmd->code);
		assert_string_equal(r.text, cmd->text);
		assert_int_equal(s->state, state);
		assert_int_equal(s->txn.nrcpts, nrcpts);
	} else if (verb == SMTP_UNKNOWN || verb == SMTP_AUTH) {
		/* Not on port 25; not a second time. */
		assert_int_equal(r.code, verb == SMTP_AUTH ? 503 : 500);
	} else if (r.kind == REPLY_NOW) {
		assert_true(r.code < 400);
	}
	testbed_settle(tb);
}

static void
every_pair(const struct daemon_ops *ops, const char *const way[SESSION_STATES])
{
	struct testbed tb;
	size_t i, k;

	assert_int_equal(sizeof(want) / sizeof(want[0]), SMTP_VERBS);
	testbed_init(&tb, ops,
		     ops == &submitd_ops ? "smtpd_tls_auth_only = 0\n" : "");
	for (i = 0; i < SMTP_VERBS; i++)
		for (k = 0; k < SESSION_STATES; k++)
			if (way[k])
				check_pair(&tb, way[k], want[i].verb,
					   (enum session_state)k,
					   want[i].states[k] == 'A');
	testbed_fini(&tb);
}

static void
test_every_pair(void **state)
{
	(void)state;
	every_pair(&smtpd_ops, way_smtpd);
	every_pair(&submitd_ops, way_submitd);
}

/* What is refused before TLS, and before a login, in every state that can be
 * reached so; and nothing else is. */
static void
check_flag(const struct daemon_ops *ops, const char *params, char flag,
	   bool exempt, const char *text)
{
	struct testbed tb;
	struct session *s;
	struct reply r;
	size_t i;
	int k;

	testbed_init(&tb, ops, params);
	for (i = 0; i < SMTP_VERBS; i++)
		for (k = SESSION_START; k <= SESSION_READY; k++) {
			s = bring_to(&tb, k ? "EHLO x\r\n" : "",
				     (enum session_state)k);
			if (!(commands[want[i].verb].states >> k & 1))
				continue;
			r = run(s, want[i].verb);
			if ((strchr(want[i].flags, flag) != NULL) == exempt) {
				assert_int_not_equal(r.code, 530);
				continue;
			}
			assert_int_equal(r.kind, REPLY_NOW);
			assert_int_equal(r.code, 530);
			assert_string_equal(r.text, text);
			assert_int_equal(s->state, k);
		}
	testbed_fini(&tb);
}

static void
test_flags(void **state)
{
	(void)state;
	check_flag(&smtpd_ops, "smtpd_tls_security_level = encrypt\n", 'p',
		   true, "Must issue a STARTTLS command first");
	check_flag(&submitd_ops, "", 'p', true,
		   "Must issue a STARTTLS command first");
	check_flag(&submitd_ops, "smtpd_tls_auth_only = 0\n", 'u', false,
		   "Authentication required");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
		cmocka_unit_test(test_flags),
	};

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "smtpd");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
