/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/addrlist.h"
#include "mail/submission.h"

#define DATE "Date: Sun, 22 Nov 2026 02:14:02 +0000 (UTC)\n"
#define ID "Message-ID: <left@host.test>\n"
#define REST DATE ID

static struct submission
settings(void)
{
	return (struct submission){
		.origin = STR("o.test"),
		.sender = STR("alice@o.test"),
		.date = STR("Sun, 22 Nov 2026 02:14:02 +0000 (UTC)"),
		.id_left = STR("left"),
		.id_right = STR("host.test"),
	};
}

static void
check_fix(const struct submission *s, const char *in, const char *want)
{
	struct buf out, again;
	struct err err;

	buf_init(&out, 10000);
	buf_init(&again, 10000);
	assert_int_equal(submission_fix(&out, str_of(in), s, &err), 0);
	if (!str_eq(buf_str(&out), str_of(want)))
		fail_msg("\n%s\nbecame\n%.*s\nnot\n%s", in,
			 STR_FMT(buf_str(&out)), want);
	assert_int_equal(submission_fix(&again, buf_str(&out), s, &err), 0);
	assert_true(str_eq(buf_str(&out), buf_str(&again)));
	buf_fini(&out);
	buf_fini(&again);
}

static void
test_fields(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "From: alice@o.test\n" REST },
		{ "Subject: x\n", "Subject: x\nFrom: alice@o.test\n" REST },
		{ "Subject: x", "Subject: x\nFrom: alice@o.test\n" REST },
		{ "From: a@b.test\n" REST, "From: a@b.test\n" REST },
		/* other cases, obsolete blanks, and values that are no good */
		{ "FROM : \nmessage-id:\ndate:\n  never\n",
		  "FROM : \nmessage-id:\ndate:\n  never\n" },
		{ "From: a@b.test\n" ID, "From: a@b.test\n" ID DATE },
		{ "From: a@b.test\n" DATE, "From: a@b.test\n" DATE ID },
		/* twice stays twice */
		{ "From: a@b.test\nFrom: c@d.test\n" REST,
		  "From: a@b.test\nFrom: c@d.test\n" REST },
		{ "Bcc: a@b.test\nFrom: a@b.test\nbcc:\n\tx,\n y\n"
		  "Resent-Bcc: z\nBccc: stays\n" REST
		  "Resent-From: a@b.test\nResent-" DATE "Resent-" ID,
		  "From: a@b.test\nBccc: stays\n" REST
		  "Resent-From: a@b.test\nResent-" DATE "Resent-" ID },
		{ "Return-Path: <x@y.test>\nFrom: a@b.test\n" REST,
		  "From: a@b.test\n" REST },
		/* RFC 5322 3.6.6 */
		{ "Resent-To: bob\nFrom: a@b.test\n" REST,
		  "Resent-To: bob@o.test\nFrom: a@b.test\n" REST
		  "Resent-From: alice@o.test\nResent-" DATE "Resent-" ID },
		{ "Subject: \xff\x01 (\nX:\n \n" REST "From: a@b.test\n",
		  "Subject: \xff\x01 (\nX:\n \n" REST "From: a@b.test\n" },
	};
	struct submission s = settings();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_fix(&s, rows[i].in, rows[i].want);
}

static void
test_qualify(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "bob", "bob@o.test" },
		{ " bob ", " bob@o.test " },
		{ "bob@b.test", "bob@b.test" },
		{ "bob, carol@c.test,dave", "bob@o.test, carol@c.test,"
					    "dave@o.test" },
		{ "<bob>", "<bob@o.test>" },
		{ "Bob B. <bob>, Carol <carol>",
		  "Bob B. <bob@o.test>, Carol <carol@o.test>" },
		{ "\"Bob, B.\" <bob>", "\"Bob, B.\" <bob@o.test>" },
		{ "bob (Bob)", "bob@o.test (Bob)" },
		{ "(a (nested, c) \\) d) bob (x, y)",
		  "(a (nested, c) \\) d) bob@o.test (x, y)" },
		{ "\"b ob\"", "\"b ob\"@o.test" },
		{ "\"b@b\"", "\"b@b\"@o.test" },
		{ "\"b\\\"b\"", "\"b\\\"b\"@o.test" },
		{ "bob.smith", "bob.smith@o.test" },
		{ "bob . smith (x)", "bob . smith@o.test (x)" },
		{ "=?utf-8?q?B=2C_ob?= <bob>", "=?utf-8?q?B=2C_ob?= "
					       "<bob@o.test>" },
		{ "J\xc3\xb6rg <jo\xc3\xabl>", "J\xc3\xb6rg <jo\xc3\xabl@o.test"
					       ">" },
		{ "team: bob, carol@c.test;, dave",
		  "team: bob@o.test, carol@c.test;, dave@o.test" },
		{ "undisclosed-recipients:;", "undisclosed-recipients:;" },
		{ "\"a:b\": bob;", "\"a:b\": bob@o.test;" },
		{ "bob,\n\tcarol\n (C),\n dave@d.test",
		  "bob@o.test,\n\tcarol@o.test\n (C),\n dave@d.test" },
		{ "bob@\n b.test", "bob@\n b.test" },
		{ "bob@[192.0.2.1], x@[IPv6:::1]", "bob@[192.0.2.1], "
						   "x@[IPv6:::1]" },
		{ "<@a.test,@b.test:bob@c.test>", "<@a.test,@b.test:bob@c.test"
						  ">" },
		{ "host!user", "host!user@o.test" },
		{ "user%host", "user%host@o.test" },
		{ ", ,bob,,", ", ,bob@o.test,," },
		{ "a@b.test <a@b.test>, c", "a@b.test <a@b.test>, c@o.test" },
		/* what is no address stays as it is */
		{ "", "" },
		{ "<>", "<>" },
		{ "Bob Smith", "Bob Smith" },
		{ "Bob Smith, carol", "Bob Smith, carol@o.test" },
		{ "bob carol@c.test", "bob carol@c.test" },
		{ "<bob> carol", "<bob> carol" },
		{ "<bob> Carol <carol>", "<bob> Carol <carol>" },
		{ "<bob", "<bob" },
		{ "bob>", "bob>" },
		{ "<b<ob>>", "<b<ob>>" },
		{ "bob@", "bob@" },
		{ "@b.test", "@b.test" },
		{ "\"bob", "\"bob" },
		{ "x, (bob, carol", "x@o.test, (bob, carol" },
		{ "[bob", "[bob" },
		{ "b\xff, c", "b\xff, c@o.test" },
		{ "mailto:bob", "mailto:bob@o.test" },
		{ "a:b:c", "a:b:c" },
		{ "bob;carol", "bob;carol" },
	};
	static const char *const names[] = { "To",     "resent-CC", "Reply-To",
					     "Sender", "X-To",	    "Subject" };
	struct submission s = settings();
	char in[500], want[500];
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (k = 0; k < 6; k++) {
			snprintf(in, sizeof(in),
				 "%s:%s\nFrom: x@y.test\n" REST
				 "Resent-From: x@y.test\nResent-" DATE
				 "Resent-" ID,
				 names[k], rows[i].in);
			snprintf(want, sizeof(want),
				 "%s:%s\nFrom: x@y.test\n" REST
				 "Resent-From: x@y.test\nResent-" DATE
				 "Resent-" ID,
				 names[k], k < 4 ? rows[i].want : rows[i].in);
			check_fix(&s, in, want);
		}
}

