/* SPDX-License-Identifier: ISC */
/* What people read: errors, log lines; and parameters. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/log.h"
#include "base/param.h"

static void
test_err(void **state)
{
	struct err err;
	size_t i;

	(void)state;
	assert_int_equal(err_set(&err, ERR_PERM, 7, "no %s", "way"), -1);
	assert_int_equal(err.class, ERR_PERM);
	assert_int_equal(err.code, 7);
	assert_string_equal(err.text, "no way");
	assert_int_equal(err_prefix(&err, "file %d", 3), -1);
	assert_string_equal(err.text, "file 3: no way");
	assert_int_equal(err_sys(&err, ENOENT, "x"), -1);
	assert_int_equal(err.class, ERR_PERM);
	assert_string_equal(err.text, "x: No such file or directory");
	(void)err_sys(&err, ENOSPC, "x");
	assert_int_equal(err.class, ERR_TEMP);
	/* Too long is cut, never written past the end. */
	(void)err_set(&err, ERR_TEMP, 0, "%0300d", 1);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	for (i = 0; i < 3; i++)
		(void)err_prefix(&err, "%0100d", 1);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	(void)err_sys(&err, EIO, "%0300d", 1);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(err_set(NULL, ERR_TEMP, 0, "x"), -1);
	assert_int_equal(err_sys(NULL, EIO, "x"), -1);
	assert_int_equal(err_prefix(NULL, "x"), -1);
}

/* Security rule 10. */
static void
test_quote(void **state)
{
	static const struct {
		struct str in;
		const char *want;
	} rows[] = {
		{ { "", 0 }, "" },
		{ { "plain <a@b>", 11 }, "plain <a@b>" },
		{ { "a\r\nb", 4 }, "a\\x0D\\x0Ab" },
		{ { "\0", 1 }, "\\x00" },
		{ { "\x7f\x1b", 2 }, "\\x7F\\x1B" },
		{ { "\\", 1 }, "\\x5C" },
		{ { "\xc3\xa4", 2 }, "\xc3\xa4" },
		{ { "\xe2\x82\xac", 3 }, "\xe2\x82\xac" },
		{ { "\xf0\x9f\x98\x80", 4 }, "\xf0\x9f\x98\x80" },
		{ { "\xc3", 1 }, "\\xC3" },
		{ { "\xc0\xaf", 2 }, "\\xC0\\xAF" }, /* overlong */
		{ { "\xe0\x80\xaf", 3 }, "\\xE0\\x80\\xAF" },
		{ { "\xed\xa0\x80", 3 }, "\\xED\\xA0\\x80" }, /* surrogate */
		{ { "\xf4\x90\x80\x80", 4 }, "\\xF4\\x90\\x80\\x80" },
		{ { "\xc2\x85", 2 }, "\\xC2\\x85" }, /* C1 */
	};
	char many[600];
	const char *s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(LOGQ(rows[i].in), rows[i].want);
	/* Cut, with every byte at every place at the end. */
	for (i = 0; i < 8; i++) {
		memset(many, 'a', sizeof(many));
		memset(many + i, '\n', sizeof(many) - i);
		s = LOGQ(str_mem(many, sizeof(many)));
		assert_true(strlen(s) < sizeof(struct log_quoted));
		assert_string_equal(s + strlen(s) - 3, "...");
		memset(many + i, '\xf0', sizeof(many) - i);
		assert_true(strlen(LOGQ(str_mem(many, sizeof(many)))) <
			    sizeof(struct log_quoted));
	}
}

static void
test_log_channel(void **state)
{
	char frame[LOG_FRAME_MAX];
	int fds[2], i, lost;
	struct str rest, word;
	uint64_t told;
	ssize_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	log_open(fds[0], "test");
	log_info("one");
	log_line(LOG_INFO_, "ID", "two %d", 2);
	log_debug("not shown");
	assert_true(recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT) < 0);
	log_flush();
	n = recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT);
	assert_int_equal(n, 4 + 3 + 4 + 2 + 5);
	assert_memory_equal(frame, "\5\0\1\0one\11\0\1\2IDtwo 2", (size_t)n);
	/* A warning does not wait, and a long line is cut. */
	log_warn("%0*d", 3000, 1);
	n = recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT);
	assert_int_equal(n, 4 + LOG_TEXT_MAX - 1);
	assert_int_equal(enc_get16(frame), n - 2);
	/* More than a frame goes out in several. */
	for (i = 0; i < 20; i++)
		log_info("%01500d", i);
	n = recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT);
	assert_int_equal(n, 10 * 1504);
	log_flush();
	n = recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT);
	assert_int_equal(n, 10 * 1504);
	/* What cannot be sent is lost, counted, and said later. */
	for (i = 0; i < 2000; i++)
		log_info("%01500d", i);
	log_flush();
	for (lost = 2000; recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT) > 0;)
		lost -= 10;
	assert_in_range(lost, 1, 1990);
	log_info("again");
	log_flush();
	n = recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT);
	assert_int_equal(n, 4 + 5);
	n = recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT);
	assert_true(n > 4);
	rest = str_mem(frame + 4, (size_t)n - 4);
	assert_true(str_token(&rest, " ", &word));
	assert_int_equal(str_u64(word, 2000, &told), 0);
	assert_int_equal(told, lost);
	log_info("and again");
	log_flush();
	assert_true(recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT) > 0);
	assert_true(recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT) < 0);
	/* Of one user. */
	log_set_user("imap", "u");
	log_info("x");
	log_info("imap(u)<1>: y");
	log_flush();
	n = recv(fds[1], frame, sizeof(frame), MSG_DONTWAIT);
	assert_int_equal(n, 4 + 10 + 4 + 13);
	assert_memory_equal(frame + 4, "imap(u): x", 10);
	assert_memory_equal(frame + 18, "imap(u)<1>: y", 13);
	log_open(-1, "");
	close(fds[0]);
	close(fds[1]);
}

