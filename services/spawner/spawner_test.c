/* SPDX-License-Identifier: ISC */
/*
 * spawner over its channels: login, qmgr and authd are played by the test in
 * the same loop; the users' processes are real forks that open their mailbox
 * as the true child does, without ids and jail, and then play a short script.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/msg_deliver.h"
#include "frame/msg_spawner.h"
#include "spawner.h"

struct rig {
	char dir[40];
	struct loop loop;
	struct params params;
	struct spawner spawner;
	struct chan *authd, *login, *qmgr;
	unsigned redeemed;
	/* what authd says: identity, or fail */
	struct msg_identity identity;
	bool authd_fails, authd_silent;
	/* answers to login or qmgr */
	unsigned answers;
	uint32_t tag;
	const struct msg_def *def;
	int fd;
	uint8_t class;
	char dsn[20], text[600];
};

/* --- the users' processes ------------------------------------------------- */

/* The true child closes what is not its own; a stand-in has the test's own
 * descriptors as well. */
static void
close_others(const struct child_spec *spec, int spawner, int birth)
{
	int fd;

	for (fd = 3; fd < 256; fd++)
		if (fd != spawner && fd != birth && fd != spec->tree->fd)
			close(fd);
}

static void
say(int birth, const char *text)
{
	if (write(birth, text, strlen(text)) < 0)
		_exit(1);
	close(birth);
}

/* Frames are read with the true codec, on a blocking descriptor. */
static int
next_client(int fd, uint32_t *tag, struct msg_client *m, char *frame)
{
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { frame, MSG_FRAME_MAX };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = space,
			     .msg_controllen = sizeof(space) };
	struct err err;
	uint16_t type;
	ssize_t n;
	int client;

	fcntl(fd, F_SETFL, 0);
	n = recvmsg(fd, &mh, 0);
	if (n <= 0 || !CMSG_FIRSTHDR(&mh))
		return -1;
	memcpy(&client, CMSG_DATA(CMSG_FIRSTHDR(&mh)), sizeof(client));
	if (msg_peek(str_mem(frame, (size_t)n), &type, tag) < 0)
		return -1;
	return msg_decode(str_mem(frame, (size_t)n), &msg_client_def, m,
			  &client, 1, &err);
}

static void
say_to_spawner(int fd, uint32_t tag, const struct msg_def *def, const void *msg)
{
	int fds[MSG_FDS_MAX];
	struct buf b;
	size_t nfds;

	buf_init(&b, 1000);
	if (msg_encode(&b, def, tag, msg, fds, &nfds, NULL) < 0 ||
	    send(fd, b.p, b.n, 0) < 0)
		_exit(2);
	buf_fini(&b);
}

static void
take_client(int fd, uint32_t tag)
{
	struct msg_client_taken taken = { 0 };

	say_to_spawner(fd, tag, &msg_client_taken_def, &taken);
}

/* Takes each client and writes to it who it is and what came with it; a client
 * whose tag is "quit" ends the process afterwards. */
static void
serve(const struct child_spec *spec, int spawner)
{
	static char frame[MSG_FRAME_MAX];
	struct msg_client m;
	uint32_t tag;

	while (next_client(spawner, &tag, &m, frame) == 0) {
		dprintf(m.fd, "%ld %s %.*s %.*s %.*s", (long)getpid(),
			spec->id.user, STR_FMT(m.user), STR_FMT(m.tag),
			STR_FMT(m.pending));
		take_client(spawner, tag);
		close(m.fd);
		if (str_eq(m.tag, STR("quit")))
			break;
	}
}

static void
good_child(const struct child_spec *spec, const struct child_env *env,
	   int spawner, int birth)
{
	struct err err;
	int mbox;

	close_others(spec, spawner, birth);
	if (child_open_root(spec, env, &mbox, &err) < 0) {
		char why[300];

		snprintf(why, sizeof(why), "T%s", err.text);
		say(birth, why);
		_exit(73);
	}
	say(birth, "R");
	serve(spec, spawner);
	_exit(0);
}

/* An mbox's process that is asked for its file and does not answer; for others
 * as the good one. */
static void
mute_mbox_child(const struct child_spec *spec, const struct child_env *env,
		int spawner, int birth)
{
	char frame[1000];

	if (spec->service != SVC_MBOX)
		good_child(spec, env, spawner, birth);
	close_others(spec, spawner, birth);
	say(birth, "R");
	fcntl(spawner, F_SETFL, 0);
	while (read(spawner, frame, sizeof(frame)) > 0)
		;
	_exit(0);
}

static void
stillborn_child(const struct child_spec *spec, const struct child_env *env,
		int spawner, int birth)
{
	close_others(spec, spawner, birth);
	(void)env;
	_exit(9);
}

