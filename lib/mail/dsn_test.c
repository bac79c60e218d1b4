/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mail/dsn.h"

#define UTF8 "\xce\xb4\xce\xbf\xce\xba@x.test" /* δοκ */

static const struct bounce_value values[] = {
	{ "myhostname", { "host.test", 9 } },
	{ "delay_warning_time_hours", { "4", 1 } },
	{ "maximal_queue_lifetime_days", { "5", 1 } },
};
enum { NVALUES = sizeof(values) / sizeof(values[0]) };

static const struct dsn_rcpt failed = {
	.action = DSN_FAILED,
	.address = { "b@x.test", 8 },
	.status = { "5.1.1", 5 },
	.text = { "host mx.x.test[192.0.2.1] said: 550 5.1.1 unknown", 49 },
	.mta = { "mx.x.test", 9 },
	.reply = { "550 5.1.1 unknown", 17 },
	.last_us = 1700000000000000,
};

static struct dsn
report(const struct dsn_rcpt *rcpts, size_t n)
{
	return (struct dsn){
		.template = &bounce_defaults.of[BOUNCE_FAILURE],
		.values = values,
		.nvalues = NVALUES,
		.hostname = STR("host.test"),
		.mail_name = STR("Posthouse"),
		.origin = STR("o.test"),
		.id = STR("0123456789AB"),
		.to = STR("a@y.test"),
		.now_us = 1700000001000000,
		.seed = 0xabc,
		.about = STR("0123456789AA"),
		.sender = STR("a@y.test"),
		.arrival_us = 1600000000000000,
		.full = true,
		.size = 50000,
		.header = STR("Subject: x\n"),
		.body = STR("\nHello\n"),
		.rcpts = rcpts,
		.nrcpts = n,
	};
}

