/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx_mem.h"
#include "order.h"
#include "testbed.h"

enum { SETTLED = 12, TURNS_MAX = 5000, GOT_MAX = 1 << 28, PORTION = 16384 };

/* Names of files come again in each run: the disk keeps all there ever were. */
static uint64_t random_state;

ssize_t
getrandom(void *p, size_t n, unsigned flags)
{
	size_t i;

	(void)flags;
	for (i = 0; i < n; i++) {
		random_state = random_state * 6364136223846793005u + 1;
		((char *)p)[i] = (char)(random_state >> 56);
	}
	return (ssize_t)n;
}

static const char multipart[] =
	"From: \"A, B\" <a@example.com>\nTo: Friends: x@example.com;\n"
	"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\nMessage-ID: <1@x>\n"
	"Date: Mon, 7 Feb 1994 21:52:25 -0800\nMIME-Version: 1.0\n"
	"Content-Type: multipart/mixed; boundary=bb\n\npreamble\n"
	"--bb\nContent-Type: text/plain; charset=utf-8\n"
	"Content-Transfer-Encoding: base64\n\nSGVsbG8gV8O2cmxkCg==\n"
	"--bb\nContent-Type: message/rfc822\n\nSubject: inner\n\n"
	"inner body\nline two\n--bb--\nepilogue\n";
static const char *const texts[] = {
	multipart,
	"Subject: one\r\n\r\ntext\rwith \r\r\n ends\n",
	"no header\n",
};

static void
put(struct testbed *b, const char *path, const char *text)
{
	int fd = fsx_open(b->root, path, O_WRONLY | O_CREAT, 0600);

	if (fd < 0)
		return;
	(void)!fsx_write(fd, text, strlen(text));
	fsx_close(fd);
}

static void
fill(struct testbed *b, bool flags)
{
	static const char *const dirs[] = { "Maildir", "Maildir/.A",
					    "Maildir/.A.B" };
	char path[80];
	struct err err;
	size_t i;

	fsx_mem_reset();
	b->root = fsx_mem_root();
	for (i = 0; i < 3; i++)
		BUG_ON(maildir_create(b->root, dirs[i], &err) < 0);
	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "Maildir/cur/10%zu.x:2,%s", i,
			 !flags ? ""
			 : i	? "ST"
				: "Fa");
		put(b, path, texts[i]);
	}
	put(b, "Maildir/subscriptions", "A\nWish.below\n");
}

void
testbed_arrive(struct testbed *b)
{
	char path[80];

	snprintf(path, sizeof(path), "Maildir/new/20%u.y", b->arrived);
	put(b, path, texts[b->arrived++ % 3]);
	store_poll(b->u.store);
}

static void
on_linger(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
take(struct testbed *b, int i, struct str s)
{
	size_t used;

	if (!b->packed[i]) {
		BUG_ON(buf_add_str(&b->got[i], s) < 0);
		b->packed[i] = str_ends(buf_str(&b->got[i]),
					STR("OK DEFLATE active\r\n"));
		return;
	}
	while (s.n || b->flate[i].more) {
		BUG_ON(flate_get(&b->flate[i], s, &used, &b->got[i], PORTION) <
		       0);
		s = str_from(s, used);
	}
}

static bool
received(struct testbed *b)
{
	char part[PORTION];
	ssize_t n;
	bool any = false;
	int i;

	for (i = 0; i < 2; i++) {
		if (b->client[i] < 0)
			continue;
		while ((n = recv(b->client[i], part, sizeof(part),
				 MSG_DONTWAIT)) > 0) {
			take(b, i, str_mem(part, (size_t)n));
			any = true;
		}
	}
	return any;
}

void
testbed_settle(struct testbed *b)
{
	int quiet = 0, turns = 0;

	while (quiet < SETTLED && turns++ < TURNS_MAX) {
		loop_turn(&b->u.loop, false);
		quiet = received(b) ? 0 : quiet + 1;
	}
	BUG_ON(turns >= TURNS_MAX);
}

static void
send_all(struct testbed *b, int i, struct str s)
{
	ssize_t n;

	while (s.n && b->u.nsessions) {
		n = send(b->client[i], s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			break;
		s = str_from(s, n > 0 ? (size_t)n : 0);
		testbed_settle(b);
	}
	testbed_settle(b);
}

void
testbed_say(struct testbed *b, int i, struct str s)
{
	struct buf packed;

	if (!b->packed[i] || b->plain) {
		send_all(b, i, s);
		return;
	}
	buf_init(&packed, GOT_MAX);
	BUG_ON(flate_put(&b->flate[i], s, &packed) < 0);
	send_all(b, i, buf_str(&packed));
	buf_fini(&packed);
}

void
testbed_connect(struct testbed *b, int i)
{
	int fds[2];

	BUG_ON(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			  0, fds) < 0);
	b->client[i] = fds[0];
	BUG_ON(!imap_session_new(&b->u, fds[1], STR("x"), STR_NULL, STR("c")));
}

void
testbed_init(struct testbed *b, bool flags)
{
	struct err err;
	int i;

	*b = (struct testbed){ .client = { -1, -1 } };
	for (i = 0; i < 2; i++) {
		buf_init(&b->got[i], GOT_MAX);
		flate_init(&b->flate[i]);
	}
	random_state = 1;
	clock_fix_wall_us(1700000000000000);
	fill(b, flags);
	list_init(&b->u.sessions);
	list_init(&b->u.loop.dirty);
	BUG_ON(loop_init(&b->u.loop, &err) < 0);
	b->u.name = "test";
	b->u.max_sessions = 10;
	b->u.append_limit = 100000;
	b->u.compress = true;
	b->u.timeout_ms = 1800000;
	b->u.linger = evtimer_new(b->u.loop.base, on_linger, NULL);
	b->u.store = store_open(b->root, "Maildir", "host", &err);
	BUG_ON(!b->u.linger || !b->u.store);
}

void
testbed_fini(struct testbed *b)
{
	int i;

	for (i = 0; i < 2; i++)
		if (b->client[i] >= 0)
			close(b->client[i]);
	b->client[0] = b->client[1] = -1;
	testbed_settle(b);
	while (!list_empty(&b->u.sessions))
		imap_session_free(
			LIST_OF(b->u.sessions.next, struct imap_session, link));
	BUG_ON(b->u.nsessions);
	imap_order_drop(&b->u);
	store_close(b->u.store);
	event_free(b->u.linger);
	loop_fini(&b->u.loop);
	for (i = 0; i < 2; i++) {
		buf_fini(&b->got[i]);
		flate_fini(&b->flate[i]);
	}
}
