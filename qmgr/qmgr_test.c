/* SPDX-License-Identifier: ISC */
/*
 * The whole room over socket pairs: the test is receiver, router, spawner,
 * delivery process and administrator.  The spool is real, in a directory of
 * its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/log.h"
#include "frame/msg_router.h"
#include "frame/msg_spawner.h"
#include "intake.h"
#include "message.h"

enum { BODIES = 200000, KEEP = 64 };

/* What deliver is to do with the next requests. */
enum fate { FATE_OK, FATE_TEMP, FATE_PERM, FATE_DIE, FATE_WAIT };

struct world {
	char dir[64];
	int root;
	struct loop loop;
	struct qmgr q;
	struct chan *rx, *admin, *router, *spawner, *deliver;
	enum fate fate;
	const char *killer; /* sender whose messages kill, with FATE_DIE */
	bool router_temp;
	/* What came back. */
	char stored[KEEP][QUEUE_ID_MAX + 1];
	unsigned nstored, nrefused, nopened;
	uint16_t refused_code;
	char refused_dsn[16];
	int pressure; /* -1: nothing said */
	int pipe;
	unsigned ndelivered, maybe;
	char last_path[WHERE_MAX + 1];
	uint64_t last_body;
	struct msg_queue_done done;
	char done_text[TEXT_MAX + 1], row_reason[TEXT_MAX + 1];
	char row_text[TEXT_MAX + 1];
	unsigned ndone, nrows, rows_state, nrow_rcpts;
	size_t shown;
};

static const struct settings settings = {
	.retry = { .min_us = 300000000,
		   .max_us = 4000000000,
		   .lifetime_us = 432000000000 },
	.memory = 1 << 24,
	.active_max = 1000,
	.threads = 3,
	.targets_max = 10,
	.idle_s = 60,
};

/* --- the others ----------------------------------------------------------- */

static void
gone(struct chan *c, void *arg)
{
	struct world *w = arg;

	if (c == w->deliver)
		w->deliver = NULL;
	if (c == w->rx)
		w->rx = NULL;
	if (c == w->admin)
		w->admin = NULL;
}

static void
deliver_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	    void *msg)
{
	struct world *w = arg;
	struct msg_deliver *m = msg;
	struct str it = m->rcpts.raw;
	struct msg_deliver_result r;
	struct msg_deliver_rcpt rcpt;
	struct msg_delivered out;
	struct buf b;
	uint32_t n = 0;

	assert_ptr_equal(def, &msg_deliver_def);
	if (w->fate == FATE_WAIT)
		return;
	if (w->fate == FATE_DIE &&
	    (!w->killer || str_eq(m->sender, str_of(w->killer)))) {
		w->deliver = NULL;
		chan_close(c);
		return;
	}
	w->last_body = m->body_len;
	if (m->body_fd >= 0)
		assert_int_equal(lseek(m->body_fd, 0, SEEK_END), m->body_len);
	else
		assert_int_equal(m->body.n, m->body_len);
	buf_init(&b, 65536);
	while (msg_list_next(&it, m->rcpts.elem, &rcpt)) {
		w->ndelivered++;
		w->maybe += rcpt.maybe_done;
		str_copy(w->last_path, sizeof(w->last_path), rcpt.path);
		r = (struct msg_deliver_result){
			.slot = rcpt.slot,
			.class = w->fate == FATE_TEMP	? DELIVER_TEMP
				 : w->fate == FATE_PERM ? DELIVER_PERM
							: DELIVER_OK,
			.dsn = STR("2.0.0"),
			.text = STR("as the test wants"),
		};
		assert_int_equal(
			msg_list_add(&b, &msg_deliver_result_def, &r, NULL), 0);
		n++;
	}
	out.results = msg_list_of(&b, n, &msg_deliver_result_def);
	chan_send(c, tag, &msg_delivered_def, &out);
	buf_fini(&b);
}

static const struct chan_ops deliver_ops = { deliver_msg, gone };

static int
pair(int *other)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0);
	*other = fd[1];
	return fd[0];
}

