/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "session_bed.h"

#define HELLO                                     \
	"> 220 mx.a.test ESMTP\n< EHLO us.test\n" \
	"> 250-mx.a.test\n> 250-SIZE 100000\n"    \
	"> 250-8BITMIME\n> 250 DSN\n"
#define PIPED                                     \
	"> 220 mx.a.test ESMTP\n< EHLO us.test\n" \
	"> 250-mx.a.test\n> 250 PIPELINING\n"
#define QUIT "< QUIT\n"

static const struct bed_letter one = {
	.sender = "s@b.test",
	.header = "Subject: x\n",
	.body = "\nhi\n.dot\n",
	.rcpts = { { "r@a.test" } },
};
static const struct bed_letter two = {
	.sender = "s@b.test",
	.header = "Subject: x\n",
	.body = "\nhi\n",
	.rcpts = { { "r@a.test" }, { "q@a.test" } },
};

struct row {
	const char *name;
	const struct bed_letter *letter;
	const char *script;
	const char *events;
	const char *results[3]; /* beginning of each */
	bool lmtp;
	unsigned timeout_ms;
	unsigned sends;
};

static void
check(const struct row *r)
{
	struct bed b;
	char text[1024];
	const char *got;
	uint32_t i;

	bed_init(&b);
	b.plan.lmtp = r->lmtp;
	b.sends = r->sends;
	if (r->timeout_ms)
		b.set.helo_ms = b.set.mail_ms = b.set.rcpt_ms =
			b.set.data_init_ms = b.set.data_xfer_ms =
				b.set.data_done_ms = r->timeout_ms;
	if (!bed_run(&b, r->letter, r->script))
		fail_msg("%s: %s", r->name, b.why);
	if (strncmp(b.events, r->events, strlen(r->events)) != 0)
		fail_msg("%s: events %s", r->name, b.events);
	for (i = 0; i < 3 && r->results[i]; i++) {
		got = bed_result(&b, i, text);
		if (strncmp(got, r->results[i], strlen(r->results[i])) != 0)
			fail_msg("%s: result %u: %s", r->name, i, got);
	}
	bed_fini(&b);
}

static const struct row rows[] = {
	{ "plain",
	  &one,
	  HELLO "< MAIL FROM:<s@b.test> SIZE=24\n> 250 2.1.0 ok\n"
		"< RCPT TO:<r@a.test>\n> 250 2.1.5 ok\n"
		"< DATA\n> 354 go\n"
		"body Subject: x\\r\\n\\r\\nhi\\r\\n..dot\\r\\n\n"
		"> 250 2.0.0 Ok: queued as 4F2\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 2.0.0 Ok: queued as 4F2" } },
	{ "pipelined",
	  &two,
	  PIPED "< MAIL FROM:<s@b.test>\n< RCPT TO:<r@a.test>\n"
		"< RCPT TO:<q@a.test>\n< DATA\n> 250 ok\n> 550 5.1.1 who?\n"
		"> 250 ok\n> 354 go\nbody Subject: x\\r\\n\\r\\nhi\\r\\n\n"
		"> 250 fine\n" QUIT,
	  "ready done",
	  { "PERM 5.1.1 host mx.a.test[192.0.2.1] said: 550 5.1.1 who? (in "
	    "reply to RCPT TO command)",
	    "OK 2.0.0 250 fine" } },
};

static void
test_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check(&rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
