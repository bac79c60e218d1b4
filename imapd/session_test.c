/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
/* After the four above, as cmocka wants it. */
#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "testbed.h"

enum { SHORT_MS = 60, PATIENCE_MS = 10000 };

static void
assert_said(struct testbed *b, int i, const char *text)
{
	if (str_search(buf_str(&b->got[i]), str_of(text)) < 0)
		fail_msg("\"%s\" is not in:\n%s", text, buf_cstr(&b->got[i]));
}

static bool
has_ended(struct testbed *b)
{
	return b->u.nsessions == 0;
}

static void
wait_for_end(struct testbed *b)
{
	uint64_t start = clock_mono_ms();

	while (!has_ended(b) && clock_mono_ms() - start < PATIENCE_MS) {
		usleep(1000);
		testbed_settle(b);
	}
	testbed_settle(b);
}

/* RFC 3501 5.4: idle too long, in any state, is told and closed. */
static void
test_autologout(void **state)
{
	static const char *const before[] = {
		"",
		"a SELECT INBOX\r\n",
		"a SELECT INBOX\r\nb IDLE\r\n",
		"a APPEND INBOX {10}\r\nhalf",
		"a APPEND INBOX {10", /* not even a line */
	};
	struct testbed b;
	uint64_t start;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		testbed_init(&b, false);
		b.u.timeout_ms = SHORT_MS;
		start = clock_mono_ms();
		testbed_connect(&b, 0);
		testbed_say(&b, 0, str_of(before[i]));
		wait_for_end(&b);
		assert_true(has_ended(&b));
		assert_true(clock_mono_ms() - start >= SHORT_MS / 2);
		assert_said(&b, 0, "* BYE Autologout");
		testbed_fini(&b);
	}
}

/* Each command starts the time anew. */
static void
test_no_autologout_at_work(void **state)
{
	struct testbed b;
	uint64_t start;

	(void)state;
	testbed_init(&b, false);
	b.u.timeout_ms = 3000;
	testbed_connect(&b, 0);
	b.u.timeout_ms = 60000; /* from the first command on */
	testbed_say(&b, 0, STR("a NOOP\r\n"));
	start = clock_mono_ms();
	while (clock_mono_ms() - start < 3100) {
		usleep(5000);
		testbed_settle(&b);
	}
	assert_false(has_ended(&b));
	testbed_say(&b, 0, STR("b LOGOUT\r\n"));
	assert_said(&b, 0, "b OK");
	testbed_fini(&b);
}