static void
spawner_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	    void *msg)
{
	struct world *w = arg;
	struct msg_open *m = msg;
	struct msg_opened out;
	int mine;

	assert_ptr_equal(def, &msg_open_def);
	w->nopened++;
	if (str_eq(m->user, STR("nobody"))) {
		struct msg_spawn_fail fail = { .class = DELIVER_PERM,
					       .dsn = STR("5.1.1"),
					       .text = STR("no such user") };

		chan_send(c, tag, &msg_spawn_fail_def, &fail);
		return;
	}
	out.fd = pair(&mine);
	w->deliver = chan_new(&w->loop, mine, &channels[CH_QMGR_DELIVER],
			      CHAN_SERVICE, &deliver_ops, w);
	chan_send(c, tag, &msg_opened_def, &out);
	close(out.fd);
}

static const struct chan_ops spawner_ops = { spawner_msg, gone };

/* "v..." is virtual, "l..." a system user, "d..." is discarded, the rest are
 * errors. */
static uint32_t
expand(struct buf *b, struct str raw)
{
	struct msg_rcpt_in in;
	struct msg_rcpt r;
	char where[600];
	uint32_t n = 0;

	while (msg_list_next(&raw, &msg_rcpt_in_def, &in)) {
		r = (struct msg_rcpt){ .address = in.address,
				       .original = in.address };
		snprintf(where, sizeof(where), "%.*s/", STR_FMT(in.address));
		r.where = str_of(where);
		switch (in.address.p[0]) {
		case 'v':
			r.type = RCPT_VIRTUAL;
			break;
		case 'l':
			r.type = RCPT_LOCAL;
			r.where = str_from(in.address, 1);
			break;
		case 'd':
			r.type = RCPT_DISCARD;
			break;
		default:
			r.type = RCPT_ERROR;
			r.dsn = STR("5.1.1");
			r.text = STR("User unknown");
		}
		assert_int_equal(msg_list_add(b, &msg_rcpt_def, &r, NULL), 0);
		n++;
	}
	return n;
}

static void
router_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	   void *msg)
{
	struct world *w = arg;
	struct msg_expand *m = msg;
	struct msg_expanded out = { .rcpts.elem = &msg_rcpt_def };
	struct buf b;
	uint32_t n;

	buf_init(&b, 65536);
	if (def == &msg_expand_part_def) {
		struct msg_expand_part *p = msg;
		struct msg_expanded_part part;

		n = expand(&b, p->rcpts.raw);
		part.rcpts = msg_list_of(&b, n, &msg_rcpt_def);
		chan_send(c, tag, &msg_expanded_part_def, &part);
	} else {
		out.temp = w->router_temp;
		n = w->router_temp ? 0 : expand(&b, m->rcpts.raw);
		out.rcpts = msg_list_of(&b, n, &msg_rcpt_def);
		chan_send(c, tag, &msg_expanded_def, &out);
	}
	buf_fini(&b);
}

static const struct chan_ops router_ops = { router_msg, gone };

static void
rx_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
       void *msg)
{
	struct world *w = arg;

	(void)c;
	(void)tag;
	if (def == &msg_stored_def) {
		struct msg_stored *m = msg;

		str_copy(w->stored[w->nstored++ % KEEP], QUEUE_ID_MAX + 1,
			 m->id);
	} else if (def == &msg_refused_def) {
		struct msg_refused *m = msg;

		w->nrefused++;
		w->refused_code = m->code;
		str_copy(w->refused_dsn, sizeof(w->refused_dsn), m->dsn);
	} else if (def == &msg_pressure_def) {
		w->pressure = ((struct msg_pressure *)msg)->on;
	} else {
		struct msg_stream_pipe *m = msg;

		assert_ptr_equal(def, &msg_stream_pipe_def);
		w->pipe = m->fd;
		m->fd = -1;
	}
}

static const struct chan_ops rx_ops = { rx_msg, gone };

