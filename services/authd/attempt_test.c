/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "last_use.h"
#include "testbed_scram.h"
#include "testbed_world.h"

/* RFC 7677 3, RFC 5802 5: the password "pencil". */
#define KEYS256                                         \
	"4096,W22ZaJ0SNY7soEsUEjb6gQ==,"                \
	"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=," \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define KEYS1                                                 \
	"4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=," \
	"D+CSWLOshSulAsxiupA+qs2/fTE="
static const char sasl_users[] =
	"al@x.test:{CRYPT}" HASH "\n"
	"sue@x.test:{SCRAM-SHA-256}" KEYS256 "::::::scram_sha_1=" KEYS1 "\n"
	"tom@x.test:{SCRAM-SHA-1}" KEYS1 "\n"
	"nobody:{SCRAM-SHA-1}" KEYS1 "\n";

static const char *
answer(struct world *w)
{
	wait_answer(w);
	switch (w->type) {
	case MSG_AUTH_OK:
		return w->ticket_n ? "ticket" : "ok";
	case MSG_SASL_MORE:
		return "more";
	case MSG_AUTH_FAIL:
		return w->temp ? "temp" : "fail";
	default:
		return "?";
	}
}

static struct msg_sasl_begin
begin_msg(uint32_t number, uint8_t service, const char *mech, struct str in)
{
	return (struct msg_sasl_begin){ .exchange = number,
					.service = service,
					.mech = str_of(mech),
					.has_initial = in.p != NULL,
					.initial = in,
					.client = STR("192.0.2.1"),
					.secured = 1 };
}

static const char *
begin(struct world *w, uint32_t number, uint8_t service, const char *mech,
      struct str in)
{
	struct msg_sasl_begin m = begin_msg(number, service, mech, in);

	assert_int_not_equal(
		asker_send(service == SVC_SUBMITD ? w->submitd : w->login,
			   &msg_sasl_begin_def, &m, 0, on_reply, w),
		0);
	return answer(w);
}

static const char *
step(struct world *w, uint32_t number, struct str in)
{
	struct msg_sasl_step m = { .exchange = number, .response = in };

	assert_int_not_equal(
		asker_send(w->login, &msg_sasl_step_def, &m, 0, on_reply, w),
		0);
	return answer(w);
}

static void
cancel(struct world *w, uint32_t number)
{
	struct msg_sasl_cancel m = { .exchange = number };

	assert_int_equal(asker_send_part(w->login, 0, &msg_sasl_cancel_def, &m),
			 0);
	turn(&w->loop);
	turn(&w->loop);
}

#define PLAIN(user, password) STR("\0" user "\0" password)