/* Nor is a long answer cut off while the client reads it. */
static void
test_no_autologout_while_reading(void **state)
{
	enum { COPIES = 30, SIZE = 90000, AT_ONCE = 65536 };
	static char text[SIZE], part[AT_ONCE];
	struct testbed b;
	struct buf command;
	size_t got = 0;
	ssize_t n = 1;
	int i;

	(void)state;
	memset(text, 'x', sizeof(text));
	buf_init(&command, 2 * SIZE);
	buf_addf(&command, "a APPEND INBOX {%d+}\r\n", SIZE);
	buf_add(&command, text, SIZE);
	buf_add_c(&command, "\r\nb SELECT INBOX\r\n");
	testbed_init(&b, false);
	testbed_connect(&b, 0);
	b.u.timeout_ms = 2000; /* less than all of it takes */
	testbed_say(&b, 0, buf_str(&command));
	assert_said(&b, 0, "b OK");
	buf_reset(&command);
	buf_add_c(&command, "c FETCH 4 (UID");
	for (i = 0; i < COPIES; i++)
		buf_add_c(&command, " BODY.PEEK[]");
	buf_add_c(&command, ")\r\n");
	assert_int_equal(send(b.client[0], command.p, command.n, 0), command.n);
	while (n > 0 && got < COPIES * SIZE) {
		for (i = 0; i < 10; i++)
			loop_turn(&b.u.loop, false);
		n = recv(b.client[0], part, sizeof(part), MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
		usleep(60000);
	}
	assert_true(got >= COPIES * SIZE);
	assert_false(has_ended(&b));
	testbed_fini(&b);
	buf_fini(&command);
}

/* Without inotify a client in IDLE hears of mail at the next poll, another one
 * at its next command. */
static void
test_news_by_polling(void **state)
{
	struct testbed b;

	(void)state;
	testbed_init(&b, false);
	testbed_connect(&b, 0);
	testbed_connect(&b, 1);
	testbed_say(&b, 0, STR("a SELECT INBOX\r\nb IDLE\r\n"));
	testbed_say(&b, 1, STR("a SELECT INBOX\r\n"));
	buf_reset(&b.got[0]);
	buf_reset(&b.got[1]);
	store_poll(b.u.store);
	testbed_settle(&b);
	assert_int_equal(b.got[0].n, 0); /* nothing new, nothing said */
	testbed_arrive(&b);
	testbed_settle(&b);
	assert_said(&b, 0, "* 4 EXISTS\r\n");
	testbed_say(&b, 1, STR("b NOOP\r\n"));
	assert_said(&b, 1, "* 4 EXISTS\r\n");
	testbed_fini(&b);
}

/* RFC 4978 */
static void
test_compress(void **state)
{
	struct testbed b;
	size_t plain;

	(void)state;
	testbed_init(&b, false);
	testbed_connect(&b, 0);
	testbed_say(&b, 0, STR("a COMPRESS\r\n"));
	assert_said(&b, 0, "a BAD");
	testbed_say(&b, 0, STR("a COMPRESS LZW\r\n"));
	assert_said(&b, 0, "BAD COMPRESS: Only");
	/* Not with something behind it, which nobody has compressed. */
	testbed_say(&b, 0, STR("b COMPRESS DEFLATE\r\nc NOOP\r\n"));
	assert_said(&b, 0, "b BAD");
	assert_said(&b, 0, "c OK");
	testbed_say(&b, 0, STR("d CAPABILITY\r\n"));
	assert_said(&b, 0, " COMPRESS=DEFLATE");
	plain = b.got[0].n;
	testbed_say(&b, 0, STR("e COMPRESS DEFLATE\r\n"));
	assert_true(b.packed[0]);
	testbed_say(&b, 0, STR("f COMPRESS DEFLATE\r\n"));
	assert_said(&b, 0, "f NO [COMPRESSIONACTIVE]");
	testbed_say(&b, 0, STR("g CAPABILITY\r\n"));
	assert_true(str_search(str_from(buf_str(&b.got[0]), plain),
			       STR("COMPRESS=DEFLATE")) < 0);
	testbed_say(&b, 0, STR("h SELECT INBOX\r\ni FETCH 1:* BODY[]\r\n"));
	assert_said(&b, 0, "i OK");
	testbed_say(&b, 0, STR("j APPEND INBOX {1000+}\r\n"));
	for (plain = 0; plain < 100; plain++)
		testbed_say(&b, 0, STR("Subject: x"));
	testbed_say(&b, 0, STR("\r\nk LOGOUT\r\n"));
	assert_said(&b, 0, "j OK [APPENDUID");
	assert_said(&b, 0, "k OK");
	assert_true(has_ended(&b));
	testbed_fini(&b);
}

/* At rest the session forgets what it has said, not what it was told. */
static void
test_compressed_rest(void **state)
{
	struct testbed b;
	uint64_t start;

	(void)state;
	testbed_init(&b, false);
	testbed_connect(&b, 0);
	testbed_say(&b, 0, STR("a COMPRESS DEFLATE\r\n"));
	testbed_say(&b, 0, STR("b SELECT INBOX\r\n"));
	start = clock_mono_ms();
	while (clock_mono_ms() - start < 3300) {
		usleep(100000);
		testbed_settle(&b);
	}
	buf_reset(&b.got[0]);
	testbed_say(&b, 0, STR("b SELECT INBOX\r\n"));
	assert_said(&b, 0, "b OK");
	testbed_say(&b, 0, STR("c IDLE\r\n"));
	testbed_arrive(&b);
	testbed_settle(&b);
	assert_said(&b, 0, "* 4 EXISTS\r\n");
	testbed_fini(&b);
}

/* What is no DEFLATE ends the session; a bomb is an ordinary long line. */
static void
test_compress_abuse(void **state)
{
	struct testbed b;
	struct buf zeros;

	(void)state;
	testbed_init(&b, false);
	testbed_connect(&b, 0);
	testbed_say(&b, 0, STR("a COMPRESS DEFLATE\r\n"));
	b.plain = true;
	testbed_say(&b, 0, STR("\377\377 NOOP\r\n"));
	assert_said(&b, 0, "* BYE");
	assert_true(has_ended(&b));
	testbed_fini(&b);

	buf_init(&zeros, 1 << 24);
	while (zeros.n < 1 << 23)
		buf_add_c(&zeros, "0000000000000000");
	testbed_init(&b, false);
	testbed_connect(&b, 0);
	testbed_say(&b, 0, STR("a COMPRESS DEFLATE\r\n"));
	testbed_say(&b, 0, buf_str(&zeros));
	assert_said(&b, 0, "* BYE Too much input");
	assert_true(has_ended(&b));
	testbed_fini(&b);
	buf_fini(&zeros);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_autologout),
		cmocka_unit_test(test_no_autologout_at_work),
		cmocka_unit_test(test_no_autologout_while_reading),
		cmocka_unit_test(test_news_by_polling),
		cmocka_unit_test(test_compress),
		cmocka_unit_test(test_compressed_rest),
		cmocka_unit_test(test_compress_abuse),
	};

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "imapd");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
