/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/enc.h"
#include "net/chan.h"

struct ask {
	struct str s;
	uint8_t secret; /* this asker may not set it */
};
struct answer {
	uint32_t n;
};
struct note {
	int fd;
};

static const struct msg_field ask_fields[] = {
	MSG_FIELD(ask, s, MSG_STR, 60000),
	MSG_FIELD(ask, secret, MSG_U8, 0),
};
static const struct msg_def ask_def = MSG_DEF(ask, 1, MSG_REQUEST);
static const struct msg_field answer_fields[] = {
	MSG_FIELD(answer, n, MSG_U32, 0),
};
static const struct msg_def answer_def = MSG_DEF(answer, 2, MSG_REPLY);
static const struct msg_field note_fields[] = {
	MSG_FIELD(note, fd, MSG_FD, 1),
};
static const struct msg_def note_def = MSG_DEF(note, 3, 0);

static const struct chan_row row = {
	.name = "test",
	.inflight = 4,
	.to_service = (const struct chan_msg[]){ { &ask_def, 1 << 1 },
						 { &note_def, 0 },
						 { 0 } },
	.to_asker = (const struct chan_msg[]){ { &answer_def, 0 }, { 0 } },
};

struct side {
	struct chan *c;
	unsigned got, closed;
	uint32_t tag;
	size_t bytes;
	int fd; /* taken from a note */
	bool answer, close_now, take;
};

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct side *s = arg;
	struct answer a = { .n = 1 };

	s->got++;
	s->tag = tag;
	if (def == &ask_def) {
		s->bytes += ((struct ask *)msg)->s.n;
		if (s->answer)
			assert_int_equal(chan_send(c, tag, &answer_def, &a), 0);
	}
	if (def == &note_def) {
		s->fd = ((struct note *)msg)->fd;
		if (s->take)
			((struct note *)msg)->fd = -1;
	}
	if (s->close_now) {
		chan_close(c);
		s->c = NULL;
	}
}

static void
on_close(struct chan *c, void *arg)
{
	struct side *s = arg;

	assert_ptr_equal(c, s->c);
	s->c = NULL;
	s->closed++;
}

static const struct chan_ops ops = { on_msg, on_close };

struct pair {
	struct loop loop;
	struct side asker, service;
	int raw; /* the asker's end where no chan is made of it */
};

