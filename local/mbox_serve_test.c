/* SPDX-License-Identifier: ISC */
/* The process of an mbox over its channels, in the same loop as its peers. */
#include "testing.h"

#include <sys/socket.h>

#include "frame/msg_deliver.h"
#include "frame/msg_spawner.h"
#include "frame/service.h"
#include "mbox_serve.h"

#define PARAMS                                     \
	"mailbox_size_limit = 0\n"                 \
	"mailbox_delivery_lock = fcntl, dotlock\n" \
	"deliver_lock_attempts = 2\n"              \
	"deliver_lock_delay = 1\n"                 \
	"stale_lock_time = 500\n"

struct rig {
	struct scratch scratch;
	struct loop loop;
	struct mbox_serve serve;
	struct params params;
	struct chan *spawner, *qmgr;
	int fd;
	unsigned answers, leases;
	char dsn[20];
	int lent, until; /* of the lease */
};

static void
on_answer(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	  void *msg)
{
	struct msg_delivered *m = msg;
	struct msg_deliver_result result;
	struct str it = m->results.raw;
	struct rig *r = arg;

	(void)c;
	(void)tag;
	assert_ptr_equal(def, &msg_delivered_def);
	r->answers++;
	while (msg_list_next(&it, m->results.elem, &result))
		assert_true(str_copy(r->dsn, sizeof(r->dsn), result.dsn));
}

static void
on_leased(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	  void *msg)
{
	struct msg_leased *m = msg;
	struct rig *r = arg;

	(void)c;
	(void)tag;
	if (def != &msg_leased_def)
		return;
	r->leases++;
	r->lent = m->fd;
	r->until = m->until;
	m->fd = m->until = -1;
}

static void
on_closed(struct chan *c, void *arg)
{
	(void)c;
	(void)arg;
	fail_msg("a channel was closed");
}

static const struct chan_ops qmgr_ops = { on_answer, on_closed };
static const struct chan_ops spawner_ops = { on_leased, on_closed };

static void
connect_qmgr(struct rig *r)
{
	struct msg_user_peer peer;
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	r->qmgr = chan_new(&r->loop, pair[0], &channels[CH_QMGR_DELIVER],
			   CHAN_ASKER, &qmgr_ops, r);
	peer.fd = pair[1];
	assert_int_equal(chan_send(r->spawner, 0, &msg_user_peer_def, &peer),
			 0);
	close(pair[1]);
}

/* With a mailbox that is lent to a taker. */
static void
rig_open(struct rig *r)
{
	static const char text[] = "From a@x  Tue Nov 14 22:13:20 2023\n\n\n";
	const struct msg_lease lease = { 0 };
	struct err err;
	int pair[2];

	memset(r, 0, sizeof(*r));
	r->lent = r->until = -1;
	scratch_open(&r->scratch);
	assert_int_equal(params_load(&r->params, STR(PARAMS), &err), 0);
	assert_int_equal(loop_init(&r->loop, &err), 0);
	r->fd = mbox_file_open(r->scratch.root, "alice", 0600, true, &err);
	assert_true(r->fd >= 0);
	assert_int_equal(write(r->fd, text, strlen(text)), strlen(text));
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	r->spawner = chan_new(&r->loop, pair[0], &channels[CH_SPAWNER_MBOX],
			      CHAN_ASKER, &spawner_ops, r);
	assert_int_equal(mbox_serve_init(&r->serve, &r->loop, pair[1],
					 r->scratch.root, "alice", r->fd,
					 &r->params, &err),
			 0);
	connect_qmgr(r);
	assert_int_equal(chan_send(r->spawner, 7, &msg_lease_def, &lease), 0);
	loop_turn(&r->loop, false);
	while (r->leases == 0)
		loop_turn(&r->loop, true);
	assert_true(r->lent >= 0 && r->until >= 0);
}

static void
rig_close(struct rig *r)
{
	if (r->qmgr)
		chan_close(r->qmgr);
	chan_close(r->spawner);
	mbox_serve_fini(&r->serve);
	loop_fini(&r->loop);
	params_fini(&r->params);
	fsx_close(r->fd);
	scratch_close(&r->scratch);
}

static void
send_message(struct rig *r, uint32_t tag)
{
	struct msg_deliver_rcpt rcpt = { .address = STR("alice@d") };
	struct msg_deliver m = { .id = STR("4ABC"),
				 .queue_id = tag,
				 .spool_id = 1,
				 .sender = STR("s@x"),
				 .header = STR("A: b\n\n"),
				 .body = STR("text\n"),
				 .body_fd = -1 };
	struct err err;
	struct buf b;

	buf_init(&b, 60000);
	assert_int_equal(msg_list_add(&b, &msg_deliver_rcpt_def, &rcpt, &err),
			 0);
	m.rcpts = msg_list_of(&b, 1, &msg_deliver_rcpt_def);
	assert_int_equal(chan_send(r->qmgr, tag, &msg_deliver_def, &m), 0);
	buf_fini(&b);
}

static void
turn_until_answers(struct rig *r, unsigned n)
{
	loop_turn(&r->loop, false);
	while (r->answers < n)
		loop_turn(&r->loop, true);
}

static unsigned
messages(struct rig *r)
{
	const char *p;
	char text[1000];
	unsigned n = 0;

	scratch_read(&r->scratch, ".", "alice", text, sizeof(text));
	for (p = text; (p = strstr(p, "From ")); p++)
		n++;
	return n;
}

static void
give_back(struct rig *r)
{
	close(r->lent);
	close(r->until);
	while (r->serve.leased >= 0)
		loop_turn(&r->loop, true);
}

/* It waits for the taker, but not longer than for anybody else's lock. */
static void
while_it_is_lent(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	send_message(&r, 1);
	turn_until_answers(&r, 1);
	assert_string_equal(r.dsn, "4.2.0");
	assert_int_equal(messages(&r), 1);
	send_message(&r, 2);
	loop_turn(&r.loop, false);
	loop_turn(&r.loop, false);
	give_back(&r);
	turn_until_answers(&r, 2);
	assert_string_equal(r.dsn, "2.0.0");
	assert_int_equal(messages(&r), 2);
	assert_int_equal(scratch_count(&r.scratch, ".", NULL), 1);
	rig_close(&r);
}

/* qmgr has died, or gave up: the message is in the queue, and comes again. */
static void
whose_asker_has_gone(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r);
	send_message(&r, 1);
	loop_turn(&r.loop, false);
	while (list_empty(&r.serve.letters))
		loop_turn(&r.loop, true);
	chan_close(r.qmgr);
	while (!list_empty(&r.serve.peers.askers))
		loop_turn(&r.loop, true);
	connect_qmgr(&r);
	send_message(&r, 1);
	loop_turn(&r.loop, false);
	loop_turn(&r.loop, false);
	give_back(&r);
	turn_until_answers(&r, 1);
	assert_string_equal(r.dsn, "2.0.0");
	assert_int_equal(messages(&r), 2);
	rig_close(&r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(while_it_is_lent),
		cmocka_unit_test(whose_asker_has_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
