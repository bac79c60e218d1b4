/* SPDX-License-Identifier: ISC */
/* deliver over its channels, in the same loop as its two peers. */
#include "testing.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "deliver.h"
#include "frame/msg_deliver.h"
#include "frame/msg_spawner.h"
#include "frame/service.h"

enum { ANSWERS_MAX = 256 };

struct rig {
	struct scratch scratch;
	struct loop loop;
	struct deliver deliver;
	struct chan *spawner, *qmgr;
	bool spawner_closed, qmgr_closed;
	unsigned answers;
	uint32_t tags[ANSWERS_MAX];
	struct msg_deliver_result last;
	unsigned results, ok, pokes;
	char poked[200]; /* the last mailbox spawner was told of */
	char dsn[20], text[600];
};

static void
on_answer(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	  void *msg)
{
	struct msg_delivered *m = msg;
	struct rig *r = arg;
	struct str it = m->results.raw;

	(void)c;
	assert_ptr_equal(def, &msg_delivered_def);
	assert_true(r->answers < ANSWERS_MAX);
	r->tags[r->answers++] = tag;
	while (msg_list_next(&it, m->results.elem, &r->last)) {
		r->results++;
		r->ok += r->last.class == DELIVER_OK;
		str_copy(r->dsn, sizeof(r->dsn), r->last.dsn);
		str_copy(r->text, sizeof(r->text), r->last.text);
	}
}

static void
on_qmgr_closed(struct chan *c, void *arg)
{
	(void)c;
	((struct rig *)arg)->qmgr_closed = true;
}

static void
on_poke(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	void *msg)
{
	const struct msg_poke *m = msg;
	struct rig *r = arg;

	(void)c;
	assert_int_equal(tag, 0);
	assert_ptr_equal(def, &msg_poke_def);
	assert_true(str_copy(r->poked, sizeof(r->poked), m->path));
	r->pokes++;
}

static void
on_spawner_closed(struct chan *c, void *arg)
{
	(void)c;
	((struct rig *)arg)->spawner_closed = true;
}

static const struct chan_ops qmgr_ops = { on_answer, on_qmgr_closed };
static const struct chan_ops spawner_ops = { on_poke, on_spawner_closed };

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

static void
rig_open(struct rig *r)
{
	struct err err;
	int pair[2];

	memset(r, 0, sizeof(*r));
	scratch_open(&r->scratch);
	assert_int_equal(loop_init(&r->loop, &err), 0);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	r->spawner = chan_new(&r->loop, pair[0], &channels[CH_SPAWNER_DELIVER],
			      CHAN_ASKER, &spawner_ops, r);
	assert_int_equal(deliver_init(&r->deliver, &r->loop, pair[1],
				      r->scratch.root, STR("mail.d"), &err),
			 0);
	connect_qmgr(r);
}

static void
rig_close(struct rig *r)
{
	if (r->qmgr && !r->qmgr_closed)
		chan_close(r->qmgr);
	if (r->spawner && !r->spawner_closed)
		chan_close(r->spawner);
	deliver_fini(&r->deliver);
	loop_fini(&r->loop);
	scratch_close(&r->scratch);
}

static void
turn_until_answers(struct rig *r, unsigned n)
{
	uint64_t end = clock_mono_ms() + 20000;

	loop_turn(&r->loop, false); /* sends what the test has queued */
	while (r->answers < n && !r->qmgr_closed && clock_mono_ms() < end)
		loop_turn(&r->loop, true);
	assert_int_equal(r->answers, n);
}

/* One message to n paths. */
static void
send_message(struct rig *r, uint32_t tag, const char *const *paths, unsigned n,
	     bool maybe_done)
{
	struct msg_deliver_rcpt rcpt = { .address = STR("alice@d"),
					 .original = STR("alice@d"),
					 .maybe_done = maybe_done };
	struct msg_deliver m = {
		.id = STR("4ABC"),
		.queue_id = tag,
		.spool_id = 1,
		.sender = STR("s@x"),
		.header = STR("A: b\n\n"),
		.body = STR("text\n"),
		.body_fd = -1,
	};
	struct err err;
	struct buf b;
	unsigned i;

	buf_init(&b, 60000);
	for (i = 0; i < n; i++) {
		rcpt.slot = i;
		rcpt.path = str_of(paths[i]);
		assert_int_equal(
			msg_list_add(&b, &msg_deliver_rcpt_def, &rcpt, &err),
			0);
	}
	m.rcpts = msg_list_of(&b, n, &msg_deliver_rcpt_def);
	assert_int_equal(chan_send(r->qmgr, tag, &msg_deliver_def, &m), 0);
	buf_fini(&b);
}

