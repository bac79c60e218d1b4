/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/smtpline.h"
#include "mail/xtext.h"

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

/* ret, envid and smtputf8 of rows[].want as text; NULL: that error. */
static void
test_mail_offers(void **state)
{
	static const struct {
		const char *in, *want;
		unsigned offer;
		enum smtp_syntax error;
	} rows[] = {
		{ "FROM:<a> RET=full", "1  0", SMTP_OFFER_DSN, 0 },
		{ "FROM:<a> RET=HDRS ENVID=QQ314159", "2 QQ314159 0",
		  SMTP_OFFER_DSN, 0 },
		{ "FROM:<a> ENVID=a+2Bb+3Dc+20d", "0 a+b=c d 0", SMTP_OFFER_DSN,
		  0 },
		{ "FROM:<a> RET=", NULL, SMTP_OFFER_DSN, SMTP_SYNTAX_PARAM },
		{ "FROM:<a> RET", NULL, SMTP_OFFER_DSN, SMTP_SYNTAX_PARAM },
		{ "FROM:<a> RET=FULL RET=FULL", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> ENVID=", NULL, SMTP_OFFER_DSN, SMTP_SYNTAX_PARAM },
		{ "FROM:<a> ENVID=a ENVID=a", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> ENVID=a+0Ab", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> ENVID=a+00b", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> ENVID=a+2", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> ENVID=a+GG", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> ENVID=a=b", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> ENVID=\xc3\xa9", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> ENVID=a", NULL, SMTP_OFFER_UTF8 | SMTP_OFFER_AUTH,
		  SMTP_SYNTAX_UNSUPPORTED },
		{ "FROM:<a> SMTPUTF8", "0  1", SMTP_OFFER_UTF8, 0 },
		{ "FROM:<a> SMTPUTF8=", NULL, SMTP_OFFER_UTF8,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> SMTPUTF8", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_UNSUPPORTED },
		{ "FROM:<\xc3\xa9@b.test> SMTPUTF8", "0  1", SMTP_OFFER_UTF8,
		  0 },
		{ "FROM:<\xc3\xa9@b.test>", NULL, SMTP_OFFER_UTF8,
		  SMTP_SYNTAX_ASCII },
		{ "FROM:<\xc3\xa9@b.test> SMTPUTF8", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_ASCII },
		{ "FROM:<\xff@b.test> SMTPUTF8", NULL, SMTP_OFFER_UTF8,
		  SMTP_SYNTAX_PATH },
		{ "FROM:<a> AUTH=<>", "0  0", SMTP_OFFER_AUTH, 0 },
		{ "FROM:<a> AUTH=e+3Dmc2@x.test", "0  0", SMTP_OFFER_AUTH, 0 },
		{ "FROM:<a> AUTH=e+3mc2@x.test", NULL, SMTP_OFFER_AUTH,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> AUTH=a+20b", NULL, SMTP_OFFER_AUTH,
		  SMTP_SYNTAX_PARAM },
		{ "FROM:<a> AUTH=", NULL, SMTP_OFFER_AUTH, SMTP_SYNTAX_PARAM },
		{ "FROM:<a> AUTH=<>", NULL, SMTP_OFFER_DSN,
		  SMTP_SYNTAX_UNSUPPORTED },
	};
	struct smtp_mail m;
	struct str bad;
	char got[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].in);
		assert_int_equal(smtpline_mail(str_of(rows[i].in),
					       rows[i].offer, &m, &bad),
				 rows[i].error);
		if (!rows[i].want)
			continue;
		snprintf(got, sizeof(got), "%d %.*s %d", m.ret, (int)m.envid_n,
			 m.envid, m.smtputf8);
		assert_string_equal(got, rows[i].want);
	}
}

