/* SPDX-License-Identifier: ISC */
/*
 * Garbage on each internal channel, in both directions: that channel is lost,
 * once; no descriptor is; the channel beside it goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame/msg_control.h"
#include "frame/service.h"

enum { NOISE = 200 };

struct end {
	struct chan *chan;
	unsigned messages, closed;
};

static struct loop loop;
static struct end neighbour;
static int neighbour_fd;

static void
on_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct end *e = arg;

	(void)c;
	(void)tag;
	(void)def;
	(void)msg;
	e->messages++;
}

static void
on_close(struct chan *c, void *arg)
{
	struct end *e = arg;

	(void)c;
	e->chan = NULL;
	e->closed++;
}

static const struct chan_ops ops = { on_msg, on_close };

static unsigned
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int
pair(struct end *e, enum channel_id row, enum chan_side side)
{
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	*e = (struct end){ 0 };
	e->chan = chan_new(&loop, fds[0], &channels[row], side, &ops, e);
	assert_non_null(e->chan);
	return fds[1];
}

static ssize_t
send_raw(int fd, const void *data, size_t n, const int *fds, size_t nfds)
{
	_Alignas(8) char space[CMSG_SPACE(sizeof(int) * 16)] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)data, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cm;

	if (nfds) {
		mh.msg_control = space;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * nfds);
	}
	return sendmsg(fd, &mh, MSG_NOSIGNAL);
}

/* The least that this message can be, as a frame. */
static void
least(struct buf *out, const struct msg_def *def, uint32_t tag, int fd,
      int *fds, size_t *nfds)
{
	_Alignas(16) char msg[MSG_STRUCT_MAX] = { 0 };
	struct err err;
	size_t i;

	for (i = 0; i < def->nfields; i++)
		if (def->fields[i].kind == MSG_FD) {
			int v = def->fields[i].bound ? fd : -1;

			memcpy(msg + def->fields[i].offset, &v, sizeof(v));
		}
	buf_reset(out);
	assert_int_equal(msg_encode(out, def, tag, msg, fds, nfds, &err), 0);
}

static void
settle(void)
{
	int i;

	for (i = 0; i < 4; i++)
		loop_turn(&loop, false);
}

/* One frame on a new channel: it has to be lost (or taken, if it may be). */
static void
frame_on(enum channel_id row, enum chan_side side, const void *data, size_t n,
	 const int *fds, size_t nfds, bool may_pass)
{
	unsigned before = open_fds();
	struct end e;
	int fd = pair(&e, row, side);

	if (send_raw(fd, data, n, fds, nfds) >= 0) {
		settle();
		if (!may_pass)
			assert_int_equal(e.messages, 0);
		assert_int_equal(e.messages + e.closed, 1);
	}
	if (e.chan)
		chan_close(e.chan);
	close(fd);
	settle();
	assert_int_equal(open_fds(), before);
}

static void
neighbour_lives(void)
{
	struct buf b;
	int fds[MSG_FDS_MAX];
	size_t nfds;
	unsigned had = neighbour.messages;

	buf_init(&b, MSG_FRAME_MAX);
	least(&b, &msg_ready_def, 0, -1, fds, &nfds);
	assert_int_equal(send_raw(neighbour_fd, b.p, b.n, NULL, 0), b.n);
	settle();
	assert_int_equal(neighbour.messages, had + 1);
	buf_fini(&b);
}

static const struct chan_msg *
messages_to(enum channel_id row, enum chan_side side)
{
	return side == CHAN_SERVICE ? channels[row].to_service
				    : channels[row].to_asker;
}

static bool
takes(enum channel_id row, enum chan_side side, uint16_t type)
{
	const struct chan_msg *m = messages_to(row, side);

	for (; m->def; m++)
		if (m->def->type == type)
			return true;
	return false;
}

static void
every_end(void (*check)(enum channel_id row, enum chan_side side))
{
	int row, side;

	for (row = CH_NONE + 1; row < CH_COUNT; row++)
		for (side = CHAN_ASKER; side <= CHAN_SERVICE; side++) {
			check((enum channel_id)row, (enum chan_side)side);
			neighbour_lives();
		}
}

/* --- what is no frame ----------------------------------------------------- */

static void
check_no_frame(enum channel_id row, enum chan_side side)
{
	static const char zeros[MSG_HEAD + 100];
	static const char ones[MSG_HEAD] = "\xff\xff\xff\xff\xff\xff\xff\xff";
	static char big[MSG_FRAME_MAX + 100];
	size_t n;

	for (n = 0; n <= sizeof(zeros); n++)
		frame_on(row, side, zeros, n, NULL, 0, false);
	frame_on(row, side, ones, sizeof(ones), NULL, 0, false);
	frame_on(row, side, big, MSG_FRAME_MAX, NULL, 0, false);
	frame_on(row, side, big, sizeof(big), NULL, 0, false);
}

static void
test_no_frame(void **state)
{
	(void)state;
	every_end(check_no_frame);
}

/* --- the right message, spoilt -------------------------------------------- */