static void
open_pair(struct pair *p, bool raw)
{
	struct err err;
	int fds[2];

	*p = (struct pair){ .raw = -1 };
	assert_int_equal(loop_init(&p->loop, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	p->service.c = chan_new(&p->loop, fds[1], &row, CHAN_SERVICE, &ops,
				&p->service);
	assert_non_null(p->service.c);
	if (raw)
		p->raw = fds[0];
	else
		p->asker.c = chan_new(&p->loop, fds[0], &row, CHAN_ASKER, &ops,
				      &p->asker);
}

static void
turns(struct pair *p)
{
	int i;

	for (i = 0; i < 20; i++)
		loop_turn(&p->loop, false);
}

static void
close_pair(struct pair *p)
{
	if (p->asker.c)
		chan_close(p->asker.c);
	if (p->service.c)
		chan_close(p->service.c);
	if (p->raw >= 0)
		close(p->raw);
	loop_fini(&p->loop);
}

static void
test_request(void **state)
{
	struct ask q = { .s = STR("hello") };
	struct pair p;
	unsigned i;

	(void)state;
	open_pair(&p, false);
	p.service.answer = true;
	for (i = 0; i < 100; i++) {
		assert_int_equal(chan_send(p.asker.c, i, &ask_def, &q), 0);
		assert_int_equal(chan_inflight(p.asker.c), 1);
		turns(&p);
		assert_int_equal(p.asker.tag, i);
		assert_int_equal(chan_inflight(p.asker.c), 0);
		assert_int_equal(chan_inflight(p.service.c), 0);
	}
	assert_int_equal(p.service.got, 100);
	assert_int_equal(p.asker.got, 100);
	assert_int_equal(chan_queued(p.asker.c), 0);
	close_pair(&p);
}

static void
test_too_many(void **state)
{
	struct ask q = { .s = STR("x") };
	struct pair p;
	unsigned i;

	(void)state;
	open_pair(&p, false);
	for (i = 0; i < 4; i++)
		assert_int_equal(chan_send(p.asker.c, i, &ask_def, &q), 0);
	turns(&p);
	assert_int_equal(chan_inflight(p.service.c), 4);
	assert_int_equal(chan_send(p.asker.c, 5, &ask_def, &q), 0);
	turns(&p);
	assert_int_equal(p.service.got, 4);
	assert_int_equal(p.service.closed, 1);
	assert_int_equal(p.asker.closed, 1);
	close_pair(&p);
}

static void
test_denied(void **state)
{
	struct ask q = { .s = STR("x"), .secret = 1 };
	struct pair p;

	(void)state;
	open_pair(&p, false);
	assert_int_equal(chan_send(p.asker.c, 1, &ask_def, &q), 0);
	turns(&p);
	assert_int_equal(p.service.got, 0);
	assert_int_equal(p.service.closed, 1);
	close_pair(&p);
}

/* A breach of the row costs the channel, not the frames before it. */
static void
test_garbage(void **state)
{
	static const struct {
		const char *frame;
		size_t n;
	} rows[] = {
		{ "x", 1 },
		{ "\1\0\0\0\0\0\0", 7 },
		{ "\1\0\0\0\0\0\0\0", 8 },
		{ "\1\0\1\0\0\0\0\0\1\0x\0", 12 },  /* reserved bytes */
		{ "\1\0\0\0\0\0\0\0\1\0x\0y", 13 }, /* left over */
		{ "\1\0\0\0\0\0\0\0\2\0x\0", 12 },  /* length lies */
		{ "\1\0\0\0\0\0\0\0\1\0\n\0", 12 },
		{ "\2\0\0\0\0\0\0\0\1\0\0\0", 12 }, /* the other direction */
		{ "\11\0\0\0\0\0\0\0", 8 },	    /* no such type */
		{ "\3\0\0\0\0\0\0\0\1", 9 },	    /* no descriptor there */
	};
	static const char good[] = "\1\0\0\0\7\0\0\0\1\0x";
	struct pair p;
	char c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_pair(&p, true);
		assert_int_equal(send(p.raw, good, sizeof(good), 0),
				 sizeof(good));
		assert_int_equal(send(p.raw, rows[i].frame, rows[i].n, 0),
				 rows[i].n);
		turns(&p);
		assert_int_equal(p.service.got, 1);
		assert_int_equal(p.service.tag, 7);
		if (p.service.closed != 1)
			fail_msg("row %zu was taken", i);
		assert_int_equal(recv(p.raw, &c, 1, MSG_DONTWAIT), 0);
		close_pair(&p);
	}
}

static void
send_fds(int to, const char *frame, size_t n, int count)
{
	_Alignas(8) char space[CMSG_SPACE(sizeof(int) * 16)] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)frame, n };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = space,
			     .msg_controllen =
				     CMSG_SPACE(sizeof(int) * (size_t)count) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	int fds[16], i;

	for (i = 0; i < count; i++)
		fds[i] = to;
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
	memcpy(CMSG_DATA(cm), fds, sizeof(int) * (size_t)count);
	assert_true(sendmsg(to, &mh, 0) >= 0);
}