static void
test_plain(void **state)
{
	static const struct {
		const char *name;
		uint8_t service;
		struct str in;
		const char *want, *user;
	} rows[] = {
		{ "imap", SVC_IMAPD, PLAIN("al@x.test", "secret"), "ticket",
		  "al@x.test" },
		{ "for others", SVC_LOGIN, PLAIN("AL@x.test", "secret"), "ok",
		  "al@x.test" },
		{ "submission", SVC_SUBMITD, PLAIN("al@x.test", "secret"), "ok",
		  "al@x.test" },
		{ "keys 256", SVC_IMAPD, PLAIN("sue@x.test", "pencil"),
		  "ticket", "sue@x.test" },
		{ "keys 1", SVC_IMAPD, PLAIN("tom@x.test", "pencil"), "ticket",
		  "tom@x.test" },
		{ "no identity", SVC_POP3D, PLAIN("nobody", "pencil"), "temp",
		  "nobody" },
		{ "no identity wanted", SVC_SUBMITD, PLAIN("nobody", "pencil"),
		  "ok", "nobody" },
		{ "wrong", SVC_IMAPD, PLAIN("Sue@x.test", "pencils"), "fail",
		  "sue@x.test" },
		{ "unknown", SVC_IMAPD, PLAIN("eve@x.test", "secret"), "fail",
		  "eve@x.test" },
		{ "empty", SVC_IMAPD, PLAIN("al@x.test", ""), "fail",
		  "al@x.test" },
		{ "no such service", SVC_QMGR, PLAIN("al@x.test", "secret"),
		  "fail", "" },
	};
	struct world w;
	const char *got;
	size_t i;

	(void)state;
	world_init(&w, sasl_users, 8);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = begin(&w, 7, rows[i].service, "PLAIN", rows[i].in);
		if (strcmp(got, rows[i].want) != 0 ||
		    strcmp(w.user, rows[i].user) != 0)
			fail_msg("%s: %s %s", rows[i].name, got, w.user);
	}
	/* the ticket is one */
	assert_string_equal(
		begin(&w, 7, SVC_POP3D, "PLAIN", PLAIN("al@x.test", "secret")),
		"ticket");
	assert_string_equal(redeem(&w, SVC_POP3D), "ok");
	/* AUTH has the same path */
	assert_string_equal(auth(&w, SVC_IMAPD, "sue@x.test", STR("pencil")),
			    "ok");
	/* submitd logs nobody in to a mailbox */
	assert_string_equal(begin(&w, 7, SVC_SUBMITD, "PLAIN",
				  PLAIN("al@x.test", "secret")),
			    "ok");
	asker_free(w.login);
	w.login = w.submitd;
	w.submitd = attach(&w, CH_SUBMITD_AUTHD);
	assert_string_equal(
		begin(&w, 8, SVC_IMAPD, "PLAIN", PLAIN("al@x.test", "secret")),
		"fail");
	world_fini(&w);
}

static void
test_not_served(void **state)
{
	struct msg_sasl_begin m;
	struct world w;

	(void)state;
	world_init(&w, sasl_users, 8);
	assert_string_equal(begin(&w, 1, SVC_IMAPD, "CRAM-MD5", STR_NULL),
			    "fail");
	authd_set_mechs(&w.authd,
			STR("login, scram-sha-256 scram-sha-1-plus XOAUTH2"));
	assert_string_equal(begin(&w, 1, SVC_IMAPD, "PLAIN", STR_NULL), "fail");
	assert_string_equal(begin(&w, 1, SVC_IMAPD, "SCRAM-SHA-1", STR_NULL),
			    "fail");
	assert_string_equal(
		begin(&w, 1, SVC_IMAPD, "SCRAM-SHA-256-PLUS", STR_NULL),
		"fail");
	assert_string_equal(begin(&w, 1, SVC_IMAPD, "LOGIN", STR_NULL), "more");
	assert_string_equal(w.challenge, "Username:");
	assert_string_equal(begin(&w, 1, SVC_IMAPD, "LOGIN", STR_NULL), "fail");
	assert_string_equal(step(&w, 1, STR("al@x.test")), "more");
	assert_string_equal(w.challenge, "Password:");
	assert_string_equal(step(&w, 1, STR("secret")), "ticket");

	m = begin_msg(2, SVC_IMAPD, "LOGIN", STR_NULL);
	m.secured = 0;
	asker_send(w.login, &msg_sasl_begin_def, &m, 0, on_reply, &w);
	assert_string_equal(answer(&w), "fail");
	world_fini(&w);
}

static void
scram_init(struct scram_client *c, enum users_scheme scheme, const char *user)
{
	*c = (struct scram_client){ .scheme = scheme,
				    .gs2 = "n,,",
				    .user = user,
				    .password = "pencil",
				    .nonce = "fyko+d2lbbFgONRv9qkxdawL" };
}

