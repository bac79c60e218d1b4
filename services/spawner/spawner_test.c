/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "testbed.h"

/* The stand-in for a user's process begins its line with its pid. */
static long
pid_in(const char *line)
{
	return strtol(line, NULL, 10);
}

static void
a_login_gets_a_process(void **state)
{
	char one[200], two[200], three[200], want[300];
	struct rig r;

	(void)state;
	rig_open(&r);
	start(&r, 1, SVC_IMAPD, "mail/d/al", "a1", one);
	assert_ptr_equal(r.def, &msg_started_def);
	assert_int_equal(r.redeemed, 1);
	assert_true(exists(&r, "mail/d/al/cur"));
	assert_true(exists(&r, "mail/d/al/new"));
	snprintf(want, sizeof(want), "%ld al@d al@d a1 a1\r\n", pid_in(one));
	assert_string_equal(one, want);
	/* The same user's second session: the same process. */
	start(&r, 2, SVC_IMAPD, "mail/d/al", "a2", two);
	assert_int_equal(pid_in(one), pid_in(two));
	assert_int_equal(r.spawner.procs.n, 1);
	/* Another service, another user, another home: another process. */
	start(&r, 3, SVC_POP3D, "mail/d/al", "", two);
	start(&r, 4, SVC_IMAPD, "mail/d/bo", "", three);
	assert_int_not_equal(pid_in(one), pid_in(two));
	assert_int_not_equal(pid_in(two), pid_in(three));
	r.identity.user = STR("bo@d");
	start(&r, 5, SVC_IMAPD, "mail/d/bo", "", two);
	assert_int_not_equal(pid_in(two), pid_in(three));
	assert_int_equal(r.spawner.procs.n, 4);
	/* One that has left is followed by a new one. */
	start(&r, 6, SVC_IMAPD, "mail/d/bo", "quit", two);
	turn_until_procs(&r, 3);
	start(&r, 7, SVC_IMAPD, "mail/d/bo", "", three);
	assert_int_not_equal(pid_in(two), pid_in(three));
	rig_close(&r);
}

static void
authd_alone_says_who(void **state)
{
	static const struct {
		uint32_t uid, gid;
		const char *home, *why;
	} rows[] = {
		{ 0, 5000, "mail/d/al", "uid 0" },
		{ 999, 5000, "mail/d/al", "first_valid_uid" },
		{ 5000, 0, "mail/d/al", "gid 0" },
		{ 5000, 5000, "/etc", "not below" },
		{ 5000, 5000, "mail/../home", "not below" },
		{ 5000, 5000, "mailx/d", "not below" },
		{ 5000, 5000, "home/nobody", "home/nobody" },
	};
	struct rig r;
	char text[200];
	size_t i;

	(void)state;
	rig_open(&r);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r.identity.uid = rows[i].uid;
		r.identity.gid = rows[i].gid;
		start(&r, 1, SVC_IMAPD, rows[i].home, "", text);
		assert_ptr_equal(r.def, &msg_spawn_fail_def);
		assert_int_equal(r.class, DELIVER_TEMP);
		if (i + 1 < sizeof(rows) / sizeof(rows[0]))
			assert_non_null(strstr(r.text, rows[i].why));
		else
			assert_non_null(strstr(r.text, "home of al@d"));
	}
	assert_false(exists(&r, "home/nobody"));
	start(&r, 2, SVC_DELIVER, "mail/d/al", "", text);
	assert_int_equal(r.class, DELIVER_PERM);
	r.authd_fails = true;
	start(&r, 3, SVC_IMAPD, "mail/d/al", "", text);
	assert_int_equal(r.class, DELIVER_PERM);
	assert_string_equal(r.text, "stale ticket");
	r.authd_silent = true;
	start(&r, 4, SVC_IMAPD, "mail/d/al", "", text);
	assert_int_equal(r.class, DELIVER_TEMP);
	assert_false(exists(&r, "mail/d"));
	rig_close(&r);
}

static void
a_client_survives_one_death(void **state)
{
	struct rig r;
	char text[200];

	(void)state;
	rig_open(&r);
	r.spawner.procs.child = clumsy_child;
	start(&r, 1, SVC_IMAPD, "mail", "x", text);
	assert_ptr_equal(r.def, &msg_started_def);
	assert_non_null(strstr(text, "al@d x a1"));
	turn_until_procs(&r, 1);
	/* But no more than one. */
	r.spawner.procs.child = hopeless_child;
	start(&r, 2, SVC_POP3D, "mail", "x", text);
	assert_ptr_equal(r.def, &msg_spawn_fail_def);
	assert_int_equal(r.class, DELIVER_TEMP);
	r.spawner.procs.child = stillborn_child;
	start(&r, 3, SVC_POP3D, "mail/d", "x", text);
	assert_ptr_equal(r.def, &msg_spawn_fail_def);
	assert_non_null(strstr(r.text, "died"));
	turn_until_procs(&r, 1);
	rig_close(&r);
}

