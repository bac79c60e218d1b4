/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "net/conn.h"

struct user {
	struct loop loop;
	struct conn *c;
	int peer;
	struct buf got; /* what was consumed */
	size_t eat;	/* consume at most this at a time; 0: nothing */
	unsigned calls, ends, drained;
	enum conn_end why;
	enum { DO_NOTHING, DO_PAUSE, DO_CLOSE, DO_REPLY_CLOSE } then;
};

static void
on_input(struct conn *c, void *arg)
{
	struct user *u = arg;
	struct str in = str_head(conn_input(c), u->eat);

	u->calls++;
	assert_int_equal(buf_add_str(&u->got, in), 0);
	conn_consume(c, in.n);
	switch (u->then) {
	case DO_PAUSE:
		conn_pause(c);
		break;
	case DO_CLOSE:
		conn_close(c);
		u->c = NULL;
		break;
	case DO_REPLY_CLOSE:
		assert_int_equal(conn_write(c, STR("bye")), 0);
		conn_close_drained(c, 1000);
		u->c = NULL;
		break;
	default:
		break;
	}
}

static void
on_drained(struct conn *c, void *arg)
{
	(void)c;
	((struct user *)arg)->drained++;
}

static void
on_end(struct conn *c, void *arg, enum conn_end why)
{
	struct user *u = arg;

	u->ends++;
	u->why = why;
	if (why == CONN_DEADLINE)
		assert_int_equal(conn_write(c, STR("late")), 0);
	conn_close(c);
	u->c = NULL;
}

static const struct conn_ops ops = { on_input, on_drained, on_end };