/* Two exchanges and a broken one, step by step beside each other. */
static void
test_interleaved(void **state)
{
	struct scram_client a, b;
	struct world w;

	(void)state;
	world_init(&w, sasl_users, 8);
	scram_init(&a, USERS_SCRAM_SHA_256, "sue@x.test");
	scram_init(&b, USERS_SCRAM_SHA_1, "tom@x.test");
	assert_string_equal(begin(&w, 1, SVC_IMAPD, "SCRAM-SHA-256", STR_NULL),
			    "more");
	assert_string_equal(w.challenge, "");
	assert_string_equal(
		begin(&w, 2, SVC_LOGIN, "SCRAM-SHA-1", scram_client_first(&b)),
		"more");
	scram_client_final(&b, str_of(w.challenge));
	assert_string_equal(begin(&w, 3, SVC_IMAPD, "SCRAM-SHA-1",
				  STR("n,,n=tom@x.test,r=abc")),
			    "more");
	assert_string_equal(step(&w, 1, scram_client_first(&a)), "more");
	scram_client_final(&a, str_of(w.challenge));
	assert_string_equal(step(&w, 3, STR("c=biws,r=abc,p=?")), "fail");
	assert_string_equal(step(&w, 3, STR("")), "temp");
	assert_string_equal(step(&w, 2, str_of(b.message)), "more");
	assert_string_equal(w.challenge, b.want_final);
	assert_string_equal(step(&w, 1, str_of(a.message)), "more");
	assert_string_equal(w.challenge, a.want_final);
	assert_string_equal(step(&w, 1, STR("")), "ticket");
	assert_string_equal(w.user, "sue@x.test");
	assert_string_equal(step(&w, 2, STR("")), "ok");
	assert_string_equal(w.user, "tom@x.test");
	assert_string_equal(step(&w, 2, STR("")), "temp");
	world_fini(&w);
}

/* The same proof is worth nothing in another exchange. */
static void
test_replay(void **state)
{
	struct scram_client c;
	struct world w;

	(void)state;
	world_init(&w, sasl_users, 8);
	scram_init(&c, USERS_SCRAM_SHA_256, "sue@x.test");
	begin(&w, 1, SVC_IMAPD, "SCRAM-SHA-256", scram_client_first(&c));
	scram_client_final(&c, str_of(w.challenge));
	assert_string_equal(step(&w, 1, str_of(c.message)), "more");
	begin(&w, 2, SVC_IMAPD, "SCRAM-SHA-256",
	      STR("n,,n=sue@x.test,r=fyko+d2lbbFgONRv9qkxdawL"));
	assert_string_equal(step(&w, 2, str_of(c.message)), "fail");
	/* what ends an exchange is empty */
	assert_string_equal(step(&w, 1, STR("x")), "fail");
	world_fini(&w);
}

static void
test_cancel(void **state)
{
	struct msg_sasl_begin m;
	struct world w;

	(void)state;
	world_init(&w, sasl_users, 8);
	begin(&w, 1, SVC_IMAPD, "PLAIN", STR_NULL);
	begin(&w, 2, SVC_IMAPD, "LOGIN", STR_NULL);
	cancel(&w, 1);
	cancel(&w, 99);
	assert_string_equal(step(&w, 1, PLAIN("al@x.test", "secret")), "temp");
	assert_string_equal(step(&w, 2, STR("al@x.test")), "more");
	/* while it is in a thread: the request is answered, with no */
	m = begin_msg(3, SVC_IMAPD, "PLAIN", PLAIN("al@x.test", "secret"));
	asker_send(w.login, &msg_sasl_begin_def, &m, 0, on_reply, &w);
	cancel(&w, 3);
	assert_string_equal(answer(&w), "fail");
	/* the asker goes, with one waiting and one in a thread */
	m.exchange = 4;
	asker_send(w.login, &msg_sasl_begin_def, &m, 0, on_reply, &w);
	loop_turn(&w.loop, false);
	loop_turn(&w.loop, false);
	world_fini(&w);
}

