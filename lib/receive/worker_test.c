/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/msg_qmgr.h"
#include "receive/testbed.h"

extern const struct daemon_ops smtpd_ops;

enum { MANY = 12 };

/* Further clients, beside the testbed's own. */
static int
connect_one(struct testbed *tb, const char *ip)
{
	struct addr peer;
	struct err err;
	int fds[2];

	assert_int_equal(addr_parse(str_of(ip), &peer, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	worker_take(tb->w, fds[1], &peer, false);
	testbed_settle(tb);
	return fds[0];
}

static void
expect_begin(int fd, const char *want)
{
	char text[600] = "";

	assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	text[strlen(want)] = '\0';
	assert_string_equal(text, want);
}

static void
close_all(struct testbed *tb, int *fds, int n)
{
	while (n)
		close(fds[--n]);
	testbed_settle(tb);
}

static void
test_session_limit(void **state)
{
	struct testbed tb;
	int fds[MANY], i;

	(void)state;
	testbed_init(&tb, &smtpd_ops, "smtpd_session_limit = 10\n");
	for (i = 0; i < MANY; i++) {
		fds[i] = connect_one(&tb, "127.0.0.1");
		expect_begin(fds[i], i < 10 ? "220 " : "421 4.3.2 ");
	}
	close_all(&tb, fds, MANY);
	assert_int_equal(tb.w->nsessions, 0);
	fds[0] = connect_one(&tb, "127.0.0.1");
	expect_begin(fds[0], "220 ");
	close_all(&tb, fds, 1);
	testbed_fini(&tb);
}

static int
listening(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET,
				    .sin_addr = { htonl(INADDR_LOOPBACK) } };
	assert_int_equal(bind(fd, (struct sockaddr *)at, len), 0);
	assert_int_equal(listen(fd, 10), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

/* -1: nobody listens. */
static int
dial(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* master lends the socket of a worker it cannot start; at the end it is closed,
 * so that clients do not wait at an address nobody serves. */
static void
test_lent_listener(void **state)
{
	static const char *const names[] = { "listen_smtp", "users",
					     "listen_smtp" };
	struct sockaddr_in at;
	struct testbed tb;
	int fd, i;

	(void)state;
	testbed_init(&tb, &smtpd_ops, "");
	for (i = 0; i < 3; i++) {
		smtpd_ops.table(&tb.d, str_of(names[i]), listening(&at));
		fd = dial(&at);
		if (i == 1) {
			assert_int_equal(fd, -1);
			continue;
		}
		testbed_settle(&tb);
		expect_begin(fd, "220 ");
		close(fd);
		testbed_settle(&tb);
	}
	tb.d.draining = true;
	smtpd_ops.drain(&tb.d);
	assert_int_equal(dial(&at), -1);
	smtpd_ops.table(&tb.d, STR("listen_smtp"), listening(&at));
	assert_int_equal(dial(&at), -1);
	testbed_fini(&tb);
}

/* Who keeps silent does not keep a place that somebody else wants. */
static void
test_silent_clients(void **state)
{
	struct session *s;
	struct testbed tb;
	int fds[4], i;

	(void)state;
	testbed_init(&tb, &smtpd_ops, "smtpd_session_limit = 3\n");
	for (i = 0; i < 3; i++)
		fds[i] = connect_one(&tb, "127.0.0.1");
	for (i = 0; i < 3; i++)
		expect_begin(fds[i], "220 ");
	/* The second one has said nothing for 10 s, the third for 9. */
	s = LIST_OF(tb.w->sessions.next->next, struct session, link);
	s->deadline -= 10000;
	s = LIST_OF(tb.w->sessions.prev, struct session, link);
	s->deadline -= 9000;
	fds[3] = connect_one(&tb, "127.0.0.1");
	expect_begin(fds[3], "220 ");
	expect_begin(fds[1], "421 4.3.2 ");
	close(fds[1]);
	fds[1] = connect_one(&tb, "127.0.0.1");
	expect_begin(fds[1], "421 4.3.2 ");
	close_all(&tb, fds, 4);
	testbed_fini(&tb);
}

static void
test_client_limit(void **state)
{
	struct testbed tb;
	int fds[MANY], i;

	(void)state;
	testbed_init(&tb, &smtpd_ops,
		     "smtpd_client_connection_count_limit = 3\n");
	for (i = 0; i < 4; i++) {
		fds[i] = connect_one(&tb, "192.0.2.1");
		expect_begin(fds[i], i < 3 ? "220 " : "421 4.7.0 ");
	}
	fds[4] = connect_one(&tb, "192.0.2.2"); /* another client */
	expect_begin(fds[4], "220 ");
	fds[5] = connect_one(&tb, "2001:db8::1");
	expect_begin(fds[5], "220 ");
	for (i = 6; i < MANY; i++) { /* an exception */
		fds[i] = connect_one(&tb, "127.0.0.1");
		expect_begin(fds[i], "220 ");
	}
	assert_int_equal(tb.w->clients.map.n, 4);
	close_all(&tb, fds, MANY);
	assert_int_equal(tb.w->clients.map.n, 0);
	testbed_fini(&tb);
}

static void
begin_text(struct testbed *tb)
{
	testbed_send(tb, STR("EHLO x\r\n"));
	testbed_send(tb, STR("MAIL FROM:<>\r\nRCPT TO:<alice@own.test>\r\n"
			     "DATA\r\n"));
	testbed_send(tb, STR("Subject: x\r\n\r\n"));
}

/* smtpd_worker_sessions: 421 for who is idle, then the process ends. */
static void
test_recycle(void **state)
{
	struct testbed tb;
	uint64_t end;
	int fds[2];

	(void)state;
	testbed_init(&tb, &smtpd_ops, "smtpd_worker_sessions = 2\n");
	fds[0] = connect_one(&tb, "127.0.0.1");
	expect_begin(fds[0], "220 ");
	fds[1] = connect_one(&tb, "127.0.0.1");
	expect_begin(fds[1], "220 ");
	assert_false(tb.exited);
	end = clock_mono_ms() + 10000;
	while (!tb.exited && clock_mono_ms() < end)
		testbed_turn(&tb);
	assert_true(tb.exited);
	expect_begin(fds[0], "421 4.3.2 ");
	close_all(&tb, fds, 2);
	testbed_fini(&tb);
}

/* Whose message is being stored hears about it, then goes as well: a socket
 * waits for the fresh process. */
static void
test_recycle_while_storing(void **state)
{
	struct msg_stored stored = { STR("Q1") };
	struct testbed tb;
	uint64_t end;
	int fd;

	(void)state;
	testbed_init(&tb, &smtpd_ops, "smtpd_worker_sessions = 2\n");
	testbed_connect(&tb, "192.0.2.1", false);
	fd = connect_one(&tb, "192.0.2.2");
	tb.mute = true;
	begin_text(&tb);
	testbed_send(&tb, STR(".\r\n"));
	close(fd);
	end = clock_mono_ms() + 4000;
	while (clock_mono_ms() < end)
		testbed_turn(&tb);
	assert_false(tb.exited);
	chan_send(tb.qmgr, tb.tag, &msg_stored_def, &stored);
	end = clock_mono_ms() + 20000;
	while (!tb.exited && clock_mono_ms() < end)
		testbed_turn(&tb);
	assert_true(tb.exited);
	testbed_fini(&tb);
}

static void
test_drain(void **state)
{
	struct testbed tb;
	int fd;

	(void)state;
	testbed_init(&tb, &smtpd_ops, "");
	fd = connect_one(&tb, "127.0.0.1");
	tb.d.draining = true;
	smtpd_ops.drain(&tb.d);
	testbed_settle(&tb);
	assert_false(tb.exited);
	close(fd);
	testbed_settle(&tb);
	assert_true(tb.exited);
	testbed_fini(&tb);
}

/*
 * The end of a stream leaves its descriptor's number to the next one: while
 * the first session still waits for its COMMIT, the second one's pipe has to
 * be watched.
 */
static void
test_two_streams(void **state)
{
	static char text[90000];
	struct str line = { 0 }, piece;
	struct testbed tb;
	int first, second, i;
	struct session *s;

	(void)state;
	for (i = 0; i < (int)sizeof(text); i++)
		text[i] = "0123456789\r\n"[i % 12];
	piece = str_mem(text, sizeof(text));
	testbed_init(&tb, &smtpd_ops, "");
	/* Both connections first, so that the pipes get the same number. */
	second = connect_one(&tb, "192.0.2.2");
	testbed_connect(&tb, "192.0.2.1", false);
	begin_text(&tb);
	tb.mute = tb.stop_pipe = true;
	testbed_send(&tb, piece);
	/* The pipe is empty and the end is there, in one turn of the loop. */
	tb.stop_pipe = false;
	(void)!testbed_drain(&tb);
	s = LIST_OF(tb.w->sessions.prev, struct session, link);
	assert_int_equal(conn_preload(s->conn, STR(".\r\n")), 0);
	session_input(s);
	testbed_settle(&tb);
	assert_true(tb.streamed);
	first = tb.client;
	tb.client = second;
	tb.streamed = false;
	begin_text(&tb);
	tb.stop_pipe = true;
	testbed_send(&tb, piece);
	testbed_send(&tb, piece);
	testbed_send(&tb, STR(".\r\n"));
	assert_false(tb.streamed);
	tb.mute = tb.stop_pipe = false;
	while (!str_starts(line, STR("250 2.0.0 ")))
		assert_true(testbed_line(&tb, &line));
	assert_true(tb.streamed);
	close(first);
	testbed_fini(&tb);
}

/* smtpd_timeout is for a whole line: dripping bytes do not extend it. */
static void
test_slow_command(void **state)
{
	struct testbed tb;
	uint64_t end, next;
	struct str line;

	(void)state;
	testbed_init(&tb, &smtpd_ops, "smtpd_timeout = 1\n");
	testbed_connect(&tb, "192.0.2.1", false);
	assert_true(testbed_line(&tb, &line));
	end = clock_mono_ms() + 20000;
	next = 0;
	while (!tb.closed && clock_mono_ms() < end) {
		if (clock_mono_ms() >= next) {
			(void)!send(tb.client, "x", 1, MSG_NOSIGNAL);
			next = clock_mono_ms() + 100;
		}
		testbed_turn(&tb);
	}
	assert_true(testbed_line(&tb, &line));
	assert_true(str_starts(line, STR("421 4.4.2 ")));
	assert_true(clock_mono_ms() < end);
	testbed_fini(&tb);
}

/* smtpd_min_data_rate: a text that drips below it runs out of time. */
static void
test_slow_data(void **state)
{
	struct testbed tb;
	uint64_t end, next = 0;
	struct str line;
	size_t lines = 0;

	(void)state;
	testbed_init(&tb, &smtpd_ops,
		     "smtpd_timeout = 1\nsmtpd_min_data_rate = 500\n");
	testbed_connect(&tb, "192.0.2.1", false);
	testbed_send(&tb, STR("EHLO x\r\n"));
	testbed_send(&tb, STR("MAIL FROM:<>\r\nRCPT TO:<alice@own.test>\r\n"
			      "DATA\r\n"));
	end = clock_mono_ms() + 20000;
	while (!tb.closed && clock_mono_ms() < end) {
		if (clock_mono_ms() >= next) {
			(void)!send(tb.client, "0123456789", 10, MSG_NOSIGNAL);
			next = clock_mono_ms() + 100;
		}
		testbed_turn(&tb);
	}
	assert_true(tb.closed);
	while (testbed_line(&tb, &line))
		lines++;
	assert_true(str_starts(line, STR("421 4.4.2 ")));
	assert_int_equal(tb.stored, 0);
	testbed_fini(&tb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session_limit),
		cmocka_unit_test(test_client_limit),
		cmocka_unit_test(test_silent_clients),
		cmocka_unit_test(test_recycle),
		cmocka_unit_test(test_recycle_while_storing),
		cmocka_unit_test(test_lent_listener),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_two_streams),
		cmocka_unit_test(test_slow_command),
		cmocka_unit_test(test_slow_data),
	};

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "smtpd");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