/* What a user's process answers is judged by what it was asked. */
static void
a_lie_is_no_answer(void **state)
{
	char text[200];
	struct rig r;

	(void)state;
	rig_open(&r);
	r.spawner.procs.child = lying_child;
	start(&r, 1, SVC_IMAPD, "mail/d/al", "a1", text);
	assert_ptr_equal(r.def, &msg_spawn_fail_def);
	assert_string_equal(text, "");
	/* It gets no other client. */
	r.spawner.procs.child = good_child;
	start(&r, 2, SVC_IMAPD, "mail/d/al", "a2", text);
	assert_ptr_equal(r.def, &msg_started_def);
	rig_close(&r);
}

/* A user who makes his processes stand still gets no more and more of them. */
static void
few_stand_still(void **state)
{
	char text[200];
	struct rig r;
	uint32_t i;

	(void)state;
	rig_open(&r);
	r.spawner.procs.child = lying_child;
	for (i = 1; i <= 4; i++) {
		start(&r, i, SVC_IMAPD, "mail/d/al", "a1", text);
		assert_ptr_equal(r.def, &msg_spawn_fail_def);
		assert_int_equal(r.class, DELIVER_TEMP);
	}
	assert_int_equal(r.spawner.procs.n, 2);
	r.spawner.procs.child = good_child;
	start(&r, 5, SVC_POP3D, "mail/d/al", "", text);
	assert_ptr_equal(r.def, &msg_started_def);
	rig_close(&r);
}

/* A process that dies at every start is not forked at every login. */
static void
hot_loops_are_braked(void **state)
{
	uint64_t end = clock_mono_ms() + 20000;
	struct rig r;
	char text[200];

	(void)state;
	rig_open(&r);
	r.spawner.procs.child = stillborn_child;
	start(&r, 1, SVC_IMAPD, "mail/d", "x", text);
	assert_ptr_equal(r.def, &msg_spawn_fail_def);
	turn_until_procs(&r, 0);
	r.spawner.procs.child = good_child;
	start(&r, 2, SVC_IMAPD, "mail/d", "x", text);
	assert_ptr_equal(r.def, &msg_spawn_fail_def);
	assert_int_equal(r.class, DELIVER_TEMP);
	assert_non_null(strstr(r.text, "again and again"));
	assert_int_equal(r.spawner.procs.n, 0);
	/* Another user is served, and this one after a while. */
	start(&r, 3, SVC_IMAPD, "mail/e", "x", text);
	assert_ptr_equal(r.def, &msg_started_def);
	do {
		usleep(100 * 1000);
		start(&r, 4, SVC_IMAPD, "mail/d", "x", text);
	} while (r.def != &msg_started_def && clock_mono_ms() < end);
	assert_ptr_equal(r.def, &msg_started_def);
	rig_close(&r);
}

static void
qmgr_gets_channels(void **state)
{
	struct rig r;
	int first;
	char c;

	(void)state;
	rig_open(&r);
	open_channel(&r, 1, OPEN_VIRTUAL, "");
	assert_ptr_equal(r.def, &msg_opened_def);
	first = r.fd;
	/* The stand-in takes USER_PEER for a broken client and ends, perhaps
	 * before we look. */
	assert_true(r.spawner.procs.n <= 1);
	assert_false(exists(&r, "mail/new")); /* the tree is no Maildir */
	/* A second channel; it ends with the stand-in, like the first. */
	open_channel(&r, 2, OPEN_LOCAL, "alice");
	assert_ptr_equal(r.def, &msg_opened_def);
	assert_true(exists(&r, "home/alice/Maildir/tmp"));
	assert_int_equal(read(first, &c, 1), 0);
	close(first);
	close(r.fd);
	rig_close(&r);
}

static void
qmgr_is_told_why_not(void **state)
{
	static const struct {
		uint8_t kind;
		const char *user;
		uint8_t class;
		const char *dsn, *text;
	} rows[] = {
		{ OPEN_LOCAL, "nobody", DELIVER_PERM, "5.1.1", "no such user" },
		{ OPEN_LOCAL, "", DELIVER_PERM, "5.1.1", "no such user" },
		{ OPEN_LOCAL, "root", DELIVER_TEMP, "4.3.5", "uid 0 of root" },
		{ OPEN_LOCAL, "away", DELIVER_TEMP, "4.3.5", "/srv/away" },
		{ OPEN_LOCAL, "moved", DELIVER_TEMP, "4.2.0",
		  "home of moved: moved: open directory moved: No such file" },
		{ 0, "alice", DELIVER_PERM, "5.3.0", "no such kind" },
	};
	struct rig r;
	char cmd[100];
	size_t i;

	(void)state;
	rig_open(&r);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_channel(&r, 9, rows[i].kind, rows[i].user);
		assert_ptr_equal(r.def, &msg_spawn_fail_def);
		assert_int_equal(r.class, rows[i].class);
		assert_string_equal(r.dsn, rows[i].dsn);
		assert_non_null(strstr(r.text, rows[i].text));
	}
	/* A home that is a link to somewhere else. */
	snprintf(cmd, sizeof(cmd), "ln -s alice %s/home/moved", r.dir);
	assert_int_equal(system(cmd), 0);
	open_channel(&r, 10, OPEN_LOCAL, "moved");
	assert_ptr_equal(r.def, &msg_spawn_fail_def);
	assert_non_null(strstr(r.text, "Not a directory"));
	assert_false(exists(&r, "home/alice/Maildir"));
	turn_until_procs(&r, 0);
	rig_close(&r);
}

