/* SPDX-License-Identifier: ISC */
#ifndef QMGR_TESTBED_H
#define QMGR_TESTBED_H

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
#include "frame/msg_smtp.h"
#include "frame/msg_spawner.h"
#include "intake.h"
#include "report.h"

enum { KEEP = 64 };

/* What deliver is to do with the next requests. */
enum fate { FATE_OK, FATE_TEMP, FATE_PERM, FATE_DIE, FATE_WAIT };

struct world {
	char dir[64];
	int root;
	struct loop loop;
	struct qmgr q;
	struct chan *rx, *admin, *router, *spawner, *deliver;
	struct chan *smtp[2];
	enum fate fate;
	struct remote {
		enum fate fate;	    /* of all, but: */
		const char *down;   /* a nexthop that cannot be reached */
		const char *killer; /* sender whose messages kill */
		bool kept;	    /* say that connections are kept */
		unsigned nsent, nrcpts, most; /* requests so far */
		unsigned of[2];		      /* by worker */
		unsigned nopened;
		uint32_t wait[KEEP]; /* tags of FATE_WAIT */
		struct chan *on[KEEP];
		uint32_t slot[KEEP];
		unsigned nwait;
		char nexthop[WHERE_MAX + 1];
		char order[256]; /* first letters of nexthops */
	} remote;
	const char *killer; /* sender whose messages kill, with FATE_DIE */
	bool router_temp;
	bool router_mute;   /* it does not answer */
	const char *alias;  /* what "valias@x" is expanded to */
	const char *params; /* see report_conf() */
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
	char row_id[QUEUE_ID_MAX + 1], row_rcpts[200]; /* to do */
	unsigned ndone, nrows, rows_state, nrow_rcpts, nattempts;
	size_t shown;
};