/* The first one dies with the client in its hands; a file says that it did. */
static void
clumsy_child(const struct child_spec *spec, const struct child_env *env,
	     int spawner, int birth)
{
	static char frame[MSG_FRAME_MAX];
	struct msg_client m;
	uint32_t tag;
	int fd = openat(spec->tree->fd, "clumsy", O_CREAT | O_EXCL, 0600);

	close_others(spec, spawner, birth);
	(void)env;
	say(birth, "R");
	if (fd >= 0) {
		(void)!next_client(spawner, &tag, &m, frame);
		_exit(3);
	}
	serve(spec, spawner);
	_exit(0);
}

static void
hopeless_child(const struct child_spec *spec, const struct child_env *env,
	       int spawner, int birth)
{
	static char frame[MSG_FRAME_MAX];
	struct msg_client m;
	uint32_t tag;

	close_others(spec, spawner, birth);
	(void)env;
	say(birth, "R");
	(void)!next_client(spawner, &tag, &m, frame);
	_exit(3);
}

/* It has been taken over, and answers with what belongs to other questions. */
static void
lying_child(const struct child_spec *spec, const struct child_env *env,
	    int spawner, int birth)
{
	static char frame[MSG_FRAME_MAX];
	struct msg_who_row row = { .user = STR("root") };
	struct msg_who_done done = { .count = 1 };
	struct msg_client m;
	uint32_t tag;

	close_others(spec, spawner, birth);
	(void)env;
	say(birth, "R");
	if (next_client(spawner, &tag, &m, frame) < 0)
		_exit(2);
	close(m.fd);
	say_to_spawner(spawner, tag, &msg_who_row_def, &row);
	say_to_spawner(spawner, tag, &msg_who_done_def, &done);
	(void)!next_client(spawner, &tag, &m, frame); /* until EOF */
	_exit(0);
}

static int
no_entry(const struct user_entry *e)
{
	(void)e;
	return 0;
}

/* --- authd, login, qmgr -------------------------------------------------- */

static void
on_redeem(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	  void *msg)
{
	static const struct msg_auth_fail no = { .text = STR("stale ticket") };
	const struct msg_redeem *m = msg;
	struct rig *r = arg;

	assert_ptr_equal(def, &msg_redeem_def);
	assert_true(str_eq(m->ticket, STR("0123456789abcdef0123456789abcdef")));
	r->redeemed++;
	if (r->authd_silent)
		chan_close(c);
	else if (r->authd_fails)
		chan_send(c, tag, &msg_auth_fail_def, &no);
	else
		chan_send(c, tag, &msg_identity_def, &r->identity);
	if (r->authd_silent)
		r->authd = NULL;
}

static void
on_answer(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	  void *msg)
{
	struct msg_spawn_fail *f = msg;
	struct msg_opened *o = msg;
	struct rig *r = arg;

	(void)c;
	r->answers++;
	r->tag = tag;
	r->def = def;
	if (def == &msg_spawn_fail_def) {
		r->class = f->class;
		str_copy(r->dsn, sizeof(r->dsn), f->dsn);
		str_copy(r->text, sizeof(r->text), f->text);
	} else if (def == &msg_opened_def) {
		r->fd = o->fd;
		o->fd = -1;
	}
}

static void
on_closed(struct chan *c, void *arg)
{
	(void)c;
	(void)arg;
	fail();
}

static const struct chan_ops authd_ops = { on_redeem, on_closed };
static const struct chan_ops asker_ops = { on_answer, on_closed };

