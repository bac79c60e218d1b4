/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "command.h"
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_stuffing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