static void
admin_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	  void *msg)
{
	struct world *w = arg;

	(void)c;
	(void)tag;
	if (def == &msg_queue_row_def) {
		struct msg_queue_row *m = msg;
		struct msg_queue_rcpt r;
		struct str it = m->rcpts.raw;

		w->nrows++;
		w->rows_state = m->state;
		str_copy(w->row_reason, sizeof(w->row_reason), m->reason);
		for (; msg_list_next(&it, m->rcpts.elem, &r); w->nrow_rcpts++)
			if (r.text.n)
				str_copy(w->row_text, sizeof(w->row_text),
					 r.text);
	} else if (def == &msg_queue_text_def) {
		w->shown += ((struct msg_queue_text *)msg)->text.n;
	} else {
		w->done = *(struct msg_queue_done *)msg;
		str_copy(w->done_text, sizeof(w->done_text), w->done.text);
		w->ndone++;
	}
}

static const struct chan_ops admin_ops = { admin_msg, gone };

/* --- the world ------------------------------------------------------------ */

static struct chan *
join(struct world *w, enum channel_id row, const struct chan_ops *ops)
{
	int mine, fd = pair(&mine);

	qmgr_peer(&w->q, &channels[row], fd);
	return chan_new(&w->loop, mine, &channels[row], CHAN_ASKER, ops, w);
}

static struct chan *
serve(struct world *w, enum channel_id row, const struct chan_ops *ops,
      struct asker **a)
{
	int mine, fd = pair(&mine);

	*a = asker_new_fd(&w->loop, fd, &channels[row], NULL, NULL);
	assert_non_null(*a);
	return chan_new(&w->loop, mine, &channels[row], CHAN_SERVICE, ops, w);
}

static void
start(struct world *w)
{
	struct err err;

	assert_int_equal(loop_init(&w->loop, &err), 0);
	if (qmgr_init(&w->q, &w->loop, w->root, &settings, 0, &err) < 0)
		fail_msg("%s", err.text);
	w->router = serve(w, CH_QMGR_ROUTER, &router_ops, &w->q.router);
	w->spawner = serve(w, CH_QMGR_SPAWNER, &spawner_ops, &w->q.spawner);
	w->rx = join(w, CH_SMTPD_QMGR, &rx_ops);
	w->admin = join(w, CH_CTL_QMGR, &admin_ops);
	w->pressure = -1;
	w->pipe = -1;
	message_schedule(&w->q);
}

static void
stop(struct world *w)
{
	int i;

	qmgr_fini(&w->q);
	for (i = 0; i < 4; i++) /* delivery processes see that it is gone */
		loop_turn(&w->loop, false);
	asker_free(w->q.router);
	asker_free(w->q.spawner);
	if (w->rx)
		chan_close(w->rx);
	if (w->admin)
		chan_close(w->admin);
	chan_close(w->router);
	chan_close(w->spawner);
	if (w->deliver)
		chan_close(w->deliver);
	w->deliver = NULL;
	loop_fini(&w->loop);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/qmgr_test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->root = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->root >= 0);
	start(w);
	*state = w;
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	struct world *w = *state;

	stop(w);
	close(w->root);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* Turn the loop until cond. */
#define UNTIL(w, cond)                                          \
	do {                                                    \
		uint64_t end_ = clock_mono_ms() + 10000;        \
		while (!(cond)) {                               \
			loop_turn(&(w)->loop, true);            \
			if (clock_mono_ms() > end_)             \
				fail_msg("in vain: %s", #cond); \
		}                                               \
	} while (0)

static void
commit(struct world *w, uint32_t tag, const char *sender, const char *rcpts)
{
	struct msg_commit m = { .sender = str_of(sender),
				.header = STR("Subject: x\n"),
				.body = STR("\nHello\n") };
	struct str it = str_of(rcpts), one;
	struct msg_rcpt_in r;
	uint32_t n = 0;
	struct buf b;

	buf_init(&b, 65536);
	while (str_token(&it, " ", &one)) {
		r = (struct msg_rcpt_in){ .address = one };
		assert_int_equal(msg_list_add(&b, &msg_rcpt_in_def, &r, NULL),
				 0);
		n++;
	}
	m.rcpts = msg_list_of(&b, n, &msg_rcpt_in_def);
	assert_int_equal(chan_send(w->rx, tag, &msg_commit_def, &m), 0);
	buf_fini(&b);
}

static void
order(struct world *w, enum queue_verb verb, const char *id)
{
	struct msg_queue m = { .verb = (uint8_t)verb, .id = str_of(id) };
	unsigned before = w->ndone;

	chan_send(w->admin, 1, &msg_queue_def, &m);
	UNTIL(w, w->ndone > before);
}

/* --- tests ---------------------------------------------------------------- */

static void
test_deliver(void **state)
{
	struct world *w = *state;

	commit(w, 1, "a@b.c", "v1@x v2@x luser");
	UNTIL(w, w->nstored == 1 && w->ndelivered == 3);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->nopened, 2);
	assert_int_equal(w->maybe, 0);
	assert_int_equal(w->pressure, 0);
}