/* The lowest free descriptor: grows if one leaks. */
static int
next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void
test_descriptors(void **state)
{
	static const char ask_frame[] = "\1\0\0\0\7\0\0\0\1\0x";
	static const char note_frame[] = "\3\0\0\0\0\0\0\0\1";
	struct note n = { .fd = 0 };
	struct pair p;
	int before;

	(void)state;
	/* Taken, or closed after the callback. */
	open_pair(&p, false);
	before = next_fd();
	p.service.take = true;
	assert_int_equal(chan_send(p.asker.c, 0, &note_def, &n), 0);
	turns(&p);
	assert_true(fcntl(p.service.fd, F_GETFD) & FD_CLOEXEC);
	close(p.service.fd);
	p.service.take = false;
	assert_int_equal(chan_send(p.asker.c, 0, &note_def, &n), 0);
	turns(&p);
	assert_int_equal(p.service.got, 2);
	assert_int_equal(next_fd(), before);
	n.fd = -1;
	assert_int_equal(chan_send(p.asker.c, 0, &note_def, &n), -1);
	close_pair(&p);
	/* Where none belongs, too many, and more than there is room for. */
	open_pair(&p, true);
	before = next_fd();
	send_fds(p.raw, ask_frame, sizeof(ask_frame), 1);
	turns(&p);
	assert_int_equal(p.service.closed, 1);
	assert_true(next_fd() <= before);
	close_pair(&p);
	open_pair(&p, true);
	before = next_fd();
	send_fds(p.raw, note_frame, sizeof(note_frame) - 1, 2);
	turns(&p);
	assert_int_equal(p.service.closed, 1);
	assert_true(next_fd() <= before);
	close_pair(&p);
	open_pair(&p, true);
	before = next_fd();
	send_fds(p.raw, note_frame, sizeof(note_frame) - 1, 16);
	turns(&p);
	assert_int_equal(p.service.closed, 1);
	assert_true(next_fd() <= before);
	close_pair(&p);
}

static void
test_close_inside(void **state)
{
	struct ask q = { .s = STR("x") };
	struct answer a = { .n = 1 };
	struct chan *kept;
	struct pair p;

	(void)state;
	open_pair(&p, false);
	p.service.close_now = true;
	kept = chan_ref(p.service.c);
	assert_int_equal(chan_send(p.asker.c, 1, &ask_def, &q), 0);
	assert_int_equal(chan_send(p.asker.c, 2, &ask_def, &q), 0);
	turns(&p);
	assert_int_equal(p.service.got, 1);
	assert_int_equal(p.service.closed, 0); /* it did it itself */
	assert_int_equal(p.asker.closed, 1);
	/* A late answer to a closed channel is dropped. */
	assert_false(chan_is_open(kept));
	assert_int_equal(chan_send(kept, 1, &answer_def, &a), -1);
	chan_unref(kept);
	close_pair(&p);
}

/* A peer that does not read: what waits is bounded, then the channel ends. */
static void
test_stuck(void **state)
{
	static char text[60000];
	struct ask q = { .s = { text, sizeof(text) } };
	struct pair p;
	unsigned sent;

	(void)state;
	memset(text, 'x', sizeof(text));
	open_pair(&p, false);
	chan_pause(p.service.c);
	for (sent = 0; chan_send(p.asker.c, sent, &ask_def, &q) == 0; sent++)
		if (sent % 16 == 0)
			loop_turn(&p.loop, false);
	assert_in_range(sent, 200, 400);
	assert_true(chan_queued(p.asker.c) <= CHAN_QUEUE_MAX);
	turns(&p);
	assert_int_equal(p.asker.closed, 1);
	assert_int_equal(p.service.got, 0);
	close_pair(&p);
}

static void
test_pause(void **state)
{
	struct ask q = { .s = STR("x") };
	struct pair p;

	(void)state;
	open_pair(&p, false);
	chan_pause(p.service.c);
	assert_int_equal(chan_send(p.asker.c, 1, &ask_def, &q), 0);
	turns(&p);
	assert_int_equal(p.service.got, 0);
	chan_resume(p.service.c);
	turns(&p);
	assert_int_equal(p.service.got, 1);
	/* chan_close() sends what is queued first. */
	assert_int_equal(chan_send(p.asker.c, 2, &ask_def, &q), 0);
	chan_close(p.asker.c);
	p.asker.c = NULL;
	turns(&p);
	assert_int_equal(p.service.got, 2);
	assert_int_equal(p.service.closed, 1);
	close_pair(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_close_inside),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