static void
delivers_to_each_recipient(void **state)
{
	static const char *const paths[] = { "d/alice/", "d/bob/", "d/alice/",
					     "" };
	struct rig r;

	(void)state;
	rig_open(&r);
	send_message(&r, 5, paths, 4, false);
	turn_until_answers(&r, 1);
	assert_int_equal(r.tags[0], 5);
	assert_int_equal(r.results, 4);
	assert_int_equal(r.ok, 4);
	assert_string_equal(r.dsn, "2.0.0");
	assert_string_equal(r.text, "delivered to maildir");
	/* Once for each mailbox of the batch. */
	while (r.pokes < 3)
		loop_turn(&r.loop, true);
	loop_turn(&r.loop, false);
	assert_int_equal(r.pokes, 3);
	assert_string_equal(r.poked, "");
	assert_int_equal(scratch_count(&r.scratch, "d/alice/new", NULL), 2);
	assert_int_equal(scratch_count(&r.scratch, "d/bob/new", NULL), 1);
	assert_int_equal(scratch_count(&r.scratch, "new", NULL), 1);
	/* The same again after a restart: nothing is doubled. */
	send_message(&r, 5, paths, 4, true);
	turn_until_answers(&r, 2);
	assert_int_equal(r.ok, 8);
	assert_int_equal(scratch_count(&r.scratch, "d/alice/new", NULL), 2);
	rig_close(&r);
}

static void
one_failure_leaves_the_others(void **state)
{
	static const char *const paths[] = { "d/alice/", "d/../../bob/",
					     "d/bob/" };
	static const struct {
		const char *path, *dsn, *text;
	} rows[] = {
		{ "../out/", "4.3.5", "not a plain relative path" },
		{ "/etc/", "4.3.5", "not a plain relative path" },
		{ "link/x/", "4.3.5", "link/x/: open directory link" },
		{ "d/mbox", "4.3.5", "not a Maildir" },
		{ "file/", "4.3.5", "Not a directory" },
	};
	struct rig r;
	size_t i;

	(void)state;
	rig_open(&r);
	assert_int_equal(symlinkat("/tmp", r.scratch.root, "link"), 0);
	close(openat(r.scratch.root, "file", O_CREAT | O_WRONLY, 0600));
	send_message(&r, 1, paths, 3, false);
	turn_until_answers(&r, 1);
	assert_int_equal(r.ok, 2);
	assert_int_equal(r.results, 3);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		send_message(&r, 2, &rows[i].path, 1, false);
		turn_until_answers(&r, 2 + (unsigned)i);
		assert_int_equal(r.last.class, DELIVER_TEMP);
		assert_string_equal(r.dsn, rows[i].dsn);
		assert_non_null(strstr(r.text, rows[i].text));
	}
	rig_close(&r);
}

static void
permission_is_temporary(void **state)
{
	static const char *const path[] = { "closed/x/" };
	struct rig r;

	(void)state;
	if (getuid() == 0) /* root may write anywhere */
		assert_int_equal(seteuid(65534), 0);
	rig_open(&r);
	assert_int_equal(mkdirat(r.scratch.root, "closed", 0500), 0);
	send_message(&r, 1, path, 1, false);
	turn_until_answers(&r, 1);
	assert_string_equal(r.dsn, "4.2.0");
	assert_non_null(strstr(r.text, "closed/x/"));
	rig_close(&r);
	assert_int_equal(seteuid(getuid()), 0);
}

