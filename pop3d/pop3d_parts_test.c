/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command.h"
#include "mail/uidl.h"
#include "stuff.h"

static void
test_commands(void **state)
{
	static const struct {
		const char *in;
		enum pop3_verb verb;
		unsigned nargs;
		uint32_t a, b;
		const char *wrong;
	} rows[] = {
		{ "STAT", POP3_STAT, 0, 0, 0, NULL },
		{ "stat", POP3_STAT, 0, 0, 0, NULL },
		{ "LIST", POP3_LIST, 0, 0, 0, NULL },
		{ "LIST 7", POP3_LIST, 1, 7, 0, NULL },
		{ "TOP 1 0", POP3_TOP, 2, 1, 0, NULL },
		{ "TOP 1 4294967295", POP3_TOP, 2, 1, 4294967295u, NULL },
		{ "QUIT ", POP3_QUIT, 0, 0, 0, NULL },
		{ "STAT 1", POP3_STAT, 0, 0, 0, "Too many arguments." },
		{ "RETR", POP3_RETR, 0, 0, 0, "An argument is missing." },
		{ "TOP 1", POP3_TOP, 1, 1, 0, "An argument is missing." },
		{ "RETR -1", 0, 0, 0, 0, "Not a number." },
		{ "RETR 4294967296", 0, 0, 0, 0, "Not a number." },
		{ "RETR 1x", 0, 0, 0, 0, "Not a number." },
		{ "", 0, 0, 0, 0, "Empty command." },
		{ "PASS x", 0, 0, 0, 0, "Unknown command." },
	};
	struct pop3_command c;
	const char *wrong;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wrong = pop3_command_parse(str_of(rows[i].in), &c);
		if (!wrong != !rows[i].wrong ||
		    (wrong && strcmp(wrong, rows[i].wrong) != 0))
			fail_msg("%s: %s", rows[i].in, wrong ? wrong : "ok");
		if (!wrong &&
		    (c.verb != rows[i].verb || c.nargs != rows[i].nargs ||
		     c.arg[0] != rows[i].a || c.arg[1] != rows[i].b))
			fail_msg("%s", rows[i].in);
	}
}

static void
test_stuffing(void **state)
{
	static const struct {
		const char *in;
		int lines; /* -1: RETR */
		const char *want;
	} rows[] = {
		{ "", -1, ".\r\n" },
		{ "a: b\r\n\r\nx\r\n", -1, "a: b\r\n\r\nx\r\n.\r\n" },
		{ "a", -1, "a\r\n.\r\n" },
		{ ".\r\n", -1, "..\r\n.\r\n" },
		{ "a\r\n.b\r\n..\r\nc.d\r\n", -1,
		  "a\r\n..b\r\n...\r\nc.d\r\n.\r\n" },
		{ "a: b\r\n\r\n1\r\n2\r\n", 0, "a: b\r\n\r\n.\r\n" },
		{ "a: b\r\n\r\n1\r\n2\r\n", 1, "a: b\r\n\r\n1\r\n.\r\n" },
		{ "a: b\r\n\r\n1\r\n2\r\n", 9, "a: b\r\n\r\n1\r\n2\r\n.\r\n" },
		{ "a: b\r\n\r\n\r\n\r\n2\r\n", 2, "a: b\r\n\r\n\r\n\r\n.\r\n" },
		{ "a: b\r\n\r\r\nc\r\n\r\nd\r\n", 0,
		  "a: b\r\n\r\r\nc\r\n\r\n.\r\n" },
		{ "a: b\r\nc: d\r\n", 0, "a: b\r\nc: d\r\n.\r\n" },
		/* as files have it */
		{ "a: b\n\n.1\n\n2", -1, "a: b\r\n\r\n..1\r\n\r\n2\r\n.\r\n" },
		{ "a: b\n\n.1\n\n2", 2, "a: b\r\n\r\n..1\r\n\r\n.\r\n" },
		{ "a: b\n\r\n1\n2\n", 1, "a: b\r\n\r\n1\r\n.\r\n" },
		{ "a\r\r\nb\rc\n\n\r", -1, "a\r\r\nb\rc\r\n\r\n\r\n.\r\n" },
		{ "\n.\n", -1, "\r\n..\r\n.\r\n" },
	};
	struct stuff s;
	struct buf out;
	size_t i, k, step;

	(void)state;
	buf_init(&out, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (step = 1; step < 8; step++) {
			struct str in = str_of(rows[i].in);

			buf_reset(&out);
			stuff_init(&s, rows[i].lines >= 0,
				   (uint64_t)(rows[i].lines > 0 ? rows[i].lines
								: 0));
			for (k = 0; k < in.n; k += step)
				assert_int_equal(
					stuff_add(
						&s,
						str_head(str_from(in, k), step),
						&out),
					0);
			assert_int_equal(stuff_end(&s, &out), 0);
			if (!str_eq(buf_str(&out), str_of(rows[i].want)))
				fail_msg("row %zu step %zu: %s", i, step,
					 buf_cstr(&out));
		}
	}
	buf_fini(&out);
}

