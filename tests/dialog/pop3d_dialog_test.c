/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/param.h"
#include "script.h"
#include "session.h"

/* pop3d over a Maildir of its own; others change it under its hands. */
struct bed {
	struct loop loop;
	struct pop3d pop3d;
	struct params params;
	char dir[64];
	int root;
	unsigned idle; /* how often the last client has gone */
	int other;     /* a second client, that says nothing */
	char from[80]; /* the next clients' address */
};

static void
on_idle(struct pop3d *p)
{
	((struct bed *)p->arg)->idle++;
}

/* "param NAME = V": for the clients to come, from the defaults each time. */
static void
configure(struct bed *b, struct str line)
{
	struct err err;
	struct buf text;

	buf_init(&text, 4000);
	(void)!buf_add_c(&text, "rawlog_users = \nrawlog_size_limit = 1000\n"
				"pop3_timeout = 60\npop3_session_limit = 3\n"
				"mail_max_userip_connections = 0\n"
				"pop3_uidl_format = %08Xu%08Xv\n"
				"pop3_no_flag_updates = 0\n"
				"pop3_expire = 0\npop3_login_delay = 0\n"
				"auth_mechanisms = PLAIN LOGIN SCRAM-SHA-1\n");
	(void)!buf_add_str(&text, line);
	(void)!buf_add_byte(&text, '\n');
	params_fini(&b->params);
	if (params_load(&b->params, buf_str(&text), &err) < 0)
		fail_msg("%s", err.text);
	buf_fini(&text);
	pop3_conf_init(&b->pop3d.conf, &b->params);
}

static void
on_work(struct pop3d *p)
{
	int ms;

	store_work(p->store, &ms);
}