/* The caller frees. */
static char *
build(const struct dsn *d, struct dsn_built *built)
{
	struct buf out;
	struct err err;
	char *text;

	buf_init(&out, DSN_MAX);
	if (dsn_build(&out, d, built, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(buf_add_byte(&out, '\0') == 0);
	text = strdup(out.p);
	assert_non_null(text);
	assert_int_equal(strlen(text), out.n - 1);
	buf_fini(&out);
	return text;
}

static void
has(const char *text, const char *want)
{
	if (!strstr(text, want))
		fail_msg("%s\nis not in\n%s", want, text);
}

static void
lacks(const char *text, const char *word)
{
	if (strstr(text, word))
		fail_msg("%s\nis in\n%s", word, text);
}

static void
test_failure(void **state)
{
	struct dsn d = report(&failed, 1);
	struct dsn_built built;
	char *s;

	(void)state;
	setenv("TZ", "UTC0", 1);
	d.envid = STR("QQ 314");
	s = build(&d, &built);
	assert_false(built.eight || built.utf8);
	assert_int_equal(strncmp(s + built.header_len, "\nThis is", 8), 0);
	has(s, "From: MAILER-DAEMON@o.test (Mail Delivery System)\n");
	has(s, "Subject: Undelivered Mail Returned to Sender\n");
	has(s, "To: a@y.test\nAuto-Submitted: auto-replied\n");
	has(s, "This is the mail system at host.test.\n");
	has(s, "\n<b@x.test>: host mx.x.test[192.0.2.1] said: 550 5.1.1 "
	       "unknown\n");
	has(s, "Content-Type: message/delivery-status\n"
	       "\n"
	       "Reporting-MTA: dns; host.test\n"
	       "X-Posthouse-Queue-ID: 0123456789AA\n"
	       "X-Posthouse-Sender: rfc822; a@y.test\n"
	       "Original-Envelope-Id: QQ 314\n"
	       "Arrival-Date: Sun, 13 Sep 2020 12:26:40 +0000 (UTC)\n"
	       "\n"
	       "Final-Recipient: rfc822; b@x.test\n"
	       "Action: failed\n"
	       "Status: 5.1.1\n"
	       "Remote-MTA: dns; mx.x.test\n"
	       "Diagnostic-Code: smtp; 550 5.1.1 unknown\n"
	       "Last-Attempt-Date: Tue, 14 Nov 2023 22:13:20 +0000 (UTC)\n"
	       "\n"
	       "--_report_0000000000000abc\n");
	has(s, "Content-Type: message/rfc822\n\nSubject: x\n\nHello\n\n"
	       "--_report_0000000000000abc--\n");
	free(s);
	d.full = false;
	d.postmaster = true;
	s = build(&d, &built);
	has(s, "Subject: Postmaster Copy: Undelivered Mail\n");
	has(s, "Content-Type: text/rfc822-headers\n\nSubject: x\n\n--");
	lacks(s, "Hello");
	free(s);
}

static void
test_recipients(void **state)
{
	struct dsn_rcpt r[] = { failed, failed, failed, failed };
	struct dsn d = report(r, 4);
	struct dsn_built built;
	char *s;

	(void)state;
	r[0].action = DSN_DELAYED;
	r[0].until_us = 1700000000000000;
	r[0].mta = r[0].reply = STR_NULL;
	r[0].text = STR("connect to mx.x.test[192.0.2.1]:25: Connection "
			"refused");
	r[1].action = DSN_RELAYED;
	r[1].original = STR("list@y.test");
	r[1].orcpt = STR("rfc822;Other@y.test");
	r[2].action = DSN_EXPANDED;
	r[2].original = STR("alias@y.test");
	r[3].action = DSN_DELIVERED;
	r[3].orcpt = STR("no type");
	s = build(&d, &built);
	has(s, "Action: delayed\n");
	has(s, "Diagnostic-Code: X-Posthouse; connect to "
	       "mx.x.test[192.0.2.1]:25: Connection\n    refused\n");
	has(s, "Will-Retry-Until: Tue, 14 Nov 2023 22:13:20 +0000 (UTC)\n");
	has(s, "<b@x.test> (expanded from <list@y.test>): host");
	has(s, "Original-Recipient: rfc822; Other@y.test\nAction: relayed\n");
	has(s, "Original-Recipient: rfc822; alias@y.test\nAction: expanded\n");
	has(s, "Final-Recipient: rfc822; b@x.test\nAction: delivered\n");
	lacks(s, "no type");
	free(s);
}

/* Lines, fields and parts cannot be added by what a peer says. */
static void
test_injection(void **state)
{
	struct dsn_rcpt r = failed;
	struct dsn d = report(&r, 1);
	struct dsn_built built;
	char *s;

	(void)state;
	r.address = STR("b\nBcc: x@x.test\n\n--_report_0000000000000abc\n");
	r.original = STR("c\r\nX-Evil: 1");
	r.orcpt = STR("rfc822;d\nX-Evil: 2");
	r.status = STR("5.0.0\nX-Evil: 3");
	r.text = STR("text\n\n--_report_0000000000000abc--\n");
	r.mta = STR("mx\nX-Evil: 4");
	r.reply = STR("550\r\n\r\nX-Evil: 5");
	d.sender = d.to = STR("a\nX-Evil: 6");
	d.envid = STR("e\nX-Evil: 7");
	d.body = STR("\n--_report_0000000000000abd\r\n");
	s = build(&d, &built);
	lacks(s, "\nX-Evil");
	lacks(s, "\nBcc");
	lacks(s, "\r");
	/* Two boundaries stood in it. */
	has(s, "boundary=\"_report_0000000000000abe\"\n");
	free(s);
}

static void
test_utf8(void **state)
{
	struct dsn_rcpt r = failed;
	struct dsn d = report(&r, 1);
	static char backslashes[400];
	struct dsn_built built;
	char *s;

	(void)state;
	/* An ASCII sender may not understand SMTPUTF8. */
	r.address = STR(UTF8);
	s = build(&d, &built);
	assert_false(built.eight || built.utf8);
	has(s, "Final-Recipient: utf-8; \\x{3B4}\\x{3BF}\\x{3BA}@x.test\n");
	has(s, "Content-Transfer-Encoding: quoted-printable\n");
	has(s, "<=CE=B4=CE=BF=CE=BA@x.test>:");
	free(s);
	d.utf8 = true;
	s = build(&d, &built);
	assert_true(built.eight && built.utf8);
	has(s, "Final-Recipient: utf-8; " UTF8 "\n");
	has(s, "Content-Type: message/global-delivery-status\n"
	       "Content-Transfer-Encoding: 8bit\n");
	has(s, "Content-Type: message/global\n");
	has(s, "\n<" UTF8 ">:");
	free(s);
	/* What the client encoded is not encoded twice. */
	r.orcpt = STR("utf-8;\\x{3b4}+\\@x.test");
	s = build(&d, &built);
	has(s, "Original-Recipient: utf-8; \\x{3b4}\\x{2B}\\x{5C}@x.test\n");
	free(s);
	/* Nor longer than a line may be. */
	memset(backslashes, '\\', sizeof(backslashes));
	memcpy(backslashes, "utf-8;", 6);
	r.orcpt = str_mem(backslashes, sizeof(backslashes));
	s = build(&d, &built);
	lacks(s, "\nOriginal-Recipient");
	lacks(s, "\n\nAction");
	free(s);
	d.full = false;
	s = build(&d, &built);
	has(s, "Content-Type: message/global-headers\n");
	free(s);
	d = report(&failed, 1);
	d.body = STR("\n\xe4\n");
	s = build(&d, &built);
	assert_true(built.eight && !built.utf8);
	has(s, "Content-Type: message/rfc822\n"
	       "Content-Transfer-Encoding: 8bit\n\nSubject: x\n\n\xe4\n");
	free(s);
}

static void
test_large(void **state)
{
	enum { MANY = 10000, LONG = 30000 };
	struct dsn_rcpt *r = calloc(MANY, sizeof(*r));
	static char header[LONG], word[5000];
	struct dsn d = report(r, MANY);
	struct dsn_built built;
	char *s, *line;
	size_t i, n = 0, longest = 0;

	(void)state;
	for (i = 0; i < MANY; i++)
		r[i] = failed;
	memset(word, 'w', sizeof(word));
	r[0].reply = str_mem(word, sizeof(word));
	for (i = 0; i + 100 < sizeof(header); i += (size_t)n)
		n = (size_t)snprintf(header + i, 100, "X-%zu: v\n v\n", i);
	d.header = str_mem(header, i);
	d.full = false;
	d.size = 1000;
	s = build(&d, &built);
	has(s, "X-0: v\n v\n");
	lacks(s, "X-2000: v\n");
	for (n = 0, line = s; (line = strstr(line, "Action: failed\n")); n++)
		line++;
	assert_int_equal(n, MANY);
	for (line = s; *line; line += n + 1) {
		n = strcspn(line, "\n");
		if (n > longest)
			longest = n;
	}
	assert_in_range(longest, 100, 998);
	free(s);
	free(r);
}

/* --- templates ------------------------------------------------------------ */

#define HEAD "failure_template = <<EOF\n"

static void
test_templates(void **state)
{
	static const struct {
		const char *name, *file, *want; /* of the error; NULL: good */
	} rows[] = {
		{ "empty", "", NULL },
		{ "comment", "# nothing\n\n", NULL },
		{ "one", HEAD "Subject: S\n\n$myhostname\nEOF\n", NULL },
		{ "another word", "delay_template=<<END\n\nEOF\nEND\n", NULL },
		{ "twice", HEAD "\nx\nEOF\n" HEAD "\nx\nEOF\n", "twice" },
		{ "no end", HEAD "\nx\n", "no end" },
		{ "no text", HEAD "Subject: S\nEOF\n", "no text" },
		{ "kind", "other_template = <<EOF\n", "line 1: templates are" },
		{ "not here", "failure_template = text\n", "want <<WORD" },
		{ "field", HEAD "Bcc: x\n\nx\nEOF\n", "line 2: fields are" },
		{ "no field", HEAD "x\n\nx\nEOF\n", "Name: value" },
		{ "name", HEAD "\n$nobody\nEOF\n", "$nobody is not known" },
		{ "dollar", HEAD "\n$\nEOF\n", "a $" },
		{ "brace", HEAD "\n${myhostname\nEOF\n", "a $" },
		{ "8 bits", HEAD "\n\xc3\xa4\nEOF\n", "not ASCII" },
		{ "utf-8", HEAD "Charset: utf-8\n\n\xc3\xa4\nEOF\n", NULL },
		{ "no utf-8", HEAD "Charset: utf-8\n\n\xc3\nEOF\n",
		  "not UTF-8" },
		{ "charset", HEAD "Charset: koi8-r\n\nx\nEOF\n", "Charset" },
		{ "control", HEAD "\n\a\nEOF\n", "controls" },
	};
	struct bounce_templates t;
	struct err err;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rc = bounce_templates_parse(&t, str_of(rows[i].file), values,
					    NVALUES, &err);
		if ((rc < 0) != (rows[i].want != NULL))
			fail_msg("%s: %s", rows[i].name,
				 rc < 0 ? err.text : "is taken");
		if (rows[i].want && !strstr(err.text, rows[i].want))
			fail_msg("%s: %s", rows[i].name, err.text);
	}
}

static void
test_template_used(void **state)
{
	static const char file[] =
		"# ours\n"
		"success_template = <<EOF\n"
		"Charset: utf-8\n"
		"From: Post <post@o.test>\n"
		"Subject: Arrived\n"
		"\n"
		"Gr\xc3\xbc\xc3\x9f"
		"e von ${myhostname}, $(delay_warning_time_hours) $$\n"
		"EOF\n";
	struct dsn d = report(&failed, 1);
	struct bounce_templates t;
	struct dsn_built built;
	struct err err;
	char *s;

	(void)state;
	assert_int_equal(
		bounce_templates_parse(&t, str_of(file), values, NVALUES, &err),
		0);
	d.template = &t.of[BOUNCE_SUCCESS];
	s = build(&d, &built);
	has(s, "From: Post <post@o.test>\nSubject: Arrived\n");
	has(s, "Gr=C3=BC=C3=9Fe von host.test, 4 $\n");
	free(s);
	assert_true(str_eq(t.of[BOUNCE_FAILURE].subject,
			   bounce_defaults.of[BOUNCE_FAILURE].subject));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_template_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