static void
test_uidl_formats(void **state)
{
	/* Seen on the servers they are named after. */
	static const struct {
		const char *format, *want; /* NULL: not a format */
	} rows[] = {
		{ "%08Xu%08Xv", "0000004d65a1b2c3" }, /* Dovecot */
		{ "%08Xv%08Xu", "65a1b2c30000004d" }, /* UW */
		{ "%v-%u", "1705095875-77" },	      /* Courier */
		{ "%f", "1700.M1P2Q3.Host,S=10" },    /* Courier */
		{ "%v.%u", "1705095875.77" },	      /* Cyrus */
		{ "%Lf", "1700.m1p2q3.host,s=10" },
		{ "%Ug", "1700.M1P2Q3.HOST,S=10" },
		{ "a%%%5u", "0000004d65a1b2c3" }, /* blanks are no name */
		{ "a%%%05u", "a%00077" },
		{ "%070u%u", "0000004d65a1b2c3" }, /* too long */
		{ "%v", NULL },
		{ "", NULL },
		{ "%", NULL },
		{ "%u%", NULL },
		{ "%99u", NULL },
		{ "%u%m", NULL },
	};
	struct uidl_of m = { .uid = 77,
			     .uidvalidity = 1705095875,
			     .base = STR("1700.M1P2Q3.Host,S=10") };
	struct err err;
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
			uidl_format_check(str_of(rows[i].format), &err),
			rows[i].want ? 0 : -1);
		if (!rows[i].want)
			continue;
		buf_init(&b, 1000);
		uidl_format(&b, str_of(rows[i].format), &m);
		assert_string_equal(buf_cstr(&b), rows[i].want);
		buf_fini(&b);
	}
}

static void
test_uidl_list(void **state)
{
	struct uidl_list l;
	struct err err;

	(void)state;
	assert_int_equal(uidl_list_parse(&l,
					 STR("posthouse.uidl 1 5\n1 a\n7 b\r\n"
					     "8 c\nx y\n8 d\n9"),
					 5, &err),
			 0);
	assert_int_equal(l.n, 2);
	assert_true(str_eq(uidl_list_find(&l, 1), STR("a")));
	assert_true(str_eq(uidl_list_find(&l, 8), STR("c")));
	assert_null(uidl_list_find(&l, 7).p);
	assert_null(uidl_list_find(&l, 9).p);
	uidl_list_fini(&l);
	/* Of another life of the folder. */
	assert_int_equal(
		uidl_list_parse(&l, STR("posthouse.uidl 1 5\n1 a\n"), 6, &err),
		0);
	assert_int_equal(l.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_stuffing),
		cmocka_unit_test(test_uidl_formats),
		cmocka_unit_test(test_uidl_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