static void
test_many(void **state)
{
	struct world *w = *state;
	uint32_t i;

	for (i = 0; i < 400; i++)
		commit(w, i + 1, "a@b.c", "v1@x");
	UNTIL(w, w->nstored == 400 && w->ndelivered == 400);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->nopened, 1);
	assert_int_equal(w->q.nactive, 0);
	assert_int_equal(w->q.active_bytes, 0);
}

static void
test_errors(void **state)
{
	struct world *w = *state;

	/* None can be delivered: refused before commit. */
	commit(w, 1, "a@b.c", "x@x y@x");
	UNTIL(w, w->nrefused == 1);
	assert_int_equal(w->refused_code, 550);
	assert_string_equal(w->refused_dsn, "5.1.1");
	/* Some: those are held, with their reason. */
	commit(w, 2, "a@b.c", "v1@x x@x");
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->nrows, 1);
	assert_int_equal(w->rows_state, QUEUE_HELD);
	assert_string_equal(w->row_reason, "delivery failed");
	assert_string_equal(w->row_text, "User unknown");
	/* Discarded: taken, nothing is kept. */
	commit(w, 3, "a@b.c", "d@x");
	UNTIL(w, w->nstored == 2);
	assert_int_equal(w->q.by_id.n, 1);
	w->router_temp = true;
	commit(w, 4, "a@b.c", "v1@x");
	UNTIL(w, w->nrefused == 2);
	assert_int_equal(w->refused_code, 451);
}

static void
test_admin(void **state)
{
	struct world *w = *state;

	w->fate = FATE_TEMP;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->rows_state, QUEUE_DEFERRED);
	assert_string_equal(w->row_text, "2.0.0 as the test wants");
	order(w, QUEUE_SHOW, w->stored[0]);
	assert_int_equal(w->shown, 11 + 7);
	order(w, QUEUE_FLUSH, "ALL");
	assert_int_equal(w->done.count, 1);
	UNTIL(w, w->ndelivered == 2 && w->q.nactive == 0);
	order(w, QUEUE_HOLD, w->stored[0]);
	assert_int_equal(w->done.count, 1);
	order(w, QUEUE_FLUSH, "ALL");
	assert_int_equal(w->done.count, 0);
	order(w, QUEUE_LIST, w->stored[0]);
	assert_int_equal(w->rows_state, QUEUE_HELD);
	/* It is on hold after a restart as well. */
	stop(w);
	start(w);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->rows_state, QUEUE_HELD);
	w->fate = FATE_OK;
	order(w, QUEUE_RELEASE, w->stored[0]);
	UNTIL(w, w->ndelivered == 3 && w->q.by_id.n == 0);
	assert_int_equal(w->maybe, 2); /* the flush, and after the restart */
	order(w, QUEUE_DELETE, w->stored[0]);
	assert_int_equal(w->done.status, 1);
	w->fate = FATE_TEMP;
	commit(w, 2, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 4 && w->q.nactive == 0);
	order(w, QUEUE_DELETE, "ALL");
	UNTIL(w, w->q.by_id.n == 0);
}

static void
test_failed(void **state)
{
	struct world *w = *state;

	w->fate = FATE_PERM;
	commit(w, 1, "a@b.c", "v1@x lnobody");
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0 && w->nstored == 1);
	stop(w);
	start(w);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->rows_state, QUEUE_HELD);
	assert_string_equal(w->row_reason, "delivery failed");
	assert_string_equal(w->row_text, "5.1.1 no such user");
	/* Released, both are tried again. */
	w->fate = FATE_OK;
	order(w, QUEUE_RELEASE, "ALL");
	UNTIL(w, w->ndelivered == 2 && w->q.nactive == 0);
	assert_int_equal(w->q.by_id.n, 1);
}

