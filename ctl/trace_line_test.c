/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "trace_line.h"

static void
test_lines(void **state)
{
	static const struct {
		const char *in;
		const char *time; /* NULL: not one of ours */
		const char *program, *id, *text;
	} rows[] = {
		{ "Nov 22 02:19:12 h posthouse/smtpd[1]: 6B02AA600001: x: y",
		  "Nov 22 02:19:12", "smtpd", "6B02AA600001", "x: y" },
		{ "2026-11-22T02:19:12.1+00:00 h posthouse/qmgr[12]: up",
		  "2026-11-22T02:19:12.1+00:00", "qmgr", "", "up" },
		{ "Nov 22 02:19:12 h postfix[1]: NOQUEUE: reject: x",
		  "Nov 22 02:19:12", "postfix", "", "NOQUEUE: reject: x" },
		{ "{\"time\":\"2026-11-22T02:19:12.123456Z\",\"instance\":\"p\""
		  ",\"program\":\"smtpd\",\"pid\":1,\"level\":\"info\","
		  "\"queue_id\":\"6B02AA600001\",\"message\":\"a \\\"b\\\"\"}",
		  "2026-11-22T02:19:12.123456Z", "smtpd", "6B02AA600001",
		  "a \"b\"" },
		{ "{\"time\":\"x\"}", NULL, NULL, NULL, NULL },
		{ "", NULL, NULL, NULL, NULL },
		{ "kernel: something", NULL, NULL, NULL, NULL },
		{ "a]: b", NULL, NULL, NULL, NULL },
		{ "[1]: b", NULL, NULL, NULL, NULL },
		{ "host posthouse[1]: b", NULL, NULL, NULL, NULL },
	};
	struct trace_line t;
	struct buf mem;
	size_t i;
	bool is;

	(void)state;
	buf_init(&mem, 65536);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is = trace_line_parse(str_of(rows[i].in), &mem, &t);
		if (is != (rows[i].time != NULL))
			fail_msg("%s", rows[i].in);
		if (is && (!str_eq(t.time, str_of(rows[i].time)) ||
			   !str_eq(t.program, str_of(rows[i].program)) ||
			   !str_eq(t.id, str_of(rows[i].id)) ||
			   !str_eq(t.text, str_of(rows[i].text))))
			fail_msg("%s: %.*s|%.*s|%.*s|%.*s", rows[i].in,
				 STR_FMT(t.time), STR_FMT(t.program),
				 STR_FMT(t.id), STR_FMT(t.text));
	}
	buf_fini(&mem);
}

static void
test_values(void **state)
{
	static const char to[] =
		"to=<a@b.c>, orig_to=<d@e.f>, relay=mx[192.0.2.1]:25, "
		"delay=0.1, delays=0.1/0/0/0, dsn=5.1.1, status=bounced "
		"(host said: 550 from=<x> (no))";
	static const struct {
		const char *text, *name, *want; /* NULL: none */
	} rows[] = {
		{ to, "to", "a@b.c" },
		{ to, "orig_to", "d@e.f" },
		{ to, "relay", "mx[192.0.2.1]:25" },
		{ to, "delay", "0.1" },
		{ to, "status", "bounced" },
		{ to, "from", NULL }, /* what a server says is not ours */
		{ "from=<>, size=3", "from", "" },
		{ "from=<>, size=3", "size", "3" },
		{ "message-id=<x@y>", "message-id", "x@y" },
		{ "to=<a", "to", NULL },
		{ "", "to", NULL },
	};
	struct str v;
	size_t i;
	bool is;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		is = trace_value(str_of(rows[i].text), rows[i].name, &v);
		if (is != (rows[i].want != NULL) ||
		    (is && !str_eq(v, str_of(rows[i].want))))
			fail_msg("%s in %s", rows[i].name, rows[i].text);
	}
	assert_true(str_eq(trace_reason(str_of(to)),
			   STR("host said: 550 from=<x> (no)")));
	assert_int_equal(trace_reason(STR(") (")).n, 0);
	assert_true(trace_report(
		STR("sender non-delivery notification: 6B02AA600001"), &v));
	assert_true(str_eq(v, STR("6B02AA600001")));
	assert_false(trace_report(STR("notification: none"), &v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