/* An exchange does not outlive the password it began with. */
static void
test_table_changes(void **state)
{
	static const char others[] = "sue@x.test:{SCRAM-SHA-256}" KEYS256 "\n"
				     "al@x.test:$6$other$x\n";
	struct scram_client c, d;
	struct world w;

	(void)state;
	world_init(&w, sasl_users, 8);
	scram_init(&c, USERS_SCRAM_SHA_256, "sue@x.test");
	scram_init(&d, USERS_SCRAM_SHA_1, "tom@x.test");
	begin(&w, 1, SVC_IMAPD, "SCRAM-SHA-256", scram_client_first(&c));
	scram_client_final(&c, str_of(w.challenge));
	begin(&w, 2, SVC_IMAPD, "SCRAM-SHA-1", scram_client_first(&d));
	scram_client_final(&d, str_of(w.challenge));
	begin(&w, 3, SVC_IMAPD, "LOGIN", STR("al@x.test"));
	/* tom is gone, sue's other keys are, al has another password */
	authd_table(&w.authd, STR("users"), memfile(others, MEMFILE_SEALS));
	assert_string_equal(step(&w, 1, str_of(c.message)), "more");
	assert_string_equal(step(&w, 1, STR("")), "fail");
	assert_string_equal(step(&w, 2, str_of(d.message)), "more");
	assert_string_equal(step(&w, 2, STR("")), "fail");
	assert_string_equal(step(&w, 3, STR("secret")), "fail");
	/* what is the same in the new edition goes on */
	begin(&w, 4, SVC_IMAPD, "SCRAM-SHA-256", scram_client_first(&c));
	scram_client_final(&c, str_of(w.challenge));
	authd_table(&w.authd, STR("users"), memfile(others, MEMFILE_SEALS));
	assert_string_equal(step(&w, 4, str_of(c.message)), "more");
	assert_string_equal(step(&w, 4, STR("")), "ticket");
	world_fini(&w);
}

static void
test_idle(void **state)
{
	uint64_t now = clock_mono_ms();
	struct world w;

	(void)state;
	world_init(&w, sasl_users, 8);
	begin(&w, 1, SVC_IMAPD, "LOGIN", STR_NULL);
	assert_true(attempts_expire(&w.authd, now + ATTEMPT_IDLE_MS - 2000) >
		    0);
	assert_string_equal(step(&w, 1, STR("al@x.test")), "more");
	assert_int_equal(
		attempts_expire(&w.authd, now + ATTEMPT_IDLE_MS + 60000), -1);
	assert_string_equal(step(&w, 1, STR("secret")), "temp");
	world_fini(&w);
}

/* Unknown users and those without keys get challenges like everybody's; the
 * answers are the same as for a wrong password, at the same step. */
static void
test_alike(void **state)
{
	static const char *const names[] = { "sue@x.test", "al@x.test",
					     "eve@x.test" };
	struct scram_client c;
	size_t i, first = 0;
	struct world w;

	(void)state;
	world_init(&w, sasl_users, 8);
	for (i = 0; i < 3; i++) {
		scram_init(&c, USERS_SCRAM_SHA_256, names[i]);
		c.password = "wrong";
		assert_string_equal(begin(&w, 1, SVC_IMAPD, "SCRAM-SHA-256",
					  scram_client_first(&c)),
				    "more");
		if (i == 0)
			first = strlen(w.challenge);
		assert_int_equal(strlen(w.challenge), first);
		assert_string_equal(
			step(&w, 1,
			     scram_client_final(&c, str_of(w.challenge))),
			"fail");
		assert_string_equal(w.user, names[i]);
	}
	world_fini(&w);
}

/* One client, or one asker, with more than its share does not shut out
 * another. */
