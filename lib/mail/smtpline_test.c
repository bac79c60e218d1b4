/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/smtpline.h"

static void
test_verbs(void **state)
{
	static const struct {
		const char *in, *args;
		enum smtp_verb verb;
	} rows[] = {
		{ "HELO x", "x", SMTP_HELO },
		{ "ehlo  x y ", "x y", SMTP_EHLO },
		{ "MAIL FROM:<a>", "FROM:<a>", SMTP_MAIL },
		{ "mail\tFROM:<a>", "FROM:<a>", SMTP_MAIL },
		{ "MAILFROM:<a>", "", SMTP_UNKNOWN },
		{ " QUIT ", "", SMTP_QUIT },
		{ "", "", SMTP_UNKNOWN },
		{ "DATAX", "", SMTP_UNKNOWN },
		{ "DAT", "", SMTP_UNKNOWN },
		{ "UNKNOWN", "", SMTP_UNKNOWN },
	};
	struct smtp_line l;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		smtpline_parse(str_of(rows[i].in), &l);
		assert_int_equal(l.verb, rows[i].verb);
		assert_true(str_eq(l.args, str_of(rows[i].args)));
	}
}

static void
test_mail(void **state)
{
	static const struct {
		const char *in, *sender, *bad;
		enum smtp_syntax want;
		uint64_t size;
		enum smtp_body body;
	} rows[] = {
		{ "FROM:<>", "", NULL, SMTP_SYNTAX_OK, 0, SMTP_7BIT },
		{ "from: <a@b.test>", "a@b.test", NULL, SMTP_SYNTAX_OK, 0, 0 },
		{ "FROM:<a@b.test> SIZE=17 body=8bitmime", "a@b.test", NULL,
		  SMTP_SYNTAX_OK, 17, SMTP_8BITMIME },
		{ "FROM:<a@b.test> BODY=7BIT", "a@b.test", NULL, SMTP_SYNTAX_OK,
		  0, SMTP_7BIT },
		{ "TO:<a@b.test>", NULL, "TO:<a@b.test>", SMTP_SYNTAX_FORM, 0,
		  0 },
		{ "", NULL, "", SMTP_SYNTAX_FORM, 0, 0 },
		{ "FROM:<a b>", NULL, "FROM:<a b>", SMTP_SYNTAX_PATH, 0, 0 },
		{ "FROM:<\xff>", NULL, "FROM:<\xff>", SMTP_SYNTAX_ASCII, 0, 0 },
		{ "FROM:<a@b.test> SIZE", NULL, "SIZE", SMTP_SYNTAX_PARAM, 0,
		  0 },
		{ "FROM:<a@b.test> SIZE=", NULL, "SIZE=", SMTP_SYNTAX_PARAM, 0,
		  0 },
		{ "FROM:<a@b.test> SIZE=-1", NULL, "SIZE=-1", SMTP_SYNTAX_PARAM,
		  0, 0 },
		{ "FROM:<a@b.test> SIZE=9223372036854775808", NULL,
		  "SIZE=9223372036854775808", SMTP_SYNTAX_PARAM, 0, 0 },
		{ "FROM:<a@b.test> BODY=7BIT BODY=7BIT", NULL, "BODY=7BIT",
		  SMTP_SYNTAX_PARAM, 0, 0 },
		{ "FROM:<a@b.test> SMTPUTF8", NULL, "SMTPUTF8",
		  SMTP_SYNTAX_UNSUPPORTED, 0, 0 },
		{ "FROM:<a@b.test> RET=FULL", NULL, "RET=FULL",
		  SMTP_SYNTAX_UNSUPPORTED, 0, 0 },
		{ "FROM:<a@b.test> =", NULL, "=", SMTP_SYNTAX_UNSUPPORTED, 0,
		  0 },
	};
	struct smtp_mail m;
	struct str bad;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].in);
		assert_int_equal(
			smtpline_mail(str_of(rows[i].in), false, &m, &bad),
			rows[i].want);
		if (rows[i].want != SMTP_SYNTAX_OK) {
			assert_true(str_eq(bad, str_of(rows[i].bad)));
			continue;
		}
		assert_string_equal(m.sender.text, rows[i].sender);
		assert_int_equal(m.size, rows[i].size);
		assert_int_equal(m.body, rows[i].body);
	}
}

static void
test_rcpt(void **state)
{
	struct smtp_rcpt r;
	struct str bad;

	(void)state;
	assert_int_equal(smtpline_rcpt(STR("TO:<a@b.test>"), true, &r, &bad),
			 SMTP_SYNTAX_OK);
	assert_string_equal(r.rcpt.text, "a@b.test");
	assert_int_equal(smtpline_rcpt(STR("TO: <a@b.test>"), true, &r, &bad),
			 SMTP_SYNTAX_PATH);
	assert_int_equal(smtpline_rcpt(STR("TO:<>"), false, &r, &bad),
			 SMTP_SYNTAX_PATH);
	assert_int_equal(smtpline_rcpt(STR("TO:<a@b.test> ORCPT=rfc822;x"),
				       false, &r, &bad),
			 SMTP_SYNTAX_UNSUPPORTED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
