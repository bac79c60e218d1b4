/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mail/smtpreply.h"

static const struct row {
	const char *name, *in;
	unsigned code; /* 0: broken */
	const char *dsn, *text;
	size_t left; /* octets that are not the reply's */
} rows[] = {
	{ "one line", "250 ok\r\n", 250, "", "250 ok", 0 },
	{ "code alone", "250\r\n", 250, "", "250", 0 },
	{ "code and blank", "354 \r\n", 354, "", "354 ", 0 },
	{ "lines", "250-a\r\n250-\r\n250 b\r\nnext", 250, "",
	  "250-a\n250-\n250 b", 4 },
	{ "RFC 3463 code", "550 5.1.1 no\r\n", 550, "5.1.1", "550 5.1.1 no",
	  0 },
	{ "longest code", "450 4.123.456\r\n", 450, "4.123.456",
	  "450 4.123.456", 0 },
	{ "class of another", "550 4.1.1 no\r\n", 550, "", "550 4.1.1 no", 0 },
	{ "no class 3", "354 3.0.0 go\r\n", 354, "", "354 3.0.0 go", 0 },
	{ "too many digits", "550 5.1.1234 no\r\n", 550, "", "550 5.1.1234 no",
	  0 },
	{ "two parts", "550 5.1 no\r\n", 550, "", "550 5.1 no", 0 },
	{ "no digits", "550 5..1 no\r\n", 550, "", "550 5..1 no", 0 },
	{ "four parts", "550 5.1.1.1 no\r\n", 550, "", "550 5.1.1.1 no", 0 },
	{ "an address", "550 55.1.1 no\r\n", 550, "", "550 55.1.1 no", 0 },
	{ "first that has one", "550-hm\r\n550 5.7.1 x\r\n", 550, "5.7.1",
	  "550-hm\n550 5.7.1 x", 0 },
	{ "bare LF ends a line", "250-a\n250 b\nrest", 250, "", "250-a\n250 b",
	  4 },
	{ "bare CR does not", "250 a\rb\r\n", 250, "", "250 a?b", 0 },
	{ "many CR", "250 a\r\r\n", 250, "", "250 a?", 0 },
	{ "controls", "250 a\x01\x1b[m\x7f\tb\r\n", 250, "", "250 a??[m? b",
	  0 },
	{ "controls of two octets", "250 a\xc2\x9b[2J\xc2\xa0\r\n", 250, "",
	  "250 a??[2J\xc2\xa0", 0 },
	{ "UTF-8 stays", "250 gr\xc3\xbc\xc3\x9f\r\n", 250, "",
	  "250 gr\xc3\xbc\xc3\x9f", 0 },
	{ "Latin-1 does not", "250 gr\xfc\r\n", 250, "", "250 gr?", 0 },
	{ "other codes (RFC 5321 4.2.1)", "250-a\r\n550 b\r\n", 0, "", "", 0 },
	{ "no code", "hello\r\n", 0, "", "", 0 },
	{ "no code inside", "250-a\r\nb\r\n250 c\r\n", 0, "", "", 0 },
	{ "empty line", "\r\n", 0, "", "", 0 },
	{ "two digits", "25\r\n", 0, "", "", 0 },
	{ "four digits", "2500 ok\r\n", 0, "", "", 0 },
	{ "class 1", "150 ok\r\n", 0, "", "", 0 },
	{ "class 6", "650 ok\r\n", 0, "", "", 0 },
	{ "TLS", "\x16\x03\x01\x02\x01\r\n", 0, "", "", 0 },
};

static void
check(const struct row *r, size_t step)
{
	enum smtpreply_result result = SMTPREPLY_MORE;
	struct str in = str_of(r->in), text;
	struct smtpreply p;

	smtpreply_init(&p);
	while (in.n && result == SMTPREPLY_MORE)
		in = str_from(in,
			      smtpreply_feed(&p, str_head(in, step), &result));
	if (result != (r->code ? SMTPREPLY_DONE : SMTPREPLY_BROKEN))
		fail_msg("%s: result %d", r->name, result);
	text = buf_str(&p.text);
	if (r->code && (p.code != r->code || strcmp(p.dsn, r->dsn) != 0 ||
			!str_eq(text, str_of(r->text)) || in.n != r->left))
		fail_msg("%s: %u %s \"%.*s\" %zu", r->name, p.code, p.dsn,
			 STR_FMT(text), in.n);
	smtpreply_fini(&p);
}

static void
test_rows(void **state)
{
	size_t i, step;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (step = 1; step < 12; step++)
			check(&rows[i], step == 11 ? SIZE_MAX : step);
}

/* Feed s again and again; how many octets were taken before it broke or was
 * done. */
static size_t
endless(struct str s, struct smtpreply *p, enum smtpreply_result *result)
{
	size_t n = 0;

	do
		n += smtpreply_feed(p, s, result);
	while (*result == SMTPREPLY_MORE && n < 10u << 20);
	return n;
}

static void
test_limits(void **state)
{
	char *line = malloc(SMTPREPLY_LINE_MAX * 2);
	enum smtpreply_result result;
	struct smtpreply p;

	(void)state;
	assert_non_null(line);
	smtpreply_init(&p);
	assert_true(endless(STR("220-x\r\n"), &p, &result) < 8192);
	assert_int_equal(result, SMTPREPLY_BROKEN);
	assert_string_equal(p.fault, "a reply of too many lines");
	/* Nothing follows what is broken. */
	assert_int_equal(smtpreply_feed(&p, STR("250 ok\r\n"), &result), 0);
	assert_int_equal(result, SMTPREPLY_BROKEN);
	smtpreply_fini(&p);

	smtpreply_init(&p);
	assert_true(endless(STR("22"), &p, &result) <=
		    SMTPREPLY_OCTETS_MAX + 2);
	assert_int_equal(result, SMTPREPLY_BROKEN);
	assert_string_equal(p.fault, "a reply without end");
	assert_true(p.line.n <= SMTPREPLY_LINE_MAX);
	smtpreply_fini(&p);

	/* A long line is cut, and the reply is read to its end. */
	smtpreply_init(&p);
	memset(line, 'x', SMTPREPLY_LINE_MAX * 2);
	(void)smtpreply_feed(&p, STR("550 5.7.1 "), &result);
	(void)smtpreply_feed(&p, str_mem(line, SMTPREPLY_LINE_MAX * 2),
			     &result);
	assert_int_equal(result, SMTPREPLY_MORE);
	assert_int_equal(smtpreply_feed(&p, STR("\r\n250"), &result), 2);
	assert_int_equal(result, SMTPREPLY_DONE);
	assert_true(p.cut);
	assert_int_equal(p.text.n, SMTPREPLY_LINE_MAX);
	assert_string_equal(p.dsn, "5.7.1");
	smtpreply_reset(&p);
	assert_int_equal(p.text.n, 0);
	smtpreply_fini(&p);
	free(line);
}

static void
test_line(void **state)
{
	struct str text = STR("250-mx.test\n250-SIZE 5\n250"), line;

	(void)state;
	assert_true(smtpreply_line(&text, &line));
	assert_true(str_eq(line, STR("mx.test")));
	assert_true(smtpreply_line(&text, &line));
	assert_true(str_eq(line, STR("SIZE 5")));
	assert_true(smtpreply_line(&text, &line));
	assert_int_equal(line.n, 0);
	assert_false(smtpreply_line(&text, &line));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
