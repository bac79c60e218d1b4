/* SPDX-License-Identifier: ISC */
#include "base/unit.h"

#include <stdio.h>

#include "authsock_parse.h"
#include "base/buf.h"
#include "imap_parse.h"
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
		{ "stls", POP3_STLS, "" },
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

static void
show_authsock(char *out, size_t size, const struct authsock_line *l)
{
	static const char *const verbs[] = { "VERSION", "CPID", "AUTH", "CONT",
					     "CANCEL" };

	snprintf(out, size, "%s %u %u %.*s %.*s %.*s %.*s %s", verbs[l->verb],
		 l->major, l->id, STR_FMT(l->mech), STR_FMT(l->service),
		 STR_FMT(l->rip), STR_FMT(l->lip), l->secured ? "secured" : "");
	if (l->data.p)
		snprintf(out + strlen(out), size - strlen(out), " <%.*s>",
			 STR_FMT(l->data));
}

static void
test_authsock(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
		{ "VERSION\t1\t2", "VERSION 1 0     " },
		{ "VERSION\t1", "VERSION 1 0     " },
		{ "VERSION", NULL },
		{ "VERSION\tx", NULL },
		{ "CPID\t1", "CPID 0 0     " },
		{ "AUTH\t7\tPLAIN\tservice=smtp\tnologin\tlip=::1\trip=1.2.3.4"
		  "\tsecured\tresp=AA==",
		  "AUTH 0 7 PLAIN smtp 1.2.3.4 ::1 secured <AA==>" },
		{ "AUTH\t7\tPLAIN", "AUTH 0 7 PLAIN    " },
		{ "AUTH\t7\tX\tsecured=tls\tresp=",
		  "AUTH 0 7 X    secured <>" },
		/* the client may have written what follows the response */
		{ "AUTH\t7\tX\tresp=AA==\tsecured\trip=1.2.3.4",
		  "AUTH 0 7 X     <AA==>" },
		{ "AUTH\t7\tX\tnosecured\tsecuredx", "AUTH 0 7 X    " },
		{ "AUTH\t7\tX\tservice=a\001tb", "AUTH 0 7 X a\001tb   " },
		{ "AUTH\t7\t", NULL },
		{ "AUTH\t7", NULL },
		{ "AUTH\t4294967296\tX", NULL },
		{ "AUTH\t-1\tX", NULL },
		{ "AUTH\t\tX", NULL },
		{ "AUTH", NULL },
		{ "CONT\t7\tAA==", "CONT 0 7      <AA==>" },
		{ "CONT\t7\t", "CONT 0 7      <>" },
		{ "CONT\t7", "CONT 0 7      <>" },
		{ "CONT", NULL },
		{ "CANCEL\t7", "CANCEL 0 7     " },
		{ "CANCEL", NULL },
		{ "USER\t1\tal", NULL },
		{ "auth\t7\tX", NULL },
		{ "", NULL },
	};
	struct authsock_line l;
	char got[200];
	struct buf many;
	struct err err;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rc = authsock_parse(str_of(rows[i].in), &l, &err);
		if (rc == 0)
			show_authsock(got, sizeof(got), &l);
		if ((rc == 0) != (rows[i].want != NULL) ||
		    (rc == 0 && strcmp(got, rows[i].want) != 0))
			fail_msg("%s: %s", rows[i].in,
				 rc == 0 ? got : err.text);
	}
	buf_init(&many, 400);
	(void)!buf_add_c(&many, "AUTH\t1\tX");
	for (i = 0; i < AUTHSOCK_PARAMS_MAX; i++)
		(void)!buf_add_c(&many, "\ta");
	assert_int_equal(authsock_parse(buf_str(&many), &l, &err), 0);
	(void)!buf_add_c(&many, "\ta");
	assert_int_equal(authsock_parse(buf_str(&many), &l, &err), -1);
	buf_fini(&many);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_pop3),
		cmocka_unit_test(test_authsock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