static void
test_restart(void **state)
{
	struct world *w = *state;

	w->fate = FATE_WAIT;
	commit(w, 1, "a@b.c", "v1@x");
	commit(w, 2, "a@b.c", "v2@x");
	UNTIL(w, w->nstored == 2 && w->q.nsent == 2);
	stop(w); /* as kill -9 does, the answers never come */
	w->fate = FATE_OK;
	start(w);
	UNTIL(w, w->ndelivered == 2 && w->q.by_id.n == 0);
	assert_int_equal(w->maybe, 2);
}

static void
test_worker_dies(void **state)
{
	struct world *w = *state;

	w->fate = FATE_DIE;
	w->killer = "killer@b.c";
	commit(w, 1, "good@b.c", "v1@x");
	commit(w, 2, "killer@b.c", "v1@x");
	commit(w, 3, "good@b.c", "v1@x");
	UNTIL(w, w->nstored == 3 && w->ndelivered >= 2 && w->q.nactive == 0);
	assert_int_equal(w->q.by_id.n, 1);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->rows_state, QUEUE_HELD);
	assert_string_equal(w->row_reason, "delivery processes died of it");
}

/* Send a body of n bytes as a stream; lie: the CRC is wrong. */
static void
stream(struct world *w, uint32_t tag, size_t n, bool lie, const char *rcpt,
       size_t header)
{
	struct msg_stream begin = { .size = n };
	struct msg_rcpt_in r = { .address = str_of(rcpt) };
	struct msg_commit m = { .flags = COMMIT_STREAMED,
				.nrcpts = 1,
				.sender = STR("a@b.c"),
				.rcpts.elem = &msg_rcpt_in_def };
	char part[10000], *text = calloc(1, header);
	struct msg_header h;
	struct msg_rcpts to;
	size_t done = 0, k;
	struct buf b;

	memset(text, 'h', header);
	buf_init(&b, 4096);
	assert_int_equal(msg_list_add(&b, &msg_rcpt_in_def, &r, NULL), 0);
	to.rcpts = msg_list_of(&b, 1, &msg_rcpt_in_def);
	chan_send(w->rx, tag, &msg_stream_def, &begin);
	UNTIL(w, w->pipe >= 0);
	chan_send(w->rx, tag, &msg_rcpts_def, &to);
	for (k = 0; k < header; k += h.header.n) {
		h.header = str_mem(text + k, header - k < HEADER_PART_MAX
						     ? header - k
						     : HEADER_PART_MAX);
		chan_send(w->rx, tag, &msg_header_def, &h);
	}
	while (done < n) {
		k = n - done < sizeof(part) ? n - done : sizeof(part);
		memset(part, 'a' + (int)(done / sizeof(part) % 26), k);
		assert_int_equal(write(w->pipe, part, k), k);
		m.body_crc = enc_crc32c(m.body_crc, part, k);
		done += k;
		loop_turn(&w->loop, false);
	}
	close(w->pipe);
	w->pipe = -1;
	m.body_len = n;
	m.body_crc ^= lie;
	m.header_len = (uint32_t)header;
	chan_send(w->rx, tag, &msg_commit_def, &m);
	buf_fini(&b);
	free(text);
}

static void
test_stream(void **state)
{
	struct world *w = *state;

	stream(w, 7, BODIES, false, "v1@x", 100);
	UNTIL(w, w->nstored == 1 && w->ndelivered == 1);
	assert_int_equal(w->last_body, BODIES);
	UNTIL(w, w->q.by_id.n == 0);
	stream(w, 8, BODIES, true, "v1@x", 100);
	UNTIL(w, w->nrefused == 1);
	assert_int_equal(w->refused_code, 451);
	stream(w, 9, BODIES, false, "x@x", 100);
	UNTIL(w, w->nrefused == 2);
	assert_int_equal(w->refused_code, 550);
	/* A header block too large for a frame goes into the body's file. */
	stream(w, 10, 1000, false, "v1@x", 100000);
	UNTIL(w, w->nstored == 2 && w->ndelivered == 2);
	assert_int_equal(w->last_body, 101000);
	UNTIL(w, w->q.nintakes == 0);
}