static void
mailbox_that_vanished_is_made_again(void **state)
{
	static const char *const path[] = { "a/" };
	char cmd[80];
	struct rig r;

	(void)state;
	rig_open(&r);
	send_message(&r, 1, path, 1, false);
	turn_until_answers(&r, 1);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s/a'", r.scratch.path);
	assert_int_equal(system(cmd), 0);
	send_message(&r, 2, path, 1, false);
	turn_until_answers(&r, 2);
	assert_int_equal(r.ok, 2);
	assert_int_equal(scratch_count(&r.scratch, "a/new", NULL), 1);
	rig_close(&r);
}

static void
many_mailboxes_and_requests(void **state)
{
	enum { REQUESTS = 100, EACH = 32 };
	char names[EACH][20], dir[30];
	const char *paths[EACH];
	struct rig r;
	unsigned i, k;

	(void)state;
	rig_open(&r);
	/* 64 mailboxes, more than stay open; all requests at once. */
	for (i = 0; i < REQUESTS; i++) {
		for (k = 0; k < EACH; k++) {
			snprintf(names[k], sizeof(names[k]), "m%u/",
				 (i % 2) * EACH + k);
			paths[k] = names[k];
		}
		send_message(&r, i + 1, paths, EACH, false);
	}
	turn_until_answers(&r, REQUESTS);
	assert_int_equal(r.ok, REQUESTS * EACH);
	for (k = 0; k < 2 * EACH; k++) {
		snprintf(dir, sizeof(dir), "m%u/new", k);
		assert_int_equal(scratch_count(&r.scratch, dir, NULL),
				 REQUESTS / 2);
		snprintf(dir, sizeof(dir), "m%u/tmp", k);
		assert_int_equal(scratch_count(&r.scratch, dir, NULL), 0);
	}
	rig_close(&r);
}

static void
a_breach_ends_that_channel_only(void **state)
{
	static const char *const path[] = { "a/" };
	static const char garbage[][12] = {
		"x",
		"\x40\0\0\0\1\0\0\0",
		"\x41\0\0\0\1\0\0\0",
		"\xff\xff\0\0\1\0\0\0abc",
	};
	struct msg_user_peer peer;
	struct rig r;
	int pair[2];
	size_t i;
	char c;

	(void)state;
	rig_open(&r);
	for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair),
				 0);
		peer.fd = pair[1];
		chan_send(r.spawner, 0, &msg_user_peer_def, &peer);
		close(pair[1]);
		assert_int_equal(send(pair[0], garbage[i], 11, 0), 11);
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
		loop_turn(&r.loop, false);
		while (recv(pair[0], &c, 1, 0) != 0) /* until EOF */
			loop_turn(&r.loop, true);
		close(pair[0]);
	}
	send_message(&r, 1, path, 1, false);
	turn_until_answers(&r, 1);
	assert_int_equal(r.ok, 1);
	rig_close(&r);
}

/* spawner has gone, and then qmgr: nothing is left to do. */
static void
ends_with_its_last_peer(void **state)
{
	static const char *const path[] = { "a/" };
	struct rig r;

	(void)state;
	rig_open(&r);
	send_message(&r, 1, path, 1, false);
	turn_until_answers(&r, 1);
	chan_close(r.spawner);
	r.spawner = NULL;
	send_message(&r, 2, path, 1, false);
	turn_until_answers(&r, 2);
	assert_false(r.loop.stop);
	send_message(&r, 3, path, 1, false);
	loop_turn(&r.loop, false); /* on its way when qmgr dies */
	chan_close(r.qmgr);
	r.qmgr = NULL;
	while (!r.loop.stop)
		loop_turn(&r.loop, true);
	assert_int_equal(scratch_count(&r.scratch, "a/new", NULL), 3);
	rig_close(&r);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivers_to_each_recipient),
		cmocka_unit_test(one_failure_leaves_the_others),
		cmocka_unit_test(permission_is_temporary),
		cmocka_unit_test(mailbox_that_vanished_is_made_again),
		cmocka_unit_test(many_mailboxes_and_requests),
		cmocka_unit_test(a_breach_ends_that_channel_only),
		cmocka_unit_test(ends_with_its_last_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
