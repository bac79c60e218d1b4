/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "authd.h"
#include "base/clock.h"
#include "frame/asker.h"
#include "memfile.h"

/* authd with its askers, login and spawner, over real channels. */
struct world {
	struct loop loop;
	struct authd authd;
	struct asker *login, *spawner;
	/* the last answer */
	bool answered, none;
	uint16_t type;
	bool temp;
	char user[300], home[300];
	uint8_t ticket[TICKET_LEN];
	uint32_t uid;
};

/* What was sent outside the loop's callbacks leaves at the end of a turn, so
 * that a turn must not wait. */
static void
turn(struct loop *l)
{
	loop_turn(l, false);
	usleep(500);
}

static struct asker *
attach(struct world *w, enum channel_id row)
{
	int sv[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	authd_peer(&w->authd, &channels[row], sv[1]);
	return asker_new_fd(&w->loop, sv[0], &channels[row], NULL, NULL);
}

static void
world_init(struct world *w, const char *users, unsigned queue)
{
	struct err err;

	*w = (struct world){ .answered = false };
	assert_int_equal(loop_init(&w->loop, &err), 0);
	assert_int_equal(authd_init(&w->authd, &w->loop, 2, queue, &err), 0);
	w->authd.verbose = true;
	w->authd.conf = (struct identity_conf){ 500, 501, "/mail", "Maildir" };
	if (users)
		authd_table(&w->authd, STR("users"),
			    memfile(users, MEMFILE_SEALS));
	w->login = attach(w, CH_LOGIN_AUTHD);
	w->spawner = attach(w, CH_SPAWNER_AUTHD);
}

static void
world_fini(struct world *w)
{
	asker_free(w->login);
	asker_free(w->spawner);
	authd_fini(&w->authd);
	loop_fini(&w->loop);
}

static void
on_reply(void *arg, const struct msg_def *def, void *msg)
{
	struct world *w = arg;

	w->answered = true;
	w->none = !def;
	w->type = def ? def->type : 0;
	if (def == &msg_auth_ok_def) {
		struct msg_auth_ok *m = msg;

		assert_int_equal(m->ticket.n, TICKET_LEN);
		memcpy(w->ticket, m->ticket.p, TICKET_LEN);
		assert_true(str_copy(w->user, sizeof(w->user), m->user));
	} else if (def == &msg_auth_fail_def) {
		w->temp = ((struct msg_auth_fail *)msg)->temp;
	} else if (def == &msg_identity_def) {
		struct msg_identity *m = msg;

		w->uid = m->uid;
		assert_true(str_copy(w->user, sizeof(w->user), m->user));
		assert_true(str_copy(w->home, sizeof(w->home), m->home));
	}
}

static void
wait_answer(struct world *w)
{
	uint64_t end = clock_mono_ms() + 10000;

	while (!w->answered && clock_mono_ms() < end)
		turn(&w->loop);
	assert_true(w->answered);
	w->answered = false;
}

static const char *
auth(struct world *w, uint8_t service, const char *user, struct str password)
{
	struct msg_auth m = { .service = service,
			      .user = str_of(user),
			      .password = password,
			      .client = STR("192.0.2.1") };

	assert_int_not_equal(
		asker_send(w->login, &msg_auth_def, &m, 0, on_reply, w), 0);
	wait_answer(w);
	return w->type == MSG_AUTH_OK ? "ok" : w->temp ? "temp" : "fail";
}

static const char *
redeem(struct world *w, uint8_t service)
{
	struct msg_redeem m = { .service = service,
				.ticket = str_mem(w->ticket, TICKET_LEN) };

	assert_int_not_equal(
		asker_send(w->spawner, &msg_redeem_def, &m, 0, on_reply, w), 0);
	wait_answer(w);
	return w->type == MSG_IDENTITY ? "ok" : "fail";
}

/* crypt("secret"), rounds as few as they can be */
#define HASH                                                           \
	"$6$rounds=1000$salt$HNxBeBnDfSfUrTj6KiLnmd7tGCvHEmcExh8kl/S0" \
	"cZ5WrCciNZgfhbpkeFQ4JfkHX.8vPq45lY0iINnCx1Lkm."
static const char users[] = "al@x.test:{CRYPT}" HASH "\n"
			    "off@x.test:!" HASH "\n"
			    "nobody:" HASH "\n";

static void
test_logins(void **state)
{
	static const struct {
		const char *name, *user, *password;
		size_t n; /* of the password, 0: strlen */
		uint8_t service;
		const char *want;
	} rows[] = {
		{ "right", "al@x.test", "secret", 0, SVC_IMAPD, "ok" },
		{ "pop3", "al@x.test", "secret", 0, SVC_POP3D, "ok" },
		{ "case of the name", "AL@X.test", "secret", 0, SVC_IMAPD,
		  "ok" },
		{ "case of the password", "al@x.test", "SECRET", 0, SVC_IMAPD,
		  "fail" },
		{ "wrong", "al@x.test", "Secret1", 0, SVC_IMAPD, "fail" },
		{ "unknown", "eve@x.test", "secret", 0, SVC_IMAPD, "fail" },
		{ "locked", "off@x.test", "secret", 0, SVC_IMAPD, "fail" },
		{ "empty password", "al@x.test", "", 0, SVC_IMAPD, "fail" },
		{ "empty on locked", "off@x.test", "", 0, SVC_IMAPD, "fail" },
		{ "NUL and more", "al@x.test", "secret\0x", 8, SVC_IMAPD,
		  "fail" },
		{ "NUL at the end", "al@x.test", "secret", 7, SVC_IMAPD,
		  "fail" },
		{ "no name", "", "secret", 0, SVC_IMAPD, "fail" },
		{ "not a login service", "al@x.test", "secret", 0, SVC_QMGR,
		  "fail" },
		{ "no identity", "nobody", "secret", 0, SVC_IMAPD, "temp" },
	};
	struct world w;
	const char *got;
	size_t i;

	(void)state;
	world_init(&w, users, 8);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = auth(&w, rows[i].service, rows[i].user,
			   str_mem(rows[i].password,
				   rows[i].n ? rows[i].n
					     : strlen(rows[i].password)));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got %s", rows[i].name, got);
	}
	world_fini(&w);
}

