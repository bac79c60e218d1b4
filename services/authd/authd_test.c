/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "frame/msg_pamd.h"
#include "last_use.h"
#include "testbed_world.h"

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

/* "app-secret" */
#define APP_HASH                                                            \
	"{SSHA256}sIb9FZc+V9m215Nv/D2rnNgX/MGrF99h8vjRSXqFRABBQUFBQUFBQUFB" \
	"QUFBQUFB"

static void
test_app_passwords(void **state)
{
	static const char apps[] = "al@x.test:phone:imap::" APP_HASH "\n"
				   "al@x.test:old:pop3:1:" APP_HASH "\n"
				   "off@x.test:phone:::" APP_HASH "\n"
				   "eve@x.test:phone:::" APP_HASH "\n";
	static const struct {
		const char *name, *user, *password;
		uint8_t service;
		const char *want;
	} rows[] = {
		{ "right", "AL@x.test", "app-secret", SVC_IMAPD, "ok" },
		{ "the user's own", "al@x.test", "secret", SVC_IMAPD, "ok" },
		{ "expired", "al@x.test", "app-secret", SVC_POP3D, "fail" },
		{ "wrong", "al@x.test", "app-secreT", SVC_IMAPD, "fail" },
		{ "of a locked user", "off@x.test", "app-secret", SVC_IMAPD,
		  "fail" },
		{ "of nobody", "eve@x.test", "app-secret", SVC_IMAPD, "fail" },
	};
	uint8_t bucket[LAST_USE_BUCKET];
	struct last_use last;
	struct world w;
	const char *got;
	ssize_t n;
	size_t i;

	(void)state;
	world_init(&w, users, 8);
	authd_table(&w.authd, STR("app_passwords"),
		    memfile(apps, MEMFILE_SEALS));
	w.authd.last_use = memfile("", 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		got = auth(&w, rows[i].service, rows[i].user,
			   str_of(rows[i].password));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got %s", rows[i].name, got);
	}
	/* Taken away: no longer good; a bad edition changes nothing. */
	authd_table(&w.authd, STR("app_passwords"), memfile(apps, 0));
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("app-secret")),
			    "ok");
	authd_table(&w.authd, STR("app_passwords"), memfile("", MEMFILE_SEALS));
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("app-secret")),
			    "fail");
	/* Both uses were written down. */
	for (i = 0; i < 2; i++) {
		struct str name = i ? STR("phone") : STR("");

		n = pread(w.authd.last_use, bucket, sizeof(bucket),
			  (off_t)last_use_offset(STR("al@x.test"), name));
		assert_true(n > 0);
		assert_true(last_use_find(bucket, (size_t)n, STR("al@x.test"),
					  name, &last));
		assert_int_equal(last.service, LAST_USE_IMAP);
		assert_true(str_eq(last.client, STR("192.0.2.1")));
	}
	close(w.authd.last_use);
	world_fini(&w);
}

/* The delay comes before right and wrong answers; parked attempts go when
 * their asker does. */
static void
test_penalty(void **state)
{
	struct msg_auth m = { .service = SVC_IMAPD,
			      .user = STR("al@x.test"),
			      .password = STR("wrong"),
			      .client = STR("192.0.2.1") };
	unsigned n[2] = { 0, 0 };
	uint64_t began;
	struct world w;

	(void)state;
	world_init(&w, users, 64);
	(void)penalties_configure(&w.authd.penalties, 1500, STR(""));
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("a")), "fail");
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("b")), "fail");
	began = clock_mono_ms();
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("c")), "fail");
	assert_true(clock_mono_ms() - began >= 1490);
	began = clock_mono_ms();
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("secret")),
			    "ok");
	assert_true(clock_mono_ms() - began >= 1490);
	began = clock_mono_ms();
	assert_string_equal(auth(&w, SVC_IMAPD, "al@x.test", STR("secret")),
			    "ok");
	assert_true(clock_mono_ms() - began < 1490);
	/* Parked at most as many as may; the others are told so at once. */
	(void)penalties_configure(&w.authd.penalties, 20000, STR(""));
	assert_string_equal(auth(&w, SVC_IMAPD, "x", STR("a")), "fail");
	while (penalty_next(&w.authd.penalties, clock_mono_ms()) < 0) {
		asker_send(w.login, &msg_auth_def, &m, 0, count_reply, n);
		turn(&w.loop);
	}
	assert_true(w.authd.penalties.parked > 0);
	world_fini(&w);
}

/* --- PAM ------------------------------------------------------------------ */

struct fake_pamd {
	struct chan *chan;
	char user[64];
	unsigned asked;
	bool silent;
};