static int
is_even(struct str value, struct err *err)
{
	return value.n % 2 ? err_set(err, ERR_PERM, 0, "odd") : 0;
}

static void
test_param_check(void **state)
{
	static const struct {
		struct param row;
		const char *value;
		int rc;
		int64_t number;
	} rows[] = {
		{ { "b", PARAM_BOOL }, "yes", 0, 1 },
		{ { "b", PARAM_BOOL }, "no", 0, 0 },
		{ { "b", PARAM_BOOL }, "true", -1, 0 },
		{ { "i", PARAM_INT, .min = -5, .max = 10 }, "10", 0, 10 },
		{ { "i", PARAM_INT, .min = -5, .max = 10 }, "-5", 0, -5 },
		{ { "i", PARAM_INT, .min = -5, .max = 10 }, "11", -1, 0 },
		{ { "i", PARAM_INT, .min = -5, .max = 10 }, "1k", -1, 0 },
		{ { "i", PARAM_INT, .min = -5, .max = 10 }, "", -1, 0 },
		{ { "i", PARAM_INT, .min = -5, .max = 10 }, "-", -1, 0 },
		{ { "s", PARAM_BYTES, .max = 1 << 30 }, "2k", 0, 2048 },
		{ { "s", PARAM_BYTES, .max = 1 << 30 }, "1G", 0, 1 << 30 },
		{ { "s", PARAM_BYTES, .max = 1 << 30 }, "2G", -1, 0 },
		{ { "s", PARAM_BYTES, .max = INT64_MAX },
		  "9223372036854775807k",
		  -1,
		  0 },
		{ { "s", PARAM_BYTES, .max = 1 << 30 }, "k", -1, 0 },
		{ { "t", PARAM_TIME, .max = 10000000 }, "30", 0, 30 },
		{ { "t", PARAM_TIME, .max = 10000000 }, "5d", 0, 432000 },
		{ { "t", PARAM_TIME, .max = 10000000 }, "2w", 0, 1209600 },
		{ { "t", PARAM_TIME, .max = 10000000 }, "1y", -1, 0 },
		{ { "e", PARAM_ENUM, .choices = "a|bc" }, "bc", 0, -1 },
		{ { "e", PARAM_ENUM, .choices = "a|bc" }, "b", -1, 0 },
		{ { "e", PARAM_ENUM, .choices = "a|bc" }, "", -1, 0 },
		{ { "e", PARAM_ENUM, .choices = "|a|bc" }, "", 0, -1 },
		{ { "e", PARAM_ENUM, .choices = "|a|bc" }, "bc", 0, -1 },
		{ { "x", PARAM_STR }, "any text", 0, -1 },
		{ { "x", PARAM_STR }, "two\nlines", -1, 0 },
		{ { "c", PARAM_STR, .check = is_even }, "even", 0, -1 },
		{ { "c", PARAM_STR, .check = is_even }, "odd", -1, 0 },
		{ { "c", PARAM_STR, .check = is_even }, "l\ns.", -1, 0 },
	};
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str value = str_of(rows[i].value);

		if (param_check(&rows[i].row, value, &err) != rows[i].rc)
			fail_msg("%s = %s", rows[i].row.name, rows[i].value);
		if (rows[i].rc == 0 && rows[i].number != -1)
			assert_int_equal(param_number(&rows[i].row, value),
					 rows[i].number);
	}
}

static void
test_params(void **state)
{
	static const struct param time_row = { "t", PARAM_TIME, .max = 1000 },
				  str_row = { "s", PARAM_STR },
				  bool_row = { "b", PARAM_BOOL };
	char name[] = "/tmp/params_test.XXXXXX";
	int fd = mkstemp(name);
	struct params p;
	struct err err;
	struct buf b;

	(void)state;
	assert_true(fd >= 0);
	unlink(name);
	buf_init(&b, 1000);
	assert_int_equal(params_put(&b, &time_row, STR("2m")), 0);
	assert_int_equal(params_put(&b, &str_row, STR("a = b")), 0);
	assert_int_equal(params_put(&b, &bool_row, STR("yes")), 0);
	assert_int_equal(write(fd, b.p, b.n), b.n);
	if (params_load_fd(&p, fd, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(params_num(&p, "t"), 120);
	assert_true(str_eq(params_str(&p, "s"), STR("a = b")));
	assert_true(params_bool(&p, "b"));
	assert_true(params_has(&p, "t"));
	assert_false(params_has(&p, "u"));
	params_fini(&p);
	assert_int_equal(params_load(&p, STR("no sign\n"), &err), -1);
	assert_int_equal(params_load(&p, STR("a = cut"), &err), -1);
	assert_int_equal(params_load(&p, STR(""), &err), 0);
	params_fini(&p);
	buf_fini(&b);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_log_channel),
		cmocka_unit_test(test_param_check),
		cmocka_unit_test(test_params),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