static void
test_stream_deferred(void **state)
{
	struct world *w = *state;

	w->fate = FATE_TEMP;
	stream(w, 7, BODIES, false, "v1@x", 100);
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	stop(w);
	w->fate = FATE_OK;
	start(w);
	order(w, QUEUE_SHOW, w->stored[0]);
	assert_int_equal(w->shown, BODIES + 100);
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->ndelivered == 2 && w->q.by_id.n == 0);
	assert_int_equal(w->last_body, BODIES);
}

static void
test_stream_abort(void **state)
{
	struct world *w = *state;
	struct msg_stream begin = { 0 };
	struct msg_abort abort_msg = { 0 };

	chan_send(w->rx, 1, &msg_stream_def, &begin);
	UNTIL(w, w->pipe >= 0);
	assert_int_equal(write(w->pipe, "half", 4), 4);
	chan_send(w->rx, 1, &msg_abort_def, &abort_msg);
	UNTIL(w, w->q.nintakes == 0);
	close(w->pipe);
	w->pipe = -1;
	/* And with the receiver gone. */
	chan_send(w->rx, 2, &msg_stream_def, &begin);
	UNTIL(w, w->pipe >= 0);
	chan_close(w->rx);
	w->rx = NULL;
	UNTIL(w, w->q.nintakes == 0 && list_empty(&w->q.receivers));
	close(w->pipe);
	w->pipe = -1;
}

/* A request that is taken back at once does not stay in the count of those in
 * flight, on neither side. */
static void
test_stream_abort_credit(void **state)
{
	struct world *w = *state;
	struct msg_stream begin = { 0 };
	struct msg_abort abort_msg = { 0 };
	uint32_t tag;

	for (tag = 1; tag <= 2u * chan_row(w->rx)->inflight; tag++) {
		chan_send(w->rx, tag, &msg_stream_def, &begin);
		chan_send(w->rx, tag, &msg_abort_def, &abort_msg);
		if (tag % 100 == 0)
			UNTIL(w, chan_inflight(w->rx) == 0);
	}
	UNTIL(w, w->q.nintakes == 0 && chan_inflight(w->rx) == 0);
	if (w->pipe >= 0)
		close(w->pipe);
	w->pipe = -1;
	w->nrefused = 0;
	stream(w, tag, BODIES, false, "v1@x", 100);
	UNTIL(w, w->nstored == 1);
}

/* Parts without a COMMIT do not take all the memory. */
static void
test_stream_parts_limit(void **state)
{
	static char text[HEADER_PART_MAX];
	struct world *w = *state;
	struct msg_stream begin = { 0 };
	struct msg_header h = { str_mem(text, sizeof(text)) };
	struct msg_commit m = { .flags = COMMIT_STREAMED,
				.rcpts.elem = &msg_rcpt_in_def };
	uint32_t tag;
	int i;

	for (tag = 1; tag <= 20; tag++) {
		chan_send(w->rx, tag, &msg_stream_def, &begin);
		UNTIL(w, w->pipe >= 0);
		close(w->pipe);
		w->pipe = -1;
		for (i = 0; i < 4000000 / HEADER_PART_MAX; i++) {
			chan_send(w->rx, tag, &msg_header_def, &h);
			m.header_len = (uint32_t)(i + 1) * HEADER_PART_MAX;
			loop_turn(&w->loop, false);
		}
	}
	assert_in_range(w->q.held, INTAKE_HELD_MAX / 2, INTAKE_HELD_MAX);
	chan_send(w->rx, 20, &msg_commit_def, &m);
	UNTIL(w, w->nrefused == 1);
	assert_int_equal(w->refused_code, 451);
	chan_close(w->rx);
	w->rx = NULL;
	UNTIL(w, w->q.nintakes == 0);
	assert_int_equal(w->q.held, 0);
}