static void
begin(void *arg)
{
	struct bed *b = arg;
	struct err err;

	*b = (struct bed){ .dir = "/tmp/pop3d-test-XXXXXX", .other = -1 };
	assert_non_null(mkdtemp(b->dir));
	b->root = open(b->dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	assert_true(b->root >= 0);
	assert_int_equal(loop_init(&b->loop, &err), 0);
	b->pop3d = (struct pop3d){ .loop = &b->loop,
				   .params = &b->params,
				   .root = b->root,
				   .on_idle = on_idle,
				   .on_work = on_work,
				   .arg = b };
	list_init(&b->pop3d.sessions);
	configure(b, STR("rawlog_users ="));
	b->pop3d.store = store_open(b->root, ".", "test", &err);
	if (!b->pop3d.store)
		fail_msg("%s", err.text);
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
	int i;

	clock_fix_wall_us(0);
	for (i = 0; i < 5; i++)
		loop_turn(&b->loop, false);
	while (!list_empty(&b->pop3d.sessions))
		session_close(
			LIST_OF(b->pop3d.sessions.next, struct session, link),
			"end of test");
	store_close(b->pop3d.store);
	loop_fini(&b->loop);
	params_fini(&b->params);
	close(b->root);
	if (b->other >= 0)
		close(b->other);
	nftw(b->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
turn(void *arg)
{
	loop_turn(&((struct bed *)arg)->loop, false);
}

/* "client [PENDING]": as spawner passes one. */
static int
client(void *arg, struct str how)
{
	struct bed *b = arg;
	struct msg_client m = { .user = STR("al@x.test"),
				.pending = how,
				.client = str_of(b->from) };
	int sv[2], small = 4096;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv),
			 0);
	(void)setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	m.fd = sv[1];
	session_open(&b->pop3d, &m);
	if (m.fd >= 0) /* refused; the channel would close it */
		close(m.fd);
	return sv[0];
}

/* "mail NAME TIMES TEXT": a file in new/. */
static void
mail(struct bed *b, struct script *s, struct str rest)
{
	struct str name, times;
	struct buf text;
	char path[200];
	uint64_t n;
	FILE *f;

	if (!str_cut(&rest, ' ', &name) || !str_cut(&rest, ' ', &times) ||
	    str_u64(times, 1000000, &n) < 0)
		script_fail(s, "mail NAME TIMES TEXT");
	buf_init(&text, 1 << 20);
	script_unescape(s, rest, &text);
	(void)snprintf(path, sizeof(path), "%s/new/%.*s", b->dir,
		       STR_FMT(name));
	f = fopen(path, "w");
	assert_non_null(f);
	while (n--)
		assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
	assert_int_equal(fclose(f), 0);
	buf_fini(&text);
}

/* "files N": so many there are in new/ and cur/. */
static void
files(struct bed *b, struct script *s, struct str rest)
{
	static const char *const parts[] = { "new", "cur" };
	uint64_t want, n = 0;
	unsigned char type;
	struct fsx_dir *d;
	size_t i;

	for (i = 0; i < 2; i++) {
		d = fsx_opendir(b->root, parts[i]);
		assert_non_null(d);
		while (fsx_readdir(d, &type))
			n++;
		fsx_closedir(d);
	}
	if (str_u64(rest, UINT32_MAX, &want) < 0 || n != want)
		script_fail(s, "there are %u files", (unsigned)n);
}

/* "gone NAME", "seen NAME": what an IMAP session does meanwhile. */
static void
move(struct bed *b, struct script *s, const char *to, struct str name)
{
	static const char *const from[] = { "new/", "cur/" };
	char old[200], fresh[200];
	size_t i;

	for (i = 0; i < 4; i++) {
		(void)snprintf(old, sizeof(old), "%s/%s%.*s%s", b->dir,
			       from[i % 2], STR_FMT(name), i < 2 ? "" : ":2,S");
		(void)snprintf(fresh, sizeof(fresh), "%s/%s%.*s:2,FS", b->dir,
			       to, STR_FMT(name));
		if (rename(old, fresh) == 0)
			return;
	}
	script_fail(s, "no file %.*s", STR_FMT(name));
}

/* "uidl TEXT": what an import left. */
static void
uidl(struct bed *b, struct script *s, struct str rest)
{
	struct index_totals totals;
	struct mailbox *mb;
	struct buf text;
	struct err err;
	int fd;

	mb = mailbox_open(b->pop3d.store, STR("INBOX"), &err);
	assert_non_null(mb);
	buf_init(&text, 10000);
	mailbox_totals(mb, &totals);
	(void)!buf_addf(&text, "posthouse.uidl 1 %u\n", totals.uidvalidity);
	script_unescape(s, rest, &text);
	fd = openat(b->root, "posthouse.uidl", O_WRONLY | O_CREAT | O_TRUNC,
		    0600);
	assert_int_equal(write(fd, text.p, text.n), text.n);
	close(fd);
	buf_fini(&text);
	mailbox_release(mb);
}

/* "later SECONDS": the wall clock goes on. */
static void
later(struct script *s, struct str rest)
{
	uint64_t seconds;

	if (str_u64(rest, UINT32_MAX, &seconds) < 0)
		script_fail(s, "later SECONDS");
	clock_fix_wall_us(clock_wall_us() + seconds * 1000000);
}

/* "seen N": so many messages are marked so. */
static void
seen(struct bed *b, struct script *s, struct str rest)
{
	struct mailbox *mb;
	uint64_t want, n = 0;
	struct err err;
	size_t i;

	mb = mailbox_open(b->pop3d.store, STR("INBOX"), &err);
	assert_non_null(mb);
	for (i = 0; i < mailbox_slots(mb); i++)
		n += !mailbox_at(mb, i)->gone &&
		     mailbox_at(mb, i)->flags & MAILDIR_SEEN;
	mailbox_release(mb);
	if (str_u64(rest, UINT32_MAX, &want) < 0 || n != want)
		script_fail(s, "%u are seen", (unsigned)n);
}

static void
verb(void *arg, struct script *s, struct str verb, struct str rest)
{
	struct bed *b = arg;

	if (str_eq(verb, STR("mail")))
		mail(b, s, rest);
	else if (str_eq(verb, STR("files")))
		files(b, s, rest);
	else if (str_eq(verb, STR("gone")))
		move(b, s, "tmp/", rest);
	else if (str_eq(verb, STR("flagged")))
		move(b, s, "cur/", rest);
	else if (str_eq(verb, STR("param")))
		configure(b, rest);
	else if (str_eq(verb, STR("uidl")))
		uidl(b, s, rest);
	else if (str_eq(verb, STR("from")))
		assert_true(str_copy(b->from, sizeof(b->from), rest));
	else if (str_eq(verb, STR("later")))
		later(s, rest);
	else if (str_eq(verb, STR("seen")))
		seen(b, s, rest);
	else if (str_eq(verb, STR("timeout_ms")))
		b->pop3d.conf.timeout_ms = (unsigned)strtoul(rest.p, NULL, 10);
	else if (str_eq(verb, STR("other")))
		b->other = client(b, STR(""));
	else
		script_fail(s, "unknown verb %.*s", STR_FMT(verb));
}

static const struct script_ops ops = { begin, end, turn, client, verb };

static void
test_dialogues(void **state)
{
	static struct bed bed;

	(void)state;
	assert_true(script_run_all("pop3d", &ops, &bed) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogues),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
