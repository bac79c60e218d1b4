/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "testbed.h"

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

void
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

void
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

void
stillborn_child(const struct child_spec *spec, const struct child_env *env,
		int spawner, int birth)
{
	close_others(spec, spawner, birth);
	(void)env;
	_exit(9);
}

void
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

void
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

void
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

void
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

void
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

void
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

void
turn_until_procs(struct rig *r, unsigned n)
{
	uint64_t end = clock_mono_ms() + 20000;

	while (r->spawner.procs.n != n && clock_mono_ms() < end)
		loop_turn(&r->loop, true);
	assert_int_equal(r->spawner.procs.n, n);
}

void
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

void
open_channel(struct rig *r, uint32_t tag, uint8_t kind, const char *user)
{
	struct msg_open m = { kind, str_of(user) };

	assert_int_equal(chan_send(r->qmgr, tag, &msg_open_def, &m), 0);
	turn_until(r, r->answers + 1);
	assert_int_equal(r->tag, tag);
}

bool
exists(struct rig *r, const char *path)
{
	char whole[200];

	snprintf(whole, sizeof(whole), "%s/%s", r->dir, path);
	return access(whole, F_OK) == 0;
}