static void
test_ticket_to_identity(void **state)
{
	struct world w;

	(void)state;
	(void)state;
	world_init(&w, users, 8);
	assert_string_equal(auth(&w, SVC_IMAPD, "AL@x.test", STR("secret")),
			    "ok");
	assert_string_equal(w.user, "al@x.test");
	assert_string_equal(redeem(&w, SVC_IMAPD), "ok");
	assert_string_equal(w.user, "al@x.test");
	assert_string_equal(w.home, "/mail/x.test/al");
	assert_int_equal(w.uid, 500);
	assert_string_equal(redeem(&w, SVC_IMAPD), "fail");

	/* bound to the service */
	assert_string_equal(auth(&w, SVC_POP3D, "al@x.test", STR("secret")),
			    "ok");
	assert_string_equal(redeem(&w, SVC_IMAPD), "fail");

	/* who is deleted meanwhile is not let in */
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("secret")),
			    "ok");
	authd_table(&w.authd, STR("users"), memfile("# none\n", MEMFILE_SEALS));
	assert_string_equal(redeem(&w, SVC_IMAPD), "fail");
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("secret")),
			    "fail");

	/* a table that cannot be read leaves the old one */
	authd_table(&w.authd, STR("users"), memfile(users, MEMFILE_SEALS));
	authd_table(&w.authd, STR("users"), memfile("# unsealed\n", 0));
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("secret")),
			    "ok");
	world_fini(&w);
}

static void
test_no_table(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL, 8);
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("secret")),
			    "temp");
	world_fini(&w);
}

static void
count_reply(void *arg, const struct msg_def *def, void *msg)
{
	unsigned *n = arg;

	if (def == &msg_auth_fail_def && ((struct msg_auth_fail *)msg)->temp)
		n[1]++;
	n[0]++;
}

/* More than the queue holds: a temporary answer at once, and no harm when the
 * asker goes away while its passwords are being hashed. */
static void
test_flood(void **state)
{
	struct msg_auth m = { .service = SVC_IMAPD,
			      .user = STR("al@x.test"),
			      .password = STR("wrong") };
	uint64_t end = clock_mono_ms() + 20000;
	unsigned n[2] = { 0, 0 };
	struct world w;
	int i;

	(void)state;
	world_init(&w, users, 4);
	for (i = 0; i < 100; i++)
		asker_send(w.login, &msg_auth_def, &m, 0, count_reply, n);
	while (n[0] < 100 && clock_mono_ms() < end)
		turn(&w.loop);
	assert_int_equal(n[0], 100);
	assert_true(n[1] > 0 && n[1] < 100);
	for (i = 0; i < 4; i++)
		asker_send(w.login, &msg_auth_def, &m, 0, count_reply, n);
	loop_turn(&w.loop, false);
	loop_turn(&w.loop, false);
	world_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logins),
		cmocka_unit_test(test_ticket_to_identity),
		cmocka_unit_test(test_no_table),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
