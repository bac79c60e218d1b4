/* SPDX-License-Identifier: ISC */
/* The asking side, over socket pairs; master's part is played here. */
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "frame/asker.h"
#include "frame/msg_qmgr.h"
#include "frame/msg_router.h"

enum { INFLIGHT = 512 }; /* of the row qmgr-router */

struct world {
	struct daemon d;
	struct asker *a;
	int service; /* the service's end of the channel, -1: none */
	unsigned ok, failed, parts;
	bool up;
};

static daemon_connect_cb *connect_cb;
static void *connect_arg;

/* In place of frame/daemon.c. */
void
daemon_connect(struct daemon *d, enum service_id service, unsigned worker,
	       daemon_connect_cb *cb, void *arg)
{
	(void)worker;
	(void)d;
	assert_int_equal(service, SVC_ROUTER);
	connect_cb = cb;
	connect_arg = arg;
}

void
daemon_connect_cancel(struct daemon *d, void *arg)
{
	(void)d;
	if (arg == connect_arg)
		connect_cb = NULL;
}

static void
turns(struct world *w)
{
	int i;

	for (i = 0; i < 300; i++)
		loop_turn(&w->d.loop, false);
}

/* Give the asker the channel it asks for. */
static void
join(struct world *w)
{
	int fds[2], i;

	for (i = 0; !connect_cb && i < 100; i++) {
		usleep(10000);
		turns(w);
	}
	assert_non_null(connect_cb);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	w->service = fds[1];
	connect_cb(connect_arg, fds[0], false);
	connect_cb = NULL;
	turns(w);
	assert_true(w->up);
}

static void
leave(struct world *w)
{
	close(w->service);
	w->service = -1;
	turns(w);
}

static void
on_state(void *arg, bool up)
{
	((struct world *)arg)->up = up;
}

static void
on_reply(void *arg, const struct msg_def *def, void *msg)
{
	struct world *w = arg;

	(void)msg;
	if (!def)
		w->failed++;
	else if (def == &msg_expanded_def)
		w->ok++;
	else
		w->parts++;
}

static void
open_world(struct world *w)
{
	struct err err;

	*w = (struct world){ .service = -1 };
	w->d.svc = &services[SVC_QMGR];
	assert_int_equal(loop_init(&w->d.loop, &err), 0);
	w->a = asker_new(&w->d, SVC_ROUTER, NULL, on_state, w);
	assert_non_null(w->a);
	join(w);
}

static void
close_world(struct world *w)
{
	asker_free(w->a);
	if (w->service >= 0)
		close(w->service);
	loop_fini(&w->d.loop);
}

static uint32_t
ask(struct world *w, const char *sender, unsigned deadline_ms)
{
	struct msg_expand m = { .sender = str_of(sender),
				.rcpts = { .elem = &msg_rcpt_in_def } };

	return asker_send(w->a, &msg_expand_def, &m, deadline_ms, on_reply, w);
}

/* Tag and type of the next frame that came, or 0.  What did not fit the socket
 * follows when there is room. */
static uint32_t
next_frame(struct world *w, uint16_t *type)
{
	char frame[MSG_FRAME_MAX];
	uint32_t tag = 0;
	ssize_t n = recv(w->service, frame, sizeof(frame), MSG_DONTWAIT);

	if (n < 0) {
		loop_turn(&w->d.loop, false);
		n = recv(w->service, frame, sizeof(frame), MSG_DONTWAIT);
	}
	if (n <= 0)
		return 0;
	assert_int_equal(msg_peek(str_mem(frame, (size_t)n), type, &tag), 0);
	return tag;
}

static unsigned
frames(struct world *w)
{
	unsigned n = 0;
	uint16_t type;

	while (next_frame(w, &type))
		n++;
	return n;
}

static void
answer(struct world *w, uint32_t tag)
{
	struct msg_expanded m = { .rcpts = { .elem = &msg_rcpt_def } };
	struct err err;
	struct buf b;
	size_t nfds;

	buf_init(&b, 1000);
	assert_int_equal(
		msg_encode(&b, &msg_expanded_def, tag, &m, NULL, &nfds, &err),
		0);
	assert_int_equal(send(w->service, b.p, b.n, 0), b.n);
	buf_fini(&b);
	turns(w);
}

/* No more in flight than the row allows; the rest waits its turn. */
static void
test_inflight(void **state)
{
	struct world w;
	uint16_t type;
	uint32_t tag;
	unsigned i;

	(void)state;
	open_world(&w);
	for (i = 0; i < INFLIGHT + 10; i++)
		assert_true(ask(&w, "s", 0) != 0);
	turns(&w);
	tag = next_frame(&w, &type);
	assert_int_equal(type, MSG_EXPAND);
	assert_int_equal(1 + frames(&w), INFLIGHT);
	answer(&w, tag);
	assert_int_equal(w.ok, 1);
	assert_int_equal(frames(&w), 1);
	answer(&w, tag); /* twice: nobody waits for it */
	assert_int_equal(w.ok, 1);
	for (; i < ASKER_QUEUE_MAX + 1; i++)
		assert_true(ask(&w, "s", 0) != 0);
	assert_int_equal(ask(&w, "s", 0), 0); /* full */
	close_world(&w);
	assert_int_equal(w.failed, ASKER_QUEUE_MAX);
}