static void
on_pam_check(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	     void *msg)
{
	const struct msg_pam_check *m = msg;
	struct msg_pam_result r = { .text = STR("x") };
	struct fake_pamd *p = arg;

	(void)def;
	p->asked++;
	assert_true(str_copy(p->user, sizeof(p->user), m->user));
	if (str_eq(m->password, STR("pam-secret")))
		r.verdict = PAM_VERDICT_YES;
	if (str_eq(m->password, STR("later")))
		r.verdict = PAM_VERDICT_TEMP;
	if (!p->silent)
		chan_send(c, tag, &msg_pam_result_def, &r);
}

static void
on_pam_close(struct chan *c, void *arg)
{
	(void)c;
	((struct fake_pamd *)arg)->chan = NULL;
}

static void
test_pam(void **state)
{
	static const struct chan_ops ops = { on_pam_check, on_pam_close };
	static const struct {
		const char *name, *user, *password, *want, *asked;
	} rows[] = {
		{ "right", "JOE", "pam-secret", "ok", "Joe" },
		{ "wrong", "joe", "x", "fail", "Joe" },
		{ "undecided", "joe", "later", "temp", "Joe" },
		{ "below first_valid_uid", "daemon", "pam-secret", "fail", "" },
		{ "in the users file", "al@x.test", "pam-secret", "fail", "-" },
		{ "locked in the users file", "off", "pam-secret", "fail",
		  "-" },
		{ "app password", "joe", "app-secret", "ok", "-" },
		{ "empty", "joe", "", "fail", "" },
	};
	struct msg_auth m = { .service = SVC_IMAPD,
			      .user = STR("joe"),
			      .password = STR("pam-secret") };
	unsigned n[2] = { 0, 0 }, nobody = 0, i;
	struct fake_pamd pamd = { .asked = 0 };
	char name[16];
	struct world w;
	const char *got;
	int sv[2];

	(void)state;
	world_init(&w, "al@x.test:" HASH "\noff:!\n", 64);
	authd_table(&w.authd, STR("passwd"),
		    memfile("Joe:x:1000:1000::/home/joe:\n"
			    "off:x:1001:1001::/home/off:\n"
			    "daemon:x:1:1::/:\n",
			    MEMFILE_SEALS));
	authd_table(&w.authd, STR("app_passwords"),
		    memfile("joe:phone:::" APP_HASH "\n", MEMFILE_SEALS));
	w.authd.first_uid = 1000;
	assert_string_equal(auth(&w, SVC_IMAPD, "joe", STR("pam-secret")),
			    "fail"); /* PAM is off */
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	w.authd.pam = asker_new_fd(&w.loop, sv[0], &channels[CH_AUTHD_PAMD],
				   NULL, NULL);
	pamd.chan = chan_new(&w.loop, sv[1], &channels[CH_AUTHD_PAMD],
			     CHAN_SERVICE, &ops, &pamd);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(pamd.user, "-");
		got = auth(&w, SVC_IMAPD, rows[i].user,
			   str_of(rows[i].password));
		/* Whether PAM is asked for the time of nobody's is by name. */
		if (strcmp(got, rows[i].want) != 0 ||
		    (strcmp(pamd.user, rows[i].asked) != 0 && *rows[i].asked))
			fail_msg("%s: got %s, asked about \"%s\"", rows[i].name,
				 got, pamd.user);
	}
	assert_string_equal(auth(&w, SVC_IMAPD, "joe", STR("pam-secret")),
			    "ok");
	assert_string_equal(redeem(&w, SVC_IMAPD), "ok");
	assert_int_equal(w.uid, 1000);
	assert_string_equal(w.home, "/home/joe");
	/* Half of those whom nobody knows take PAM's time. */
	pamd.asked = 0;
	for (i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "nobody%u", i);
		strcpy(pamd.user, "");
		assert_string_equal(
			auth(&w, SVC_IMAPD, name, STR("pam-secret")), "fail");
		assert_string_equal(pamd.user, "");
	}
	nobody = pamd.asked;
	assert_true(nobody > 8 && nobody < 56);
	/* pamd dies: temporary. */
	pamd.silent = true;
	asker_send(w.login, &msg_auth_def, &m, 0, count_reply, n);
	for (i = 0; i < 10000 && pamd.asked == nobody; i++)
		turn(&w.loop);
	chan_close(pamd.chan);
	for (i = 0; i < 10000 && !n[0]; i++)
		turn(&w.loop);
	assert_int_equal(n[1], 1);
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
		cmocka_unit_test(test_app_passwords),
		cmocka_unit_test(test_penalty),
		cmocka_unit_test(test_pam),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