static void
make_pair(int pair[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void
load_params(struct rig *r, const char *home_mailbox)
{
	struct err err;
	struct buf b;

	buf_init(&b, 4000);
	buf_addf(&b,
		 "virtual_mailbox_base = %s/mail\n"
		 "virtual_uid_maps = static:5000\n"
		 "virtual_gid_maps = static:5000\n"
		 "home_mailbox = %s\n"
		 "mail_spool_directory = /nonexistent\n"
		 "mbox_take_in = 1\n"
		 "home_parents = %s/home\n"
		 "first_valid_uid = 1000\nlast_valid_uid = 59999\n"
		 "first_valid_gid = 1000\nlast_valid_gid = 59999\n",
		 r->dir, home_mailbox, r->dir);
	assert_int_equal(params_load(&r->params, buf_str(&b), &err), 0);
	buf_fini(&b);
}

static void
set_passwd(struct rig *r)
{
	FILE *f = tmpfile();

	fprintf(f,
		"root:x:0:0::/root:/bin/sh\n"
		"alice:x:1001:1001::%s/home/alice:/bin/sh\n"
		"moved:x:1002:1002::%s/home/moved:/bin/sh\n"
		"away:x:1003:1003::/srv/away:/bin/sh\n",
		r->dir, r->dir);
	fflush(f);
	spawner_passwd(&r->spawner, dup(fileno(f)));
	fclose(f);
}

static void
rig_open(struct rig *r)
{
	static const uint8_t ids[] = { SVC_DELIVER, SVC_IMAPD, SVC_POP3D };
	char path[200];
	struct err err;
	int pair[2];
	size_t i;

	memset(r, 0, sizeof(*r));
	r->fd = -1;
	snprintf(r->dir, sizeof(r->dir), "/tmp/spawner_test.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(path, sizeof(path), "mkdir -p %s/mail %s/home/alice", r->dir,
		 r->dir);
	assert_int_equal(system(path), 0);
	load_params(r, "Maildir/");
	assert_int_equal(loop_init(&r->loop, &err), 0);
	spawner_confine(&r->spawner, &r->params);
	assert_int_equal(r->spawner.ntrees, 2);
	assert_int_equal(spawner_init(&r->spawner, &r->loop, &r->params, &err),
			 0);
	r->spawner.procs.limit = 100;
	r->spawner.procs.child = good_child;
	for (i = 0; i < sizeof(ids); i++)
		r->spawner.procs.env[ids[i]] =
			(struct child_env){ .entry = no_entry, .log = -1 };
	set_passwd(r);
	make_pair(pair);
	r->spawner.authd = asker_new_fd(
		&r->loop, pair[0], &channels[CH_SPAWNER_AUTHD], NULL, NULL);
	r->authd = chan_new(&r->loop, pair[1], &channels[CH_SPAWNER_AUTHD],
			    CHAN_SERVICE, &authd_ops, r);
	make_pair(pair);
	spawner_peer(&r->spawner, &channels[CH_LOGIN_SPAWNER], pair[0]);
	r->login = chan_new(&r->loop, pair[1], &channels[CH_LOGIN_SPAWNER],
			    CHAN_ASKER, &asker_ops, r);
	make_pair(pair);
	spawner_peer(&r->spawner, &channels[CH_QMGR_SPAWNER], pair[0]);
	r->qmgr = chan_new(&r->loop, pair[1], &channels[CH_QMGR_SPAWNER],
			   CHAN_ASKER, &asker_ops, r);
	r->identity = (struct msg_identity){ .user = STR("al@d"),
					     .uid = 5000,
					     .gid = 5000 };
}

static void
rig_close(struct rig *r)
{
	char cmd[80];
	size_t i;

	spawner_fini(&r->spawner);
	for (i = 0; i < r->spawner.ntrees; i++)
		close(r->spawner.trees[i].fd);
	if (r->authd)
		chan_close(r->authd);
	chan_close(r->login);
	chan_close(r->qmgr);
	/* spawner's ends are still in the loop: they see EOF. */
	loop_turn(&r->loop, true);
	loop_turn(&r->loop, false);
	loop_fini(&r->loop);
	params_fini(&r->params);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", r->dir);
	assert_int_equal(system(cmd), 0);
}

static void
turn_until(struct rig *r, unsigned answers)
{
	uint64_t end = clock_mono_ms() + 20000;

	loop_turn(&r->loop, false);
	while (r->answers < answers && clock_mono_ms() < end)
		loop_turn(&r->loop, true);
	assert_int_equal(r->answers, answers);
}

static void
turn_until_procs(struct rig *r, unsigned n)
{
	uint64_t end = clock_mono_ms() + 20000;

	while (r->spawner.procs.n != n && clock_mono_ms() < end)
		loop_turn(&r->loop, true);
	assert_int_equal(r->spawner.procs.n, n);
}

/* A login; what the process wrote to the client comes back in text. */
static void
start(struct rig *r, uint32_t tag, uint8_t service, const char *home,
      const char *imap_tag, char *text)
{
	struct msg_start m = {
		.service = service,
		.ticket = STR("0123456789abcdef0123456789abcdef"),
		.tag = str_of(imap_tag),
		.pending = STR("a1\r\n\0x"),
		.client = STR("127.0.0.1:9"),
	};
	char path[200];
	int pair[2];
	ssize_t n;

	snprintf(path, sizeof(path), "%s%s", home[0] == '/' ? "" : r->dir,
		 home);
	if (home[0] != '/')
		snprintf(path, sizeof(path), "%s/%s", r->dir, home);
	r->identity.home = str_of(path);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	m.fd = pair[0];
	assert_int_equal(chan_send(r->login, tag, &msg_start_def, &m), 0);
	close(pair[0]);
	turn_until(r, r->answers + 1);
	assert_int_equal(r->tag, tag);
	/* Whatever the answer, nobody but the process has the client: EOF. */
	text[0] = '\0';
	n = read(pair[1], text, 199);
	if (n > 0)
		text[n] = '\0';
	while (n > 0)
		n = read(pair[1], path, sizeof(path));
	close(pair[1]);
}

static void
open_channel(struct rig *r, uint32_t tag, uint8_t kind, const char *user)
{
	struct msg_open m = { kind, str_of(user) };

	assert_int_equal(chan_send(r->qmgr, tag, &msg_open_def, &m), 0);
	turn_until(r, r->answers + 1);
	assert_int_equal(r->tag, tag);
}

static bool
exists(struct rig *r, const char *path)
{
	char whole[200];

	snprintf(whole, sizeof(whole), "%s/%s", r->dir, path);
	return access(whole, F_OK) == 0;
}

/* --- tests --------------------------------------------------------------- */

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