static const struct settings settings = {
	.retry = { .min_us = 300000000, .max_us = 4000000000 },
	.memory = 1 << 24,
	.active_max = 1000,
	.big_max = 1000,
	.threads = 3,
	.targets_max = 10,
	.idle_s = 60,
	.site = { .window = { .initial = 5,
			      .limit = 20,
			      .cohorts = 1,
			      .positive = { .base = 1 },
			      .negative = { .base = 1 } },
		  .rcpts = 50,
		  .processes = 100 },
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

/* The answer for the recipients with slots from .. from + n - 1. */
static void
answer_send(struct chan *c, uint32_t tag, enum fate fate, uint32_t from,
	    uint32_t n, bool kept)
{
	struct msg_sent out = { .kept = kept,
				.began_us = clock_wall_us(),
				.site = SEND_SITE_OK };
	struct msg_send_result r = { .class = DELIVER_OK,
				     .dsn = STR("2.0.0"),
				     .text = STR("250 2.0.0 Ok"),
				     .relay = STR("mx.test[192.0.2.1]:25"),
				     .mta = STR("mx.test"),
				     .reply = STR("250 2.0.0 Ok") };
	struct buf b;
	uint32_t i;

	if (fate == FATE_TEMP) {
		out.site = SEND_SITE_FAILED;
		out.dialog = STR("> EHLO x\n< 421 no\n");
		r = (struct msg_send_result){ .class = DELIVER_TEMP,
					      .dsn = STR("4.4.1"),
					      .relay = STR("none"),
					      .text = STR("connect to x") };
	} else if (fate == FATE_PERM) {
		r.class = DELIVER_PERM;
		r.dsn = STR("5.1.1");
		r.text = STR("host mx.test said: 550 unknown");
	}
	buf_init(&b, 65536);
	for (i = 0; i < n; i++) {
		r.slot = from + i;
		assert_int_equal(
			msg_list_add(&b, &msg_send_result_def, &r, NULL), 0);
	}
	out.results = msg_list_of(&b, n, &msg_send_result_def);
	chan_send(c, tag, &msg_sent_def, &out);
	buf_fini(&b);
}

/* Answer what has been waiting, the oldest first. */
static inline void
answer_one(struct world *w, enum fate fate)
{
	struct remote *r = &w->remote;

	assert_true(r->nwait > 0);
	answer_send(r->on[0], r->wait[0], fate, r->slot[0], 1, r->kept);
	r->nwait--;
	memmove(r->on, r->on + 1, sizeof(r->on) - sizeof(r->on[0]));
	memmove(r->wait, r->wait + 1, sizeof(r->wait) - sizeof(r->wait[0]));
	memmove(r->slot, r->slot + 1, sizeof(r->slot) - sizeof(r->slot[0]));
}

static void
smtp_gone(struct chan *c, void *arg)
{
	struct world *w = arg;
	unsigned i, n = 0;

	for (i = 0; i < 2; i++)
		if (c == w->smtp[i])
			w->smtp[i] = NULL;
	for (i = 0; i < w->remote.nwait; i++) {
		if (w->remote.on[i] == c)
			continue;
		w->remote.on[n] = w->remote.on[i];
		w->remote.wait[n] = w->remote.wait[i];
		w->remote.slot[n++] = w->remote.slot[i];
	}
	w->remote.nwait = n;
}

static void
smtp_msg(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	 void *msg)
{
	struct world *w = arg;
	struct remote *to = &w->remote;
	struct msg_send *m = msg;
	struct str it = m->rcpts.raw;
	enum fate fate = to->fate;
	struct msg_send_rcpt rcpt;

	assert_ptr_equal(def, &msg_send_def);
	assert_true(msg_list_next(&it, m->rcpts.elem, &rcpt));
	if (to->nsent < sizeof(to->order) - 1)
		to->order[to->nsent] = m->nexthop.p[0];
	to->nsent++;
	to->of[c == w->smtp[1]]++;
	to->nrcpts += m->rcpts.count;
	if (to->most < m->rcpts.count)
		to->most = m->rcpts.count;
	str_copy(to->nexthop, sizeof(to->nexthop), m->nexthop);
	if (to->down && str_eq(m->nexthop, str_of(to->down)))
		fate = FATE_TEMP;
	if (to->killer && str_eq(m->sender, str_of(to->killer)))
		fate = FATE_DIE;
	if (fate == FATE_DIE) {
		smtp_gone(c, w);
		chan_close(c);
	} else if (fate == FATE_WAIT) {
		assert_true(to->nwait < KEEP);
		to->on[to->nwait] = c;
		to->slot[to->nwait] = rcpt.slot;
		to->wait[to->nwait++] = tag;
	} else {
		answer_send(c, tag, fate, rcpt.slot, m->rcpts.count, to->kept);
	}
}

static const struct chan_ops smtp_ops = { smtp_msg, smtp_gone };

/* "v..." is virtual ("vlist..." as if it had become several, and its sender
 * wanted to know of success), "l..." a system user, "d..." is discarded, "r..."
 * goes to another host, the rest are errors. */
static uint32_t
expand(const struct world *w, struct buf *b, struct str raw)
{
	struct msg_rcpt_in in;
	struct msg_rcpt r;
	char where[600];
	uint32_t n = 0;

	while (msg_list_next(&raw, &msg_rcpt_in_def, &in)) {
		r = (struct msg_rcpt){ .address = in.address,
				       .original = in.address };
		if (w->alias && str_eq(in.address, STR("valias@x")))
			r.address = str_of(w->alias);
		snprintf(where, sizeof(where), "%.*s/", STR_FMT(r.address));
		r.where = str_of(where);
		if (str_starts(in.address, STR("vlist")))
			r.notify = NOTIFY_NEVER | NOTIFY_EXPANDED;
		switch (r.address.p[0]) {
		case 'v':
			r.type = RCPT_VIRTUAL;
			break;
		case 'l':
			r.type = RCPT_LOCAL;
			r.where = str_from(r.address, 1);
			break;
		case 'd':
			r.type = RCPT_DISCARD;
			break;
		case 'r':
			r.type = RCPT_REMOTE;
			r.transport = STR("smtp");
			r.where = str_from(in.address,
					   (size_t)str_rfind(in.address, '@') +
						   1);
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

	if (w->router_mute)
		return;
	buf_init(&b, 65536);
	if (def == &msg_expand_part_def) {
		struct msg_expand_part *p = msg;
		struct msg_expanded_part part;

		n = expand(w, &b, p->rcpts.raw);
		part.rcpts = msg_list_of(&b, n, &msg_rcpt_def);
		chan_send(c, tag, &msg_expanded_part_def, &part);
	} else {
		out.temp = w->router_temp;
		n = w->router_temp ? 0 : expand(w, &b, m->rcpts.raw);
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
		str_copy(w->row_id, sizeof(w->row_id), m->id);
		w->row_rcpts[0] = '\0';
		for (; msg_list_next(&it, m->rcpts.elem, &r); w->nrow_rcpts++) {
			size_t n = strlen(w->row_rcpts);

			if (r.text.n)
				str_copy(w->row_text, sizeof(w->row_text),
					 r.text);
			if (!r.done)
				snprintf(w->row_rcpts + n,
					 sizeof(w->row_rcpts) - n, "%s%.*s",
					 n ? " " : "", STR_FMT(r.address));
		}
	} else if (def == &msg_queue_attempt_def) {
		w->nattempts++;
	} else if (def == &msg_stored_def || def == &msg_refused_def ||
		   def == &msg_stream_pipe_def) {
		rx_msg(c, arg, tag, def, msg);
	} else if (def == &msg_queue_text_def) {
		w->shown += ((struct msg_queue_text *)msg)->text.n;
	} else if (def == &msg_queue_done_def) {
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

static struct asker *
open_smtp(struct worker *worker, unsigned n, asker_note_cb *note,
	  asker_state_cb *state)
{
	struct world *w = smtp_client_arg(worker);
	struct asker *a;
	int mine, fd = pair(&mine);

	w->remote.nopened++;
	w->smtp[n - 1] = chan_new(&w->loop, mine, &channels[CH_QMGR_SMTP],
				  CHAN_SERVICE, &smtp_ops, w);
	a = asker_new_fd(&w->loop, fd, &channels[CH_QMGR_SMTP], state, worker);
	asker_set_note(a, note);
	return a;
}

/* With w->params in place of the defaults. */
static struct report_conf *
report_conf(const struct world *w)
{
	static const char defaults[] = "myhostname = host.test\n"
				       "mydomain = test\n"
				       "myorigin = host.test\n"
				       "mail_name = Posthouse\n"
				       "double_bounce_sender = double-bounce\n"
				       "bounce_notice_recipient = vpost@x\n"
				       "2bounce_notice_recipient = vpost@x\n"
				       "delay_notice_recipient = vpost@x\n"
				       "bounce_size_limit = 50000\n"
				       "bounce_queue_lifetime = 432000\n"
				       "maximal_queue_lifetime = 432000\n";
	static const char more[] = "notify_classes = 2bounce\n"
				   "delay_warning_time = 0\n"
				   "soft_bounce = 0\n";
	struct report_conf *c;
	struct params p;
	struct buf text;
	struct err err;

	buf_init(&text, 4096);
	buf_add_c(&text, defaults);
	buf_add_c(&text, w->params ? w->params : more);
	assert_int_equal(params_load(&p, buf_str(&text), &err), 0);
	c = report_conf_new(&p, STR(""));
	assert_non_null(c);
	params_fini(&p);
	buf_fini(&text);
	return c;
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
	w->q.smtp.open = open_smtp;
	w->q.smtp.arg = w;
	smtp_client_start(&w->q, 2);
	w->rx = join(w, CH_SMTPD_QMGR, &rx_ops);
	w->admin = join(w, CH_CTL_QMGR, &admin_ops);
	w->q.reports = report_conf(w);
	w->pressure = -1;
	w->pipe = -1;
	message_schedule(&w->q);
}

static void
stop(struct world *w)
{
	int i;

	qmgr_fini(&w->q);
	/* Whatever was in hand, all of it is accounted for. */
	assert_int_equal(w->q.nactive + w->q.nbig, 0);
	assert_int_equal(w->q.active_bytes, 0);
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
	for (i = 0; i < 2; i++)
		if (w->smtp[i])
			chan_close(w->smtp[i]);
	w->smtp[0] = w->smtp[1] = NULL;
	w->remote.nwait = 0;
	loop_fini(&w->loop);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	snprintf(w->dir, sizeof(w->dir), "%s/qmgr_test.XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
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
		loop_turn(&(w)->loop, false);                   \
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
	struct msg_queue m = { .verb = (uint8_t)verb,
			       .id = str_of(id),
			       .text = QUEUE_ALL_TEXT };
	unsigned before = w->ndone;

	chan_send(w->admin, 1, &msg_queue_def, &m);
	UNTIL(w, w->ndone > before);
}

/* The queue file of id. */
static inline void
queue_path(const struct world *w, const char *id, char *path, size_t n)
{
	uint64_t v;

	assert_true(qid_parse(str_of(id), &v));
	snprintf(path, n, "%s/msg/%02x/%s", w->dir, (unsigned)(v >> 8) & 0xff,
		 id);
}

/* One of two recipients is done, with this fate, and its result cannot be
 * written: rename away to path puts that right. */
static inline void
lose_result(struct world *w, enum fate fate, char path[200], char away[200])
{
	w->fate = FATE_WAIT;
	commit(w, 1, "vsender@x", "v1@x lnobody");
	UNTIL(w, w->nstored == 1 && w->q.nsent == 1);
	queue_path(w, w->stored[0], path, 200);
	snprintf(away, 200, "%s/away", w->dir);
	assert_int_equal(rename(path, away), 0);
	w->fate = fate;
	chan_close(w->deliver);
	w->deliver = NULL;
	UNTIL(w, w->ndelivered == 1 && !list_empty(&w->q.stuck));
}

static inline void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

#endif