static void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void
test_drain(void **state)
{
	struct world *w = *state;
	bool drained = false;

	commit(w, 1, "a@b.c", "v1@x");
	commit(w, 2, "a@b.c", "v2@x");
	UNTIL(w, w->q.nintakes == 2);
	qmgr_drain(&w->q, set_flag, &drained);
	UNTIL(w, drained);
	/* What was taken was answered. */
	loop_turn(&w->loop, false);
	loop_turn(&w->loop, false);
	assert_int_equal(w->nstored, 2);
	stop(w);
	start(w);
	UNTIL(w, w->ndelivered == 2 && w->q.by_id.n == 0);
}

static void
test_lock(void **state)
{
	struct world *w = *state;
	struct qmgr other;
	struct err err;

	assert_int_equal(
		qmgr_init(&other, &w->loop, w->root, &settings, 0, &err), -1);
	assert_int_equal(err.class, ERR_TEMP);
}

/* A message to n recipients with addresses of len bytes. */
static void
commit_many(struct world *w, uint32_t tag, uint32_t n, int len)
{
	struct msg_commit m = { .flags = COMMIT_STREAMED,
				.nrcpts = n,
				.sender = STR("a@b.c"),
				.rcpts.elem = &msg_rcpt_in_def };
	struct msg_stream begin = { 0 };
	struct msg_rcpt_in r = { 0 };
	struct msg_rcpts to;
	char address[ADDRESS_MAX];
	uint32_t i = 0, part;
	struct buf b;

	chan_send(w->rx, tag, &msg_stream_def, &begin);
	UNTIL(w, w->pipe >= 0);
	buf_init(&b, 65536);
	while (i < n) {
		buf_reset(&b);
		for (part = 0; i < n && b.n < 15000; i++, part++) {
			snprintf(address, sizeof(address), "v%0*u@x", len, i);
			r.address = str_of(address);
			assert_int_equal(
				msg_list_add(&b, &msg_rcpt_in_def, &r, NULL),
				0);
		}
		to.rcpts = msg_list_of(&b, part, &msg_rcpt_in_def);
		chan_send(w->rx, tag, &msg_rcpts_def, &to);
		loop_turn(&w->loop, false);
	}
	close(w->pipe);
	w->pipe = -1;
	chan_send(w->rx, tag, &msg_commit_def, &m);
	buf_fini(&b);
}

/* 10,000 recipients, twice: more than a channel holds at a time. */
static void
test_list_many(void **state)
{
	struct world *w = *state;

	w->fate = FATE_TEMP;
	commit_many(w, 1, 10000, 450);
	UNTIL(w, w->ndelivered == 10000 && w->q.nactive == 0);
	commit_many(w, 2, 10000, 450);
	UNTIL(w, w->ndelivered == 20000 && w->q.nactive == 0);
	order(w, QUEUE_LIST, "ALL");
	assert_int_equal(w->done.status, 0);
	assert_int_equal(w->done.count, 2);
	assert_int_equal(w->nrow_rcpts, 20000);
	assert_string_equal(w->row_text, "2.0.0 as the test wants");
	/* A ctl that reads no more does not stay in memory. */
	chan_pause(w->admin);
	chan_send(w->admin, 9, &msg_queue_def,
		  &(struct msg_queue){ .verb = QUEUE_LIST, .id = STR("ALL") });
	UNTIL(w, !list_empty(&w->q.listings));
}

static void
queue_path(const struct world *w, const char *id, char *path, size_t n)
{
	uint64_t v = strtoull(id, NULL, 16);

	snprintf(path, n, "%s/msg/%02x/%s", w->dir, (unsigned)(v >> 8) & 0xff,
		 id);
}

