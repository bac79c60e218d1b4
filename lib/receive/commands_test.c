/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/log.h"
#include "receive/commands.h"
#include "receive/testbed.h"

/*
 * Security rule 6: every pair of state and verb, against this picture of RFC
 * 5321 4.1.4.  A: the handler is called; -: the row's refusal is the answer
 * and the session is as before.
 */
static const struct {
	enum smtp_verb verb;
	const char *states; /* START READY MAIL RCPT DATA COMMIT */
} want[] = {
	{ SMTP_HELO, "AAAA--" },    { SMTP_EHLO, "AAAA--" },
	{ SMTP_MAIL, "AA----" },    { SMTP_RCPT, "--AA--" },
	{ SMTP_DATA, "---A--" },    { SMTP_RSET, "AAAA--" },
	{ SMTP_NOOP, "AAAA--" },    { SMTP_VRFY, "AAAA--" },
	{ SMTP_HELP, "AAAA--" },    { SMTP_QUIT, "AAAA--" },
	{ SMTP_UNKNOWN, "AAAA--" },
};

/* What a client says to get there. */
static const char *const way[SESSION_STATES] = {
	[SESSION_START] = "",
	[SESSION_READY] = "EHLO x\r\n",
	[SESSION_MAIL] = "EHLO x\r\n+MAIL FROM:<a@b.test>\r\n",
	[SESSION_RCPT] = "EHLO x\r\n+MAIL FROM:<a@b.test>\r\n"
			 "RCPT TO:<alice@own.test>\r\n",
	[SESSION_DATA] = "EHLO x\r\n+MAIL FROM:<a@b.test>\r\n"
			 "RCPT TO:<alice@own.test>\r\nDATA\r\n",
	[SESSION_COMMIT] = "EHLO x\r\n+MAIL FROM:<a@b.test>\r\n"
			   "RCPT TO:<alice@own.test>\r\nDATA\r\n+.\r\n",
};

static const char *const line[SMTP_VERBS] = {
	[SMTP_HELO] = "HELO y",
	[SMTP_EHLO] = "EHLO y",
	[SMTP_MAIL] = "MAIL FROM:<c@d.test>",
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
bring_to(struct testbed *tb, enum session_state state)
{
	struct str rest = str_of(way[state]), part;
	struct session *s;

	tb->mute = true; /* qmgr: a COMMIT stays unanswered */
	testbed_connect(tb, "192.0.2.1");
	testbed_settle(tb);
	while (str_cut(&rest, '+', &part))
		testbed_send(tb, part);
	testbed_send(tb, rest);
	testbed_settle(tb);
	s = LIST_OF(tb->w->sessions.prev, struct session, link);
	assert_int_equal(s->state, state);
	return s;
}

static void
check_pair(struct testbed *tb, enum smtp_verb verb, enum session_state state,
	   bool allowed)
{
	const struct command *cmd = &commands[verb];
	struct session *s = bring_to(tb, state);
	unsigned nrcpts = s->txn.nrcpts;
	struct smtp_line l;
	struct reply r;

	print_message("%s in %s\n", smtp_verb_names[verb],
		      session_state_names[state]);
	smtpline_parse(str_of(line[verb]), &l);
	assert_int_equal(l.verb, verb);
	s->verb = verb;
	assert_int_equal((cmd->states >> state) & 1, allowed);
	r = command_run(s, &l);
	if (r.kind == REPLY_LATER) {
		assert_int_equal(verb, SMTP_RCPT);
		s->pending = true; /* as session.c does */
	}
	if (!allowed) {
		assert_int_equal(r.kind, REPLY_NOW);
		assert_int_equal(r.code, cmd->code);
		assert_string_equal(r.text, cmd->text);
		assert_int_equal(s->state, state);
		assert_int_equal(s->txn.nrcpts, nrcpts);
	} else if (r.kind == REPLY_NOW && verb != SMTP_UNKNOWN) {
		assert_true(r.code < 400);
	}
	testbed_settle(tb);
}

static void
test_every_pair(void **state)
{
	struct testbed tb;
	size_t i, k;

	(void)state;
	assert_int_equal(sizeof(want) / sizeof(want[0]), SMTP_VERBS);
	testbed_init(&tb, &smtpd_ops, "");
	for (i = 0; i < SMTP_VERBS; i++)
		for (k = 0; k < SESSION_STATES; k++)
			check_pair(&tb, want[i].verb, (enum session_state)k,
				   want[i].states[k] == 'A');
	testbed_fini(&tb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_pair),
	};

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "smtpd");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