/* RFC 3461 4.1, 4.2 */
static void
test_rcpt_offers(void **state)
{
	static const struct {
		const char *in, *want;
		unsigned offer;
		enum smtp_syntax error;
	} rows[] = {
		{ "TO:<a>", "0 ", SMTP_OFFER_DSN, 0 },
		{ "TO:<a> NOTIFY=NEVER", "1 ", SMTP_OFFER_DSN, 0 },
		{ "TO:<a> notify=success,Failure,DELAY", "14 ", SMTP_OFFER_DSN,
		  0 },
		{ "TO:<a> NOTIFY=NEVER,DELAY", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> NOTIFY=DELAY,DELAY", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> NOTIFY=DELAY,", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> NOTIFY=", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> NOTIFY=MAYBE", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> NOTIFY=DELAY NOTIFY=DELAY", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> NOTIFY=DELAY", NULL, SMTP_OFFER_UTF8,
		  SMTP_SYNTAX_UNSUPPORTED },
		{ "TO:<a> ORCPT=rfc822;Bob+2Bx@b.test", "0 rfc822;Bob+x@b.test",
		  SMTP_OFFER_DSN, 0 },
		{ "TO:<a> orcpt=x400;/S+3Da/", "0 x400;/S=a/", SMTP_OFFER_DSN,
		  0 },
		{ "TO:<a> ORCPT=rfc822;a NOTIFY=DELAY", "8 rfc822;a",
		  SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT=rfc822;a ORCPT=rfc822;a", NULL, SMTP_OFFER_DSN,
		  0 },
		{ "TO:<a> ORCPT=a@b.test", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT=;a", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT=rfc822;", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT=", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT=rf:c;a", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT=rfc822;a=b", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT=rfc822;a+0Db", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT=utf-8;\xc3\xa9", NULL, SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT=utf-8;\xc3\xa9@b", "0 utf-8;\xc3\xa9@b",
		  SMTP_OFFER_DSN | SMTP_OFFER_UTF8, 0 },
		{ "TO:<a> ORCPT=utf-8;\\x{E9}@b", "0 utf-8;\\x{E9}@b",
		  SMTP_OFFER_DSN, 0 },
		{ "TO:<a> ORCPT=utf-8;\xc3", NULL,
		  SMTP_OFFER_DSN | SMTP_OFFER_UTF8, 0 },
		{ "TO:<a> ORCPT=rfc822;\xc3\xa9", NULL,
		  SMTP_OFFER_DSN | SMTP_OFFER_UTF8, 0 },
		{ "TO:<\xc3\xa9@b.test>", "0 ", SMTP_OFFER_UTF8, 0 },
		{ "TO:<\xc3\xa9@b.test>", NULL, 0, SMTP_SYNTAX_ASCII },
	};
	struct smtp_rcpt r;
	struct str bad;
	char got[600];
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("%s\n", rows[i].in);
		rc = smtpline_rcpt(str_of(rows[i].in), rows[i].offer, &r, &bad);
		if (!rows[i].want) {
			assert_int_equal(rc, rows[i].error ? rows[i].error
							   : SMTP_SYNTAX_PARAM);
			continue;
		}
		assert_int_equal(rc, SMTP_SYNTAX_OK);
		snprintf(got, sizeof(got), "%u %.*s", r.notify, (int)r.orcpt_n,
			 r.orcpt);
		assert_string_equal(got, rows[i].want);
	}
}

/* The longest that is taken, and one more. */
static void
test_dsn_limits(void **state)
{
	char line[700];
	struct smtp_mail m;
	struct smtp_rcpt r;
	struct str bad;
	int n, over;

	(void)state;
	for (over = 0; over < 2; over++) {
		n = snprintf(line, sizeof(line), "FROM:<> ENVID=");
		memset(line + n, 'e', SMTP_ENVID_MAX + 1);
		line[n + SMTP_ENVID_MAX + over] = '\0';
		assert_int_equal(
			smtpline_mail(str_of(line), SMTP_OFFER_DSN, &m, &bad),
			over ? SMTP_SYNTAX_PARAM : SMTP_SYNTAX_OK);
		n = snprintf(line, sizeof(line), "TO:<a> ORCPT=rfc822;");
		memset(line + n, 'o', SMTP_ORCPT_MAX);
		line[n + SMTP_ORCPT_MAX - 7 + over] = '\0';
		assert_int_equal(
			smtpline_rcpt(str_of(line), SMTP_OFFER_DSN, &r, &bad),
			over ? SMTP_SYNTAX_PARAM : SMTP_SYNTAX_OK);
	}
}

static void
test_xtext(void **state)
{
	struct buf x, back;
	char all[256];
	int i;

	(void)state;
	buf_init(&x, 1000);
	buf_init(&back, 256);
	for (i = 0; i < 256; i++)
		all[i] = (char)i;
	assert_int_equal(xtext_encode(&x, STR("a+b=c d\n")), 0);
	assert_true(str_eq(buf_str(&x), STR("a+2Bb+3Dc+20d+0A")));
	buf_reset(&x);
	assert_int_equal(xtext_encode(&x, str_mem(all, 256)), 0);
	assert_int_equal(xtext_decode(&back, buf_str(&x)), 0);
	assert_true(str_eq(buf_str(&back), str_mem(all, 256)));
	buf_fini(&x);
	buf_fini(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_mail_offers),
		cmocka_unit_test(test_rcpt_offers),
		cmocka_unit_test(test_dsn_limits),
		cmocka_unit_test(test_xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
