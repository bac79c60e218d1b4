/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/enc.h"
#include "imap_parse.h"
#include "plain.h"
#include "pop3_parse.h"

static void
test_frames(void **state)
{
	static const struct {
		const char *name, *in;
		unsigned continued;
		enum imap_frame want;
		size_t used;
	} rows[] = {
		{ "empty", "", 0, IMAP_MORE, 0 },
		{ "no end", "a NOOP", 0, IMAP_MORE, 0 },
		{ "CR alone yet", "a NOOP\r", 0, IMAP_MORE, 0 },
		{ "whole", "a NOOP\r\nb", 0, IMAP_WHOLE, 8 },
		{ "bare LF", "a NOOP\nb", 0, IMAP_BAD_LINE, 7 },
		{ "bare CR", "a\rb\r\n", 0, IMAP_BAD_LINE, 5 },
		{ "literal", "a L {3}\r\n", 0, IMAP_WAITS, 9 },
		{ "literal, go", "a L {3}\r\n", 1, IMAP_MORE, 9 },
		{ "literal, half", "a L {3}\r\nab", 1, IMAP_MORE, 9 },
		{ "literal, rest", "a L {3}\r\nabc", 1, IMAP_MORE, 9 },
		{ "literal, whole", "a L {3}\r\nabc\r\n", 1, IMAP_WHOLE, 14 },
		{ "second literal", "a L {3}\r\nabc {1}\r\n", 1, IMAP_WAITS,
		  18 },
		{ "literal+", "a L {3+}\r\nabc\r\n", 0, IMAP_WHOLE, 15 },
		{ "line ends in it", "a L {4+}\r\n\r\n\r\n\r\nb", 0, IMAP_WHOLE,
		  16 },
		{ "empty literal", "a L {0+}\r\n\r\n", 0, IMAP_WHOLE, 12 },
		{ "not a literal", "a L {3x}\r\n", 0, IMAP_WHOLE, 10 },
		{ "no number", "a L {}\r\n", 0, IMAP_WHOLE, 8 },
		{ "largest", "a L {1024}\r\n", 0, IMAP_WAITS, 12 },
		{ "too large", "a L {1025}\r\n", 0, IMAP_REFUSE, 12 },
		{ "beyond 64 bits", "a L {99999999999999999999}\r\n", 0,
		  IMAP_REFUSE, 28 },
		{ "too large+", "a L {9000+}\r\n", 0, IMAP_LOST, 13 },
		{ "bad line before literal", "a\rL {3+}\r\n", 0, IMAP_LOST,
		  10 },
	};
	size_t i, used;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum imap_frame got = imap_frame(str_of(rows[i].in),
						 rows[i].continued, &used);

		if (got != rows[i].want ||
		    (rows[i].used && got != IMAP_MORE && used != rows[i].used))
			fail_msg("%s: %d, %zu used", rows[i].name, got, used);
	}
}

static void
show(char *out, size_t size, const struct imap_command *c)
{
	struct buf b;
	size_t i;

	buf_init(&b, size - 1);
	(void)!buf_addf(&b, "%.*s/%.*s", STR_FMT(c->tag), STR_FMT(c->name));
	for (i = 0; i < c->nargs; i++)
		(void)!buf_addf(&b, " %c%.*s", "asoc"[c->arg[i].kind],
				STR_FMT(c->arg[i].s));
	(void)!str_copy(out, size, buf_str(&b));
	buf_fini(&b);
}

static void
test_commands(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
		{ "a NOOP\r\n", "a/NOOP" },
		{ "a L x y\r\n", "a/L ax ay" },
		{ "a L \"x\\\"y\" \"\"\r\n", "a/L sx\"y s" },
		{ "a L {3}\r\nx y z\r\n", "a/L sx y az" },
		{ "a I (\"a\" NIL)\r\n", "a/I o( sa aNIL c)" },
		{ "a I ()\r\n", "a/I o( c)" },
		{ "a L p]w\r\n", "a/L ap]w" },
		{ "NOOP\r\n", NULL },
		{ " a NOOP\r\n", NULL },
		{ "a  NOOP\r\n", NULL },
		{ "a NOOP \r\n", NULL },
		{ "a+ NOOP\r\n", NULL },
		{ "a L \"x\r\n", NULL },
		{ "a L \"x\\y\"\r\n", NULL },
		{ "a L \"x\"y\r\n", NULL },
		{ "a L x\"y\r\n", NULL },
		{ "a L ((x))\r\n", NULL },
		{ "a L x)\r\n", NULL },
		{ "a L (x\r\n", NULL },
		{ "a L ( x)\r\n", NULL },
		{ "a L \xc3\xa4\r\n", NULL },
		{ "a L %\r\n", NULL },
		{ "a NOOP\n", NULL },
	};
	struct imap_command c;
	char got[200];
	struct err err;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rc = imap_command_parse(str_of(rows[i].in), &c, &err);
		if (rc == 0)
			show(got, sizeof(got), &c);
		if ((rc == 0) != (rows[i].want != NULL) ||
		    (rc == 0 && strcmp(got, rows[i].want) != 0))
			fail_msg("%s: %s", rows[i].in,
				 rc == 0 ? got : err.text);
	}
}

static void
test_plain(void **state)
{
	static const struct {
		const char *name, *bytes;
		size_t n;
		bool want;
	} rows[] = {
		{ "good", "\0al\0pw", 6, true },
		{ "own authzid", "al\0al\0pw", 8, true },
		{ "other authzid", "bo\0al\0pw", 8, false },
		{ "no password", "\0al\0", 4, false },
		{ "no user", "\0\0pw", 4, false },
		{ "one NUL", "al\0pw", 5, false },
		{ "three NULs", "\0al\0pw\0x", 8, false },
		{ "nothing", "", 0, false },
	};
	struct str user, password;
	struct buf text, out;
	size_t i;

	(void)state;
	buf_init(&text, 3000);
	buf_init(&out, PLAIN_BYTES_MAX);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&text);
		buf_reset(&out);
		assert_int_equal(
			enc_base64(&text, str_mem(rows[i].bytes, rows[i].n)),
			0);
		if (plain_parse(buf_str(&text), &out, &user, &password) !=
		    rows[i].want)
			fail_msg("%s", rows[i].name);
		if (rows[i].want)
			assert_true(str_eq(user, STR("al")) &&
				    str_eq(password, STR("pw")));
	}
	assert_false(plain_parse(STR("*"), &out, &user, &password));
	buf_fini(&text);
	buf_fini(&out);
}

static void
test_pop3(void **state)
{
	static const struct {
		const char *in;
		enum pop3_verb verb;
		const char *arg;
	} rows[] = {
		{ "USER a@b", POP3_USER, "a@b" },
		{ "pass  a b ", POP3_PASS, " a b " },
		{ "QUIT", POP3_QUIT, "" },
		{ "AUTH PLAIN AA==", POP3_AUTH, "PLAIN AA==" },
		{ "STAT", POP3_UNKNOWN, "" },
		{ "", POP3_UNKNOWN, "" },
		{ "USERx", POP3_UNKNOWN, "" },
	};
	struct str arg;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (pop3_command(str_of(rows[i].in), &arg) != rows[i].verb ||
		    !str_eq(arg, str_of(rows[i].arg)))
			fail_msg("%s", rows[i].in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_pop3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