static void
open_user(struct user *u, size_t in_limit, size_t out_limit)
{
	struct err err;
	int fds[2];

	*u = (struct user){ .eat = SIZE_MAX };
	buf_init(&u->got, 1 << 22);
	assert_int_equal(loop_init(&u->loop, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	u->c = conn_new(&u->loop, fds[0], in_limit, out_limit, &ops, u);
	assert_non_null(u->c);
	u->peer = fds[1];
}

static void
turns(struct user *u)
{
	int i;

	for (i = 0; i < 20; i++)
		loop_turn(&u->loop, false);
}

static void
close_user(struct user *u)
{
	if (u->c)
		conn_close(u->c);
	close(u->peer);
	buf_fini(&u->got);
	turns(u);
	loop_fini(&u->loop);
}

static void
say(struct user *u, const char *text)
{
	assert_int_equal(send(u->peer, text, strlen(text), MSG_NOSIGNAL),
			 strlen(text));
	turns(u);
}

/* All there is to read now; "EOF" at the end. */
static const char *
heard(struct user *u)
{
	static char text[200];
	ssize_t n;
	size_t at = 0;

	while ((n = recv(u->peer, text + at, sizeof(text) - 10 - at,
			 MSG_DONTWAIT)) > 0)
		at += (size_t)n;
	snprintf(text + at, sizeof(text) - at, "%s", n == 0 ? "EOF" : "");
	return text;
}

static void
test_flow(void **state)
{
	struct user u;

	(void)state;
	open_user(&u, 100, 100);
	say(&u, "one");
	assert_true(str_eq(buf_str(&u.got), STR("one")));
	/* Writes of one turn leave together, at its end. */
	assert_int_equal(conn_write(u.c, STR("a")), 0);
	assert_int_equal(conn_writef(u.c, "%d", 42), 0);
	assert_int_equal(conn_unsent(u.c), 3);
	assert_string_equal(heard(&u), "");
	turns(&u);
	assert_string_equal(heard(&u), "a42");
	assert_int_equal(conn_unsent(u.c), 0);
	assert_int_equal(u.drained, 1);
	/* Input that came before the end is seen before it. */
	assert_int_equal(send(u.peer, "last", 4, 0), 4);
	shutdown(u.peer, SHUT_WR);
	turns(&u);
	assert_true(str_eq(buf_str(&u.got), STR("onelast")));
	assert_int_equal(u.ends, 1);
	assert_int_equal(u.why, CONN_EOF);
	assert_null(u.c);
	close_user(&u);
}

static void
test_in_limit(void **state)
{
	char many[5000];
	struct user u;
	size_t n = 0;
	ssize_t rc;

	(void)state;
	open_user(&u, 100, 100);
	memset(many, 'x', sizeof(many));
	u.eat = 0;
	while ((rc = send(u.peer, many, sizeof(many),
			  MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		n += (size_t)rc;
	turns(&u);
	assert_int_equal(conn_input(u.c).n, 100);
	/* Once it is eaten all comes, in order and complete. */
	u.eat = 7;
	conn_resume(u.c);
	while (u.got.n < n) {
		size_t before = u.got.n;

		conn_resume(u.c);
		loop_turn(&u.loop, false);
		assert_true(u.got.n > before);
	}
	assert_int_equal(u.got.n, n);
	close_user(&u);
}

static void
test_pause(void **state)
{
	struct user u;

	(void)state;
	open_user(&u, 100, 100);
	u.then = DO_PAUSE;
	u.eat = 1;
	say(&u, "abc");
	assert_true(str_eq(buf_str(&u.got), STR("a")));
	say(&u, "d");
	assert_int_equal(u.calls, 1);
	shutdown(u.peer, SHUT_WR);
	turns(&u);
	assert_int_equal(u.ends, 0); /* while paused nothing ends */
	conn_resume(u.c);
	turns(&u);
	assert_true(str_eq(buf_str(&u.got), STR("ab")));
	u.then = DO_NOTHING;
	u.eat = SIZE_MAX;
	conn_resume(u.c);
	turns(&u);
	assert_true(str_eq(buf_str(&u.got), STR("abcd")));
	assert_int_equal(u.ends, 1);
	close_user(&u);
}

static void
test_close(void **state)
{
	struct user u;

	(void)state;
	open_user(&u, 100, 100);
	u.then = DO_CLOSE;
	say(&u, "x");
	assert_string_equal(heard(&u), "EOF");
	assert_int_equal(u.ends, 0);
	close_user(&u);
	open_user(&u, 100, 100);
	u.then = DO_REPLY_CLOSE;
	say(&u, "QUIT");
	assert_string_equal(heard(&u), "byeEOF");
	assert_int_equal(u.ends, 0);
	close_user(&u);
}

/* A client that half-closes after QUIT still gets all of the output. */
static void
test_close_half(void **state)
{
	static char large[1 << 20];
	struct user u;
	size_t n = 0;
	ssize_t rc = -1;
	int i;

	(void)state;
	open_user(&u, 100, sizeof(large));
	memset(large, 'y', sizeof(large));
	assert_int_equal(conn_write(u.c, str_mem(large, sizeof(large))), 0);
	turns(&u);
	assert_true(conn_unsent(u.c) > 0);
	shutdown(u.peer, SHUT_WR);
	conn_close_drained(u.c, 60000);
	u.c = NULL;
	for (i = 0; i < 100000 && rc != 0; i++) {
		loop_turn(&u.loop, false);
		rc = recv(u.peer, large, sizeof(large), MSG_DONTWAIT);
		if (rc > 0)
			n += (size_t)rc;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n, sizeof(large));
	close_user(&u);
	/* Nobody reads: it ends at the deadline all the same. */
	open_user(&u, 100, sizeof(large));
	assert_int_equal(conn_write(u.c, str_mem(large, sizeof(large))), 0);
	turns(&u);
	shutdown(u.peer, SHUT_WR);
	conn_close_drained(u.c, 50);
	u.c = NULL;
	usleep(60000);
	turns(&u);
	assert_int_equal(
		event_base_get_num_events(u.loop.base, EVENT_BASE_COUNT_ADDED),
		0);
	close_user(&u);
}

static void
test_stuck(void **state)
{
	char many[1001];
	struct user u;

	(void)state;
	open_user(&u, 100, 1000);
	memset(many, 'z', sizeof(many));
	assert_int_equal(conn_write(u.c, str_mem(many, 1000)), 0);
	assert_int_equal(conn_write(u.c, STR("z")), -1);
	turns(&u);
	assert_int_equal(u.ends, 1);
	assert_int_equal(u.why, CONN_STUCK);
	close_user(&u);
}

static void
test_deadline(void **state)
{
	struct user u;

	(void)state;
	open_user(&u, 100, 100);
	conn_deadline(u.c, 30);
	usleep(40000);
	conn_deadline(u.c, 0); /* none any more */
	turns(&u);
	assert_int_equal(u.ends, 0);
	conn_deadline(u.c, 20);
	usleep(30000);
	turns(&u);
	assert_int_equal(u.ends, 1);
	assert_int_equal(u.why, CONN_DEADLINE);
	assert_string_equal(heard(&u), "lateEOF");
	close_user(&u);
}

static void
test_detach(void **state)
{
	struct buf input;
	struct user u;
	char c;
	int fd;

	(void)state;
	open_user(&u, 100, 100);
	u.eat = 2;
	say(&u, "abcd");
	assert_int_equal(conn_write(u.c, STR("ok")), 0);
	fd = conn_detach(u.c, &input);
	u.c = NULL;
	assert_true(fd >= 0);
	assert_true(str_eq(buf_str(&input), STR("cd")));
	assert_string_equal(heard(&u), "ok");
	assert_int_equal(send(u.peer, "e", 1, 0), 1);
	assert_int_equal(recv(fd, &c, 1, 0), 1);
	/* And in another process: what was pending comes first. */
	u.c = conn_new(&u.loop, fd, 100, 100, &ops, &u);
	assert_non_null(u.c);
	u.eat = SIZE_MAX;
	buf_reset(&u.got);
	assert_int_equal(conn_preload(u.c, buf_str(&input)), 0);
	say(&u, "f");
	assert_true(str_eq(buf_str(&u.got), STR("cdf")));
	buf_fini(&input);
	close_user(&u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_in_limit),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_close_half),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_detach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