/* A wish that something else has overtaken does not come back later. */
static void
test_wish_is_over(void **state)
{
	struct msg_queue m = { .verb = QUEUE_FLUSH, .id = STR("ALL") };
	char path[200], away[200];
	struct world *w = *state;

	w->fate = FATE_TEMP;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 1 && w->q.nactive == 0);
	queue_path(w, w->stored[0], path, sizeof(path));
	snprintf(away, sizeof(away), "%s/away", w->dir);
	assert_int_equal(truncate(path, 900), 0);
	chan_send(w->admin, 1, &msg_queue_def, &m);
	m.verb = QUEUE_HOLD;
	chan_send(w->admin, 2, &msg_queue_def, &m);
	UNTIL(w, w->ndone == 2 && w->q.nactive == 0);
	order(w, QUEUE_LIST, "ALL");
	assert_string_equal(w->row_reason, "damaged queue file");
	assert_int_equal(
		message_find(&w->q, strtoull(w->stored[0], NULL, 16))->wish,
		WISH_NONE);
}

static void
test_memory(void **state)
{
	struct world *w = *state;
	size_t most = 0;
	uint32_t i;

	w->fate = FATE_TEMP;
	for (i = 0; i < 100; i++)
		commit(w, i + 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 100 && w->q.nactive == 0);
	/* All are due at once; each takes some 200 bytes. */
	w->fate = FATE_OK;
	w->q.set.memory = 1000;
	chan_send(w->admin, 1, &msg_queue_def,
		  &(struct msg_queue){ .verb = QUEUE_FLUSH, .id = STR("ALL") });
	while (w->ndelivered < 200) {
		loop_turn(&w->loop, true);
		if (w->q.nactive - w->q.nsent > most)
			most = w->q.nactive - w->q.nsent;
	}
	assert_true(most < 30);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->q.active_bytes, 0);
}

/* Idle processes give their places to all who wait, at once. */
static void
test_places(void **state)
{
	struct world *w = *state;

	w->q.set.targets_max = 3;
	commit(w, 1, "a@b.c", "la lb lc");
	UNTIL(w, w->ndelivered == 3 && w->q.nopen == 3 && w->q.nsent == 0);
	w->fate = FATE_WAIT;
	commit(w, 2, "a@b.c", "ld le lf lg");
	UNTIL(w, w->nopened == 6);
	assert_int_equal(w->q.nopen, 3);
}

/* Deleted is gone, even if qmgr dies the next moment. */
static void
test_delete_is_final(void **state)
{
	struct world *w = *state;
	char path[200];

	w->q.set.active_max = 0;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->nstored == 1);
	queue_path(w, w->stored[0], path, sizeof(path));
	assert_int_equal(access(path, F_OK), 0);
	order(w, QUEUE_DELETE, "ALL");
	assert_int_equal(w->done.count, 1);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(w->ndelivered, 0);
}

static void
test_space(void **state)
{
	struct world *w = *state;

	w->q.set.minfree = UINT64_MAX;
	w->q.up.ticks = 0;
	upkeep_tick(&w->q);
	UNTIL(w, w->pressure == 1);
	/* A reload without the limit ends what it began. */
	w->q.set.minfree = 0;
	w->q.up.ticks = 0;
	upkeep_tick(&w->q);
	UNTIL(w, w->pressure == 0);
}

static void
test_drain_is_quick(void **state)
{
	struct world *w = *state;
	bool drained = false;
	uint64_t begun;

	w->q.set.minfree = 1;
	commit(w, 1, "a@b.c", "v1@x");
	UNTIL(w, w->ndelivered == 1 && w->q.by_id.n == 0);
	/* Measuring the space is what ends last. */
	w->q.up.tidying = true;
	w->q.up.ticks = 0;
	upkeep_tick(&w->q);
	begun = clock_mono_ms();
	qmgr_drain(&w->q, set_flag, &drained);
	UNTIL(w, drained);
	assert_true(clock_mono_ms() - begun < 2000);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_deliver),
		T(test_many),
		T(test_errors),
		T(test_admin),
		T(test_failed),
		T(test_restart),
		T(test_worker_dies),
		T(test_stream),
		T(test_stream_deferred),
		T(test_stream_abort),
		T(test_stream_abort_credit),
		T(test_stream_parts_limit),
		T(test_drain),
		T(test_lock),
		T(test_list_many),
		T(test_memory),
		T(test_places),
		T(test_wish_is_over),
		T(test_space),
		T(test_delete_is_final),
		T(test_drain_is_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