/* At EOF what was sent fails; what waited goes over the next channel. */
static void
test_reconnect(void **state)
{
	struct world w;
	unsigned i;

	(void)state;
	open_world(&w);
	for (i = 0; i < INFLIGHT + 10; i++)
		assert_true(ask(&w, "s", 0) != 0);
	turns(&w);
	leave(&w);
	assert_false(w.up);
	assert_int_equal(w.failed, INFLIGHT);
	assert_int_equal(asker_pending(w.a), 10);
	assert_true(ask(&w, "while it is down", 0) != 0);
	join(&w);
	assert_int_equal(frames(&w), 11);
	close_world(&w);
}

/* A request whose parts went over a channel that is gone must not go over the
 * next one without them: recipients would be lost. */
static void
test_parts(void **state)
{
	struct msg_expand m = { .rcpts = { .elem = &msg_rcpt_in_def } };
	struct msg_expand_part part = { .rcpts = m.rcpts };
	struct world w;
	uint16_t type;
	uint32_t tag;
	unsigned i;

	(void)state;
	open_world(&w);
	for (i = 0; i < INFLIGHT; i++)
		assert_true(ask(&w, "s", 0) != 0);
	tag = asker_tag(w.a);
	assert_int_equal(asker_send_part(w.a, tag, &msg_expand_part_def, &part),
			 0);
	assert_int_equal(asker_send_tagged(w.a, tag, &msg_expand_def, &m, 0,
					   on_reply, &w),
			 tag);
	turns(&w);
	for (i = 0; i < INFLIGHT; i++)
		assert_true(next_frame(&w, &type) != 0);
	assert_int_equal(next_frame(&w, &type), tag);
	assert_int_equal(type, MSG_EXPAND_PART);
	assert_int_equal(frames(&w), 0); /* the request itself waits */
	leave(&w);
	assert_int_equal(w.failed, INFLIGHT + 1);
	assert_int_equal(asker_pending(w.a), 0);
	assert_int_equal(asker_send_part(w.a, tag, &msg_expand_part_def, &part),
			 -1);
	assert_int_equal(asker_send_tagged(w.a, tag, &msg_expand_def, &m, 0,
					   on_reply, &w),
			 0);
	join(&w);
	assert_int_equal(frames(&w), 0);
	close_world(&w);
}

static void
test_deadline_cancel(void **state)
{
	struct world w;
	uint32_t kept, gone;

	(void)state;
	open_world(&w);
	gone = ask(&w, "cancelled", 20);
	kept = ask(&w, "kept", 0);
	assert_true(ask(&w, "late", 20) != 0);
	asker_cancel(w.a, gone);
	asker_cancel(w.a, gone);
	usleep(30000);
	turns(&w);
	assert_int_equal(w.failed, 1);
	assert_int_equal(asker_pending(w.a), 1);
	answer(&w, gone); /* dropped */
	assert_int_equal(w.ok, 0);
	answer(&w, kept);
	assert_int_equal(w.ok, 1);
	close_world(&w);
	assert_int_equal(w.failed, 1);
}

static void
on_note(void *arg, const struct msg_def *def, void *msg)
{
	struct world *w = arg;

	(void)def;
	(void)msg;
	w->parts++;
}

/* A service that has been taken over: neither is a note a part of an answer,
 * nor does it come under a tag. */
static void
test_note_is_no_answer(void **state)
{
	struct msg_stream m = { .size = 1 };
	struct msg_pressure note = { 0 };
	struct world w = { .service = -1 };
	struct err err;
	struct buf b;
	uint32_t tag;
	size_t nfds;
	int fds[2];

	(void)state;
	assert_int_equal(loop_init(&w.d.loop, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	w.service = fds[1];
	w.a = asker_new_fd(&w.d.loop, fds[0], &channels[CH_SMTPD_QMGR], NULL,
			   &w);
	asker_set_note(w.a, on_note);
	tag = asker_send(w.a, &msg_stream_def, &m, 0, on_reply, &w);
	assert_true(tag != 0);
	buf_init(&b, 1000);
	assert_int_equal(msg_encode(&b, &msg_pressure_def, tag, &note, NULL,
				    &nfds, &err),
			 0);
	assert_int_equal(send(w.service, b.p, b.n, 0), b.n);
	buf_fini(&b);
	turns(&w);
	assert_int_equal(w.parts + w.failed, 0);
	close_world(&w);
	assert_int_equal(w.failed, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inflight),
		cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_deadline_cancel),
		cmocka_unit_test(test_note_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