static void
spoil(enum channel_id row, enum chan_side side, const struct msg_def *def)
{
	int three[3] = { STDIN_FILENO, STDIN_FILENO, STDIN_FILENO };
	int fds[MSG_FDS_MAX];
	struct buf b;
	size_t nfds, n;
	char was;

	buf_init(&b, MSG_FRAME_MAX + 1);
	least(&b, def, 7, STDIN_FILENO, fds, &nfds);
	for (n = 0; n < b.n; n++) /* cut short */
		frame_on(row, side, b.p, n, fds, nfds, false);
	if (nfds < 3) /* descriptors that no field takes */
		frame_on(row, side, b.p, b.n, three, nfds + 1, false);
	if (nfds) /* fields without their descriptor */
		frame_on(row, side, b.p, b.n, NULL, 0, false);
	was = b.p[2];
	b.p[2] = 1; /* must be zero */
	frame_on(row, side, b.p, b.n, fds, nfds, false);
	b.p[2] = was;
	assert_int_equal(buf_add_byte(&b, 0), 0); /* left over */
	frame_on(row, side, b.p, b.n, fds, nfds, false);
	buf_fini(&b);
}

static void
check_spoilt(enum channel_id row, enum chan_side side)
{
	const struct chan_msg *m;

	for (m = messages_to(row, side); m->def; m++)
		spoil(row, side, m->def);
}

static void
test_spoilt(void **state)
{
	(void)state;
	every_end(check_spoilt);
}

/* --- messages of other channels and of the other direction -----------------
 */

static void
check_foreign(enum channel_id row, enum chan_side side)
{
	const struct chan_msg *m;
	int fds[MSG_FDS_MAX], other, from;
	struct buf b;
	size_t nfds;

	buf_init(&b, MSG_FRAME_MAX);
	for (other = CH_NONE + 1; other < CH_COUNT; other++)
		for (from = CHAN_ASKER; from <= CHAN_SERVICE; from++) {
			m = messages_to((enum channel_id)other,
					(enum chan_side)from);
			for (; m->def; m++) {
				if (takes(row, side, m->def->type))
					continue;
				least(&b, m->def, 1, STDIN_FILENO, fds, &nfds);
				frame_on(row, side, b.p, b.n, fds, nfds, false);
			}
		}
	buf_fini(&b);
}

static void
test_foreign(void **state)
{
	(void)state;
	every_end(check_foreign);
}

/* --- noise -----------------------------------------------------------------
 */

static void
check_noise(enum channel_id row, enum chan_side side)
{
	const struct chan_msg *m = messages_to(row, side);
	unsigned char frame[600];
	unsigned seed = (unsigned)row * 2 + (unsigned)side;
	size_t n, i;
	int k;

	if (!m->def)
		return;
	for (k = 0; k < NOISE; k++) {
		n = MSG_HEAD + (size_t)rand_r(&seed) % 500;
		for (i = 0; i < n; i++)
			frame[i] = (unsigned char)rand_r(&seed);
		/* Far enough to reach the fields. */
		frame[0] = (unsigned char)m->def->type;
		frame[1] = frame[2] = frame[3] = 0;
		frame_on(row, side, frame, n, NULL, 0, true);
		if (!(++m)->def)
			m = messages_to(row, side);
	}
}

static void
test_noise(void **state)
{
	(void)state;
	every_end(check_noise);
}

/* --- more requests than the row's credit ------------------------------------
 */

static void
test_credit(void **state)
{
	const struct chan_msg *m;
	int fds[MSG_FDS_MAX], row, fd;
	struct buf b;
	struct end e;
	size_t nfds;
	unsigned i;

	(void)state;
	buf_init(&b, MSG_FRAME_MAX);
	for (row = CH_NONE + 1; row < CH_COUNT; row++) {
		for (m = channels[row].to_service; m->def; m++)
			if (m->def->flags & MSG_REQUEST)
				break;
		if (!m->def)
			continue;
		fd = pair(&e, (enum channel_id)row, CHAN_SERVICE);
		for (i = 0; i <= channels[row].inflight; i++) {
			least(&b, m->def, i + 1, STDIN_FILENO, fds, &nfds);
			assert_true(send_raw(fd, b.p, b.n, fds, nfds) > 0);
			settle();
		}
		assert_int_equal(e.messages, channels[row].inflight);
		assert_int_equal(e.closed, 1);
		close(fd);
		neighbour_lives();
	}
	buf_fini(&b);
}

/* --- a peer that does not read ----------------------------------------------
 */

static void
test_peer_that_does_not_read(void **state)
{
	struct msg_ready ready = { 0 };
	struct end e;
	int fd = pair(&e, CH_CONTROL, CHAN_ASKER);
	unsigned long i;

	(void)state;
	for (i = 0; e.chan && i < CHAN_QUEUE_MAX; i++)
		if (chan_send(e.chan, 0, &msg_ready_def, &ready) < 0)
			settle();
	assert_int_equal(e.closed, 1);
	assert_true(i < CHAN_QUEUE_MAX);
	close(fd);
	neighbour_lives();
}

static int
setup(void **state)
{
	struct err err;

	(void)state;
	if (loop_init(&loop, &err) < 0)
		return -1;
	neighbour_fd = pair(&neighbour, CH_CONTROL, CHAN_SERVICE);
	neighbour_lives(); /* what is allocated once is allocated now */
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(neighbour_fd);
	settle();
	assert_int_equal(neighbour.closed, 1);
	loop_fini(&loop);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_frame),
		cmocka_unit_test(test_spoilt),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_credit),
		cmocka_unit_test(test_peer_that_does_not_read),
	};

	/* A line of log for each breach, thousands of them. */
	if (!freopen("/dev/null", "w", stderr))
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, setup, teardown);
}