static void
processes_are_limited(void **state)
{
	struct rig r;
	char text[200];

	(void)state;
	rig_open(&r);
	r.spawner.procs.limit = 1;
	start(&r, 1, SVC_IMAPD, "mail/d/al", "", text);
	assert_ptr_equal(r.def, &msg_started_def);
	start(&r, 2, SVC_POP3D, "mail/d/al", "", text);
	assert_ptr_equal(r.def, &msg_spawn_fail_def);
	assert_int_equal(r.class, DELIVER_TEMP);
	assert_non_null(strstr(r.text, "user_process_limit"));
	start(&r, 3, SVC_IMAPD, "mail/d/al", "quit", text);
	assert_ptr_equal(r.def, &msg_started_def);
	turn_until_procs(&r, 0);
	start(&r, 4, SVC_POP3D, "mail/d/al", "", text);
	assert_ptr_equal(r.def, &msg_started_def);
	rig_close(&r);
}

/* Where an mbox stays locked, no login waits longer than it should, be there
 * one before it that began to wait. */
static void
no_login_waits_for_a_locked_mbox(void **state)
{
	char text[200];
	struct rig r;

	(void)state;
	rig_open(&r);
	params_fini(&r.params);
	load_params(&r, "mail/in");
	r.spawner.procs.child = mute_mbox_child;
	r.spawner.procs.env[SVC_MBOX] = r.spawner.procs.env[SVC_IMAPD];
	r.identity = (struct msg_identity){ .user = STR("alice"),
					    .uid = 1001,
					    .gid = 1001 };
	start(&r, 1, SVC_IMAPD, "home/alice", "a1", text);
	assert_ptr_equal(r.def, &msg_started_def);
	assert_int_equal(r.spawner.procs.n, 2);
	assert_false(list_empty(&r.spawner.takes));
	start(&r, 2, SVC_IMAPD, "home/alice", "a2", text);
	assert_ptr_equal(r.def, &msg_started_def);
	rig_close(&r);
}

static void
plant(struct rig *r)
{
	int keep[TREES_MAX];
	size_t i;

	for (i = 0; i < r->spawner.ntrees; i++)
		keep[i] = r->spawner.trees[i].fd;
	procs_seed(&r->spawner.procs, keep, r->spawner.ntrees);
	assert_true(r->spawner.procs.seed >= 0);
}

static void
kill_seed(struct rig *r)
{
	pid_t pid = r->spawner.procs.seed_pid;

	assert_true(pid > 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	while (r->spawner.procs.seed_pid == pid)
		loop_turn(&r->loop, true);
}

/* It is made anew, but not as fast as it dies; logins do not depend on it. */
static void
a_seed_that_dies(void **state)
{
	uint64_t end = clock_mono_ms() + 60000, before;
	struct procs *ps;
	char text[200];
	struct rig r;

	(void)state;
	rig_open(&r);
	ps = &r.spawner.procs;
	plant(&r);
	start(&r, 1, SVC_IMAPD, "mail/a", "", text);
	assert_ptr_equal(r.def, &msg_started_def);
	kill_seed(&r);
	assert_true(ps->seed >= 0 && ps->seed_pid > 0);
	start(&r, 2, SVC_IMAPD, "mail/b", "", text);
	assert_ptr_equal(r.def, &msg_started_def);
	before = clock_mono_ms();
	kill_seed(&r);
	assert_true(ps->seed < 0 || clock_mono_ms() - before >= 1000);
	start(&r, 3, SVC_IMAPD, "mail/c", "", text);
	assert_ptr_equal(r.def, &msg_started_def);
	/* Then again; by whoever needs a process. */
	do {
		usleep(50 * 1000);
		start(&r, 4, SVC_IMAPD, "mail/c", "quit", text);
		turn_until_procs(&r, 2);
	} while (ps->seed < 0 && clock_mono_ms() < end);
	assert_true(ps->seed >= 0);
	/* A reload is no death. */
	plant(&r);
	start(&r, 5, SVC_IMAPD, "mail/c", "", text);
	assert_ptr_equal(r.def, &msg_started_def);
	assert_true(ps->seed >= 0);
	rig_close(&r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_gets_a_process),
		cmocka_unit_test(authd_alone_says_who),
		cmocka_unit_test(a_client_survives_one_death),
		cmocka_unit_test(a_lie_is_no_answer),
		cmocka_unit_test(few_stand_still),
		cmocka_unit_test(hot_loops_are_braked),
		cmocka_unit_test(qmgr_gets_channels),
		cmocka_unit_test(qmgr_is_told_why_not),
		cmocka_unit_test(processes_are_limited),
		cmocka_unit_test(no_login_waits_for_a_locked_mbox),
		cmocka_unit_test(a_seed_that_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