static void
test_from(void **state)
{
	static const struct {
		const char *name, *sender, *want;
	} rows[] = {
		{ "", "alice@o.test", "alice@o.test" },
		{ "", "", "MAILER-DAEMON@o.test" },
		{ "CronDaemon", "root@o.test", "CronDaemon <root@o.test>" },
		{ " Alice de Witt ", "a@o.test", "Alice de Witt <a@o.test>" },
		{ "Alice B. \"x\\y\"", "a@o.test",
		  "\"Alice B. \\\"x\\\\y\\\"\" <a@o.test>" },
		{ "J\xc3\xb6rg", "j@o.test",
		  "=?UTF-8?B?SsO2cmc=?= <j@o.test>" },
		{ "a\nBcc: x", "j@o.test",
		  "=?UTF-8?B?YQpCY2M6IHg=?= <j@o.test>" },
		{ "\xff", "j@o.test", "j@o.test" },
		{ "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
		  "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
		  "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
		  "\xe2\x82\xac",
		  "e@o.test",
		  "=?UTF-8?B?4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs4oKs"
		  "4oKs4oKs4oKs?=\n =?UTF-8?B?4oKs?= <e@o.test>" },
	};
	struct submission s = settings();
	char want[300];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s.name = str_of(rows[i].name);
		s.sender = str_of(rows[i].sender);
		snprintf(want, sizeof(want), REST "From: %s\n", rows[i].want);
		check_fix(&s, REST, want);
	}
}

static void
test_no_room(void **state)
{
	struct submission s = settings();
	struct buf out;
	struct err err;

	(void)state;
	buf_init(&out, 40);
	assert_int_equal(submission_fix(&out, STR("To: a\n"), &s, &err), -1);
	assert_int_equal(err.class, ERR_TEMP);
	buf_fini(&out);
}

static int
collect(void *arg, const struct path *p, struct err *err)
{
	struct buf *b = arg;

	if (str_eq(path_str(p), STR("stop")))
		return err_set(err, ERR_TEMP, 0, "stopped");
	return buf_addf(b, "%s%s", b->n ? " " : "", p->text);
}

static void
test_rcpts(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "Subject: x\n", "" },
		{ "To: a\nCc: B <b@b.test>\nBcc: c,\n d\nFrom: f\n"
		  "Reply-To: r\nX-To: x\n",
		  "a b@b.test c d" },
		{ "to: a, a, a\n", "a a a" },
		{ "To: g: a, b;, \"c d\"@e.test\n", "a b \"c d\"@e.test" },
		{ "To: \"a\"@b.test (x), <@r.test:u@v.test>\n",
		  "a@b.test u@v.test" },
		{ "To: =?utf-8?q?a?= <a@b.test>, j\xc3\xb6@x.test\n",
		  "a@b.test j\xc3\xb6@x.test" },
		{ "To: old@x.test\nResent-To: new@x.test\nResent-Cc: c\n"
		  "Bcc: b\nResent-Bcc: rb\n",
		  "new@x.test c rb" },
		{ "To: old@x.test\nResent-From: f\n", "old@x.test" },
		{ "To: undisclosed-recipients:;\n", "" },
		{ "To:\nCc: \n", "" },
		{ "To: Bob Smith\n", "!To: no address: Bob Smith" },
		{ "To: a\nCc: b, c d , e\n", "!Cc: no address: c d" },
		{ "To: a, <>\n", "!To: no address: <>" },
		{ "To: \"a\n", "!To: no address: \"a" },
		{ "To: a, stop, b\n", "!stopped" },
	};
	struct err err;
	struct buf b;
	size_t i;
	int rc;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *want = rows[i].want;

		buf_reset(&b);
		rc = submission_rcpts(str_of(rows[i].in), collect, &b, &err);
		if (want[0] == '!') {
			assert_int_equal(rc, -1);
			assert_string_equal(err.text, want + 1);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_string_equal(buf_cstr(&b), want);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields), cmocka_unit_test(test_qualify),
		cmocka_unit_test(test_from),   cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_rcpts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
