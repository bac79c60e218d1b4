/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/unit.h"
#include "script.h"
#include "session.h"

/* imapd over a Maildir of its own; others change it under its hands. */
struct bed {
	struct imap_user user;
	char dir[64];
	int root;
	int other; /* a second client; -1: none */
};

static void
on_linger(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
begin(void *arg)
{
	struct bed *b = arg;
	struct imap_user *u = &b->user;
	struct err err;

	*b = (struct bed){ .dir = "/tmp/imapd-test-XXXXXX", .other = -1 };
	assert_non_null(mkdtemp(b->dir));
	b->root = open(b->dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	assert_true(b->root >= 0);
	assert_int_equal(loop_init(&u->loop, &err), 0);
	list_init(&u->sessions);
	u->name = "test";
	u->max_sessions = 10;
	u->append_limit = 10000;
	u->compress = true;
	u->timeout_ms = 60000;
	u->linger = evtimer_new(u->loop.base, on_linger, u);
	u->store = store_open(b->root, ".", "test", &err);
	if (!u->store)
		fail_msg("%s", err.text);
	assert_true(store_watch_fd(u->store) >= 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
end(void *arg)
{
	struct bed *b = arg;
	struct imap_user *u = &b->user;
	int i;

	if (b->other >= 0)
		close(b->other);
	for (i = 0; i < 5; i++)
		loop_turn(&u->loop, false);
	while (!list_empty(&u->sessions))
		imap_session_free(
			LIST_OF(u->sessions.next, struct imap_session, link));
	store_close(u->store);
	event_free(u->linger);
	loop_fini(&u->loop);
	close(b->root);
	nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
turn(void *arg)
{
	struct bed *b = arg;

	loop_turn(&b->user.loop, false);
	store_poll(b->user.store);
}

/* "client [TAG]": as spawner passes one. */
static int
client(void *arg, struct str how)
{
	struct bed *b = arg;
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv),
			 0);
	assert_non_null(imap_session_new(&b->user, sv[1],
					 how.n ? how : STR("L"), STR(""),
					 STR("127.0.0.1:1")));
	return sv[0];
}

static const char *
path_of(struct bed *b, char *out, size_t size, struct str name)
{
	(void)snprintf(out, size, "%s/%.*s", b->dir, STR_FMT(name));
	return out;
}

/* "mail PATH TEXT": a file below the Maildir, dated 1-Jan-2001. */
static void
mail(struct bed *b, struct script *s, struct str rest)
{
	struct timespec ts[2] = { { .tv_sec = 978307200 },
				  { .tv_sec = 978307200 } };
	char path[300];
	struct str name;
	struct buf text;
	int fd;

	if (!str_cut(&rest, ' ', &name))
		script_fail(s, "mail PATH TEXT");
	buf_init(&text, 1 << 20);
	script_unescape(s, rest, &text);
	fd = open(path_of(b, path, sizeof(path), name),
		  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	assert_int_equal(futimens(fd, ts), 0);
	close(fd);
	buf_fini(&text);
}

/* "other TEXT": a session of the same user has INBOX selected and says so. */
static void
other(struct bed *b, struct script *s, struct str text)
{
	char in[65536];
	struct str said;
	ssize_t n;
	int i;

	if (b->other < 0) {
		b->other = client(b, STR("L"));
		dprintf(b->other, "s SELECT INBOX\r\n");
	}
	dprintf(b->other, "o %.*s\r\n", STR_FMT(text));
	for (i = 0; i < 50; i++)
		turn(b);
	n = recv(b->other, in, sizeof(in), MSG_DONTWAIT);
	said = str_mem(in, n > 0 ? (size_t)n : 0);
	if (!str_starts(said, STR("o OK")) &&
	    str_search(said, STR("\no OK")) < 0)
		script_fail(s, "other: %.*s", STR_FMT(said));
}

static void
verb(void *arg, struct script *s, struct str verb, struct str rest)
{
	struct bed *b = arg;
	char old[300], new[300];
	struct str from;

	if (str_eq(verb, STR("mail"))) {
		mail(b, s, rest);
	} else if (str_eq(verb, STR("gone"))) {
		if (unlink(path_of(b, old, sizeof(old), rest)) < 0)
			script_fail(s, "no %s", old);
	} else if (str_eq(verb, STR("unreadable"))) {
		path_of(b, old, sizeof(old), rest);
		if (unlink(old) < 0 || symlink(old, old) < 0)
			script_fail(s, "no %s", old);
	} else if (str_eq(verb, STR("moved"))) {
		if (!str_cut(&rest, ' ', &from) ||
		    rename(path_of(b, old, sizeof(old), from),
			   path_of(b, new, sizeof(new), rest)) < 0)
			script_fail(s, "no %s", old);
	} else if (str_eq(verb, STR("there"))) {
		if (access(path_of(b, old, sizeof(old), rest), F_OK) < 0)
			script_fail(s, "no %s", old);
	} else if (str_eq(verb, STR("work"))) {
		store_finish(b->user.store);
	} else if (str_eq(verb, STR("other"))) {
		other(b, s, rest);
	} else {
		script_fail(s, "unknown verb %.*s", STR_FMT(verb));
	}
}

static const struct script_ops ops = { begin, end, turn, client, verb };

static void
test_dialogues(void **state)
{
	static struct bed bed;

	(void)state;
	/* The UIDVALIDITY of a new folder: 1000000000 and up. */
	clock_fix_wall_us(1000000000000000);
	assert_true(script_run_all("imapd", &ops, &bed) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