static void
test_fair(void **state)
{
	struct msg_sasl_begin m =
		begin_msg(0, SVC_IMAPD, "PLAIN", PLAIN("tom@x.test", "wrong"));
	struct msg_sasl_begin other =
		begin_msg(99, SVC_IMAPD, "PLAIN", PLAIN("al@x.test", "secret"));
	unsigned n[2] = { 0, 0 };
	struct world w;
	unsigned i;

	(void)state;
	world_init(&w, sasl_users, 64);
	/* a client: half of the 32 that its asker may have */
	for (i = 1; i <= 16; i++)
		assert_string_equal(begin(&w, i, SVC_IMAPD, "LOGIN", STR_NULL),
				    "more");
	assert_string_equal(begin(&w, i, SVC_IMAPD, "LOGIN", STR_NULL), "temp");
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("secret")),
			    "temp");
	other.client = STR("192.0.2.2");
	asker_send(w.login, &msg_sasl_begin_def, &other, 0, on_reply, &w);
	assert_string_equal(answer(&w), "ticket");
	cancel(&w, 16);
	assert_string_equal(begin(&w, i, SVC_IMAPD, "LOGIN", STR_NULL), "more");
	/* an asker that makes up clients */
	m.client = STR("");
	m.exchange = 100;
	for (i = 0; i < 300; i++, m.exchange++)
		asker_send(w.login, &msg_sasl_begin_def, &m, 0, count_reply, n);
	assert_string_equal(begin(&w, 1000, SVC_SUBMITD, "PLAIN",
				  PLAIN("al@x.test", "secret")),
			    "ok");
	while (n[0] < 300)
		turn(&w.loop);
	assert_true(n[1] > 0 && n[1] < 300);
	world_fini(&w);
}

/* What an asker says of its client stands in a file that administrators read at
 * their terminals. */
static void
test_client_is_an_address(void **state)
{
	static const struct {
		const char *client, *want;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "2001:db8::1", "2001:db8::1" },
		{ "\033]0;owned\007", "" },
		{ "unix", "" },
	};
	struct msg_sasl_begin m =
		begin_msg(0, SVC_IMAPD, "PLAIN", PLAIN("al@x.test", "secret"));
	uint8_t bucket[LAST_USE_BUCKET];
	struct last_use u = { 0 };
	struct world w;
	ssize_t n;
	size_t i;

	(void)state;
	world_init(&w, sasl_users, 8);
	w.authd.last_use = memfile("", 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		m.client = str_of(rows[i].client);
		asker_send(w.login, &msg_sasl_begin_def, &m, 0, on_reply, &w);
		assert_string_equal(answer(&w), "ticket");
		n = pread(w.authd.last_use, bucket, sizeof(bucket),
			  (off_t)last_use_offset(STR("al@x.test"), STR("")));
		assert_true(n > 0 &&
			    last_use_find(bucket, (size_t)n, STR("al@x.test"),
					  STR(""), &u));
		if (!str_eq(u.client, str_of(rows[i].want)))
			fail_msg("%zu: %.*s", i, STR_FMT(u.client));
	}
	close(w.authd.last_use);
	world_fini(&w);
}

static void
test_too_many_exchanges(void **state)
{
	struct msg_sasl_begin m = begin_msg(0, SVC_IMAPD, "PLAIN", STR_NULL);
	unsigned n[2] = { 0, 0 };
	struct world w;

	(void)state;
	world_init(&w, sasl_users, 10000);
	for (; m.exchange < ATTEMPTS_MAX; m.exchange++)
		asker_send(w.login, &msg_sasl_begin_def, &m, 0, count_reply, n);
	while (n[0] < ATTEMPTS_MAX)
		turn(&w.loop);
	assert_int_equal(n[1], 0);
	assert_string_equal(begin(&w, 9999, SVC_IMAPD, "PLAIN", STR_NULL),
			    "temp");
	cancel(&w, 5);
	assert_string_equal(begin(&w, 9999, SVC_IMAPD, "PLAIN", STR_NULL),
			    "more");
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_not_served),
		cmocka_unit_test(test_interleaved),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_table_changes),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_fair),
		cmocka_unit_test(test_too_many_exchanges),
		cmocka_unit_test(test_client_is_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
