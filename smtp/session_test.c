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
#define CHUNKED                                   \
	"> 220 mx.a.test ESMTP\n< EHLO us.test\n" \
	"> 250-mx.a.test\n> 250-CHUNKING\n> 250 PIPELINING\n"
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

static const struct bed_letter eight = {
	.sender = "s@b.test",
	.header = "A: b\n",
	.body = "\ngr\xc3\xbc\xc3\x9f"
		"e\n",
	.rcpts = { { "r@a.test" } },
};
static const struct bed_letter utf8 = {
	.sender = "s\xc3\xbc@b.test",
	.header = "A: \xc3\xbc\n",
	.body = "\nhi\n",
	.flags = COMMIT_SMTPUTF8,
	.rcpts = { { "r@a.test" } },
};
static const struct bed_letter utf8_rcpt = {
	.sender = "s@b.test",
	.header = "Subject: x\n",
	.body = "\nhi\n",
	.flags = COMMIT_SMTPUTF8,
	.rcpts = { { "\xc3\xbc@a.test" }, { "q@a.test" } },
};
static const struct bed_letter utf8_declared = {
	.sender = "s@b.test",
	.header = "Subject: x\n",
	.body = "\nhi\n.dot\n",
	.flags = COMMIT_SMTPUTF8,
	.rcpts = { { "r@a.test" } },
};
static const struct bed_letter dsn = {
	.sender = "",
	.header = "A: b\n",
	.body = "\nhi\n",
	.envid = "a+b=",
	.ret = RET_HDRS,
	.rcpts = { { "r@a.test", "rfc822;a+b@c.test",
		     NOTIFY_SUCCESS | NOTIFY_DELAY },
		   { "q@a.test", "utf-8;\xc3\xbc@c.test", NOTIFY_NEVER } },
};
static const struct bed_letter bad = {
	.sender = "s@b.test",
	.header = "Subject: x\n",
	.body = "\nhi\n",
	.rcpts = { { "a> NOTIFY=NEVER <@a.test" },
		   { "\"a>b\"@a.test" },
		   { "a\"b@a.test" },
		   { "\"a\\\x01\"@a.test" } },
};

struct row {
	const char *name;
	const struct bed_letter *letter;
	const char *script;
	const char *events;
	const char *results[4]; /* beginning of each */
	bool lmtp;
	unsigned timeout_ms;
	unsigned sends;
	bool keep_5xx, best_mx, wait_quit;
	enum bed_tlsd tlsd;
	uint8_t tls_level;
	bool wrapper;
	const char *user;
};

/* What is not as it should be is printed. */
static bool
is_as_wanted(const struct row *r, const struct bed *b)
{
	char text[1024];
	const char *got;
	bool ok = true;
	uint32_t i;

	if (strncmp(b->events, r->events, strlen(r->events)) != 0) {
		print_error("%s: events: %s\n", r->name, b->events);
		ok = false;
	}
	for (i = 0; i < 4 && r->results[i]; i++) {
		got = bed_result(b, i, text);
		if (strncmp(got, r->results[i], strlen(r->results[i])) != 0) {
			print_error("%s: result %u: %s\n", r->name, i, got);
			ok = false;
		}
	}
	return ok;
}

static bool
check(const struct row *r)
{
	struct bed b;
	bool ok;

	bed_init(&b);
	b.plan.lmtp = r->lmtp;
	b.sends = r->sends;
	b.set.skip_5xx_greeting = !r->keep_5xx;
	b.plan.best_mx = r->best_mx;
	b.tlsd_does = r->tlsd;
	b.plan.tls.level = r->tls_level;
	b.plan.tls.wrapper = r->wrapper;
	b.plan.tls.timeout_ms = 1000;
	b.plan.tls.loglevel = 1;
	b.plan.has_auth = r->user;
	(void)!str_copy(b.plan.user, sizeof(b.plan.user), str_of(r->user));
	(void)!str_copy(b.plan.password, sizeof(b.plan.password),
			STR("pencil"));
	b.set.sasl.soft_bounce = true;
	b.set.skip_quit_response = !r->wait_quit;
	b.set.quit_ms = 50;
	if (r->timeout_ms)
		b.set.helo_ms = b.set.mail_ms = b.set.rcpt_ms =
			b.set.data_init_ms = b.set.data_xfer_ms =
				b.set.data_done_ms = r->timeout_ms;
	ok = bed_run(&b, r->letter, r->script);
	if (!ok)
		print_error("%s: %s\n%.*s", r->name, b.why,
			    (int)sizeof(b.dialog), b.dialog);
	ok &= is_as_wanted(r, &b);
	if (str_search(str_of(b.dialog), STR("AHUAcGVuY2ls")) >= 0 ||
	    str_search(str_of(b.dialog), STR("cGVuY2ls")) >= 0) {
		print_error("%s: the password is in the dialogue\n", r->name);
		ok = false;
	}
	bed_fini(&b);
	return ok;
}

#define WHO "mx.a.test[192.0.2.1]"
#define SAID "host " WHO " said: "
#define ENVELOPE                                     \
	"< MAIL FROM:<s@b.test> SIZE=24\n> 250 ok\n" \
	"< RCPT TO:<r@a.test>\n> 250 ok\n"
#define TEXT "body Subject: x\\r\\n\\r\\nhi\\r\\n..dot\\r\\n\n"
#define SENT ENVELOPE "< DATA\n> 354 go\n" TEXT
#define TWO "body Subject: x\\r\\n\\r\\nhi\\r\\n\n"
#define OFFER                                \
	"> 220 a\n< EHLO us.test\n> 250-a\n" \
	"> 250-SIZE 5\n> 250-DSN\n> 250 STARTTLS\n"
#define PLAIN_SENT                           \
	"< MAIL FROM:<s@b.test>\n> 250 ok\n" \
	"< RCPT TO:<r@a.test>\n> 250 ok\n< DATA\n> 354 go\n" TEXT
#define PIPED_TWO                                        \
	"< MAIL FROM:<s@b.test>\n< RCPT TO:<r@a.test>\n" \
	"< RCPT TO:<q@a.test>\n< DATA\n"

static const struct row rows[] = {
	{ "plain",
	  &one,
	  HELLO SENT "> 250 2.0.0 Ok: queued as 4F2\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 2.0.0 Ok: queued as 4F2" } },
	{ "a reply of many lines",
	  &one,
	  HELLO SENT "> 250-2.6.0 one\n> 250 2.6.0 two\n" QUIT,
	  "ready done",
	  { "OK 2.6.0 250-2.6.0 one 250 2.6.0 two" } },
	{ "pipelined",
	  &two,
	  PIPED PIPED_TWO "> 250 ok\n> 550 5.1.1 who?\n> 250 ok\n> 354 go\n" TWO
			  "> 250 fine\n" QUIT,
	  "ready done",
	  { "PERM 5.1.1 " SAID "550 5.1.1 who? (in reply to RCPT TO command)",
	    "OK 2.0.0 250 fine" } },

	/* The greeting. */
	{ "greeting 4yz", &one, "> 421 4.3.2 full\n",
	  "refused(TEMP 4.3.2 host " WHO " refused to talk to me: 421 4.3.2 "
	  "full)" },
	{ "greeting 5yz is skipped", &one, "> 554 5.7.1 go away\n",
	  "refused(TEMP 4.7.1 host " WHO " refused to talk to me: 554 5.7.1 "
	  "go away)" },
	{ "greeting 521 counts", &one, "> 521 no mail here\n",
	  "refused(PERM 5.0.0 host " WHO " refused to talk to me: 521 no mail",
	  .keep_5xx = true },
	{ "greeting without a code", &one, "> hello\n",
	  "lost(TEMP 4.5.0 protocol error: host " WHO " sent a line without a "
	  "reply code while receiving the initial server greeting)" },
	{ "closed at once", &one, "close\n",
	  "lost(TEMP 4.4.2 lost connection with " WHO " while receiving the "
	  "initial server greeting)" },
	{ "closed in the greeting", &one, "raw 220 mx\nclose\n",
	  "lost(TEMP 4.4.2 lost connection with " WHO " while receiving the "
	  "initial server greeting)" },
	{ "no greeting", &one, "nothing\n",
	  "lost(TEMP 4.4.2 conversation with " WHO " timed out while "
	  "receiving the initial server greeting)",
	  .timeout_ms = 500 },
	{ "endless banner", &one, "flood 10000000\n",
	  "lost(TEMP 4.5.0 protocol error: host " WHO " sent a reply of too "
	  "many lines" },
	{ "more than a greeting", &one, "raw 220 a\\r\\n250 b\\r\\n\n",
	  "lost(TEMP 4.5.0 protocol error: host " WHO " sent more than a "
	  "reply" },

	/* EHLO. */
	{ "HELO if EHLO is unknown",
	  &one,
	  "> 220 a\n< EHLO us.test\n> 502 what?\n< HELO us.test\n> 250 a\n"
	  "< MAIL FROM:<s@b.test>\n> 250 ok\n< RCPT TO:<r@a.test>\n> 250 ok\n"
	  "< DATA\n> 354 go\n" TEXT "> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" } },
	{ "EHLO 421", &one, "> 220 a\n< EHLO us.test\n> 421 busy\n< QUIT\n",
	  "refused(TEMP 4.0.0 host " WHO " refused to talk to me: 421 busy)" },
	{ "HELO 5yz", &one,
	  "> 220 a\n< EHLO us.test\n> 550 no\n< HELO us.test\n> 550 5.7.1 no\n"
	  "< QUIT\n",
	  "refused(PERM 5.7.1 host " WHO " refused to talk to me: 550 5.7.1 "
	  "no)" },
	{ "closed at EHLO", &one, "> 220 a\n< EHLO us.test\nclose\n",
	  "lost(TEMP 4.4.2 lost connection with " WHO " while performing the "
	  "EHLO handshake)" },
	{ "closed at HELO", &one,
	  "> 220 a\n< EHLO us.test\n> 500 ?\n< HELO us.test\nreset\n",
	  "lost(TEMP 4.4.2 lost connection with " WHO " while performing the "
	  "HELO handshake)" },
	{ "an EHLO reply of 10 MB", &one,
	  "> 220 a\n< EHLO us.test\nflood 10000000\n", "lost(TEMP 4.5.0 " },
	{ "my own name", &one,
	  "> 220 a\n< EHLO us.test\n> 250 US.test hi\n"
	  "< QUIT\n",
	  "refused(TEMP 4.4.6 mail for a.test loops back to myself)" },
	{ "my own name at the best MX", &one,
	  "> 220 a\n< EHLO us.test\n> 250 us.test\n< QUIT\n",
	  "refused(PERM 5.4.6 mail for a.test loops back to myself)",
	  .best_mx = true },
	{ "a reply nobody asked for", &one,
	  "> 220 a\n< EHLO us.test\nraw 250 a\\r\\n250 b\\r\\n\n",
	  "lost(TEMP 4.5.0 protocol error: host " WHO " sent more than a "
	  "reply" },
	{ "codes that change", &one,
	  "> 220 a\n< EHLO us.test\nraw 250-a\\r\\n550 b\\r\\n\n",
	  "lost(TEMP 4.5.0 protocol error: host " WHO " sent lines with "
	  "different reply codes" },

	/* How it comes does not matter. */
	{ "split at each octet, bare LF",
	  &one,
	  "drip 220-mx\\n220 mx ESMTP\\r\\n\n< EHLO us.test\n"
	  "drip 250-mx\\r\\n250-SIZE 100000\\n250 8BITMIME\\n\n"
	  "<* MAIL FROM:<s@b.test> SIZE=24\ndrip 250 ok\\n\n"
	  "< RCPT TO:<r@a.test>\ndrip 250-ok\\r\\n250 ok\\r\\n\n"
	  "< DATA\ndrip 354 go\\r\\n\n" TEXT
	  "drip 250 2.0.0 thanks\\r\\n\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 2.0.0 thanks" } },

	/* MAIL. */
	{ "MAIL 4yz",
	  &one,
	  HELLO "<* MAIL\n> 451 4.3.0 later\n" QUIT,
	  "ready done",
	  { "*TEMP 4.3.0 " SAID "451 4.3.0 later (in reply to MAIL FROM "
	    "command)" } },
	{ "MAIL 5yz",
	  &one,
	  HELLO "<* MAIL\n> 550 5.7.1 not you\n" QUIT,
	  "ready done",
	  { "PERM 5.7.1 " SAID "550 5.7.1 not you (in reply to MAIL FROM "
	    "command)" } },
	{ "MAIL 421",
	  &one,
	  HELLO "<* MAIL\n> 421 4.3.2 bye\n",
	  "ready lost(TEMP 4.3.2 " SAID "421 4.3.2 bye (in reply to MAIL FROM "
	  "command))",
	  { "*TEMP 4.3.2 " SAID "421 4.3.2 bye" } },
	{ "MAIL refused, pipelined",
	  &two,
	  PIPED PIPED_TWO "> 550 no\n> 503 ?\n> 503 ?\n> 503 ?\n" QUIT,
	  "ready done",
	  { "PERM 5.0.0 " SAID "550 no (in reply to MAIL FROM command)",
	    "PERM 5.0.0 " SAID "550 no (in reply to MAIL FROM command)" } },
	{ "closed at MAIL",
	  &one,
	  HELLO "<* MAIL\nclose\n",
	  "ready lost(TEMP 4.4.2 lost connection with " WHO " while sending "
	  "MAIL FROM)",
	  { "*TEMP 4.4.2 lost connection with " WHO " while sending MAIL" } },
	{ "a reply of one octet at a time",
	  &one,
	  HELLO "<* MAIL\nraw 2\nnothing\nraw 5\nnothing\nraw 0\nnothing\n"
		"nothing\n",
	  "ready lost(TEMP 4.4.2 conversation with " WHO " timed out while "
	  "sending MAIL FROM)",
	  { "*TEMP 4.4.2 conversation with" },
	  .timeout_ms = 500 },

	/* RCPT. */
	{ "RCPT 4yz",
	  &one,
	  HELLO "<* MAIL\n> 250 ok\n<* RCPT\n> 450 4.2.0 grey\n" QUIT,
	  "ready done",
	  { "*TEMP 4.2.0 " SAID "450 4.2.0 grey (in reply to RCPT TO "
	    "command)" } },
	{ "RCPT 421",
	  &two,
	  PIPED PIPED_TWO "> 250 ok\n> 250 ok\n> 421 bye\n",
	  "ready lost(TEMP 4.0.0 " SAID "421 bye (in reply to RCPT TO",
	  { "*TEMP 4.0.0 " SAID "421 bye", "*TEMP 4.0.0 " SAID "421 bye" } },
	{ "closed at RCPT",
	  &two,
	  PIPED PIPED_TWO "> 250 ok\n> 550 no\nclose\n",
	  "ready lost(TEMP 4.4.2 lost connection with " WHO " while sending "
	  "RCPT TO)",
	  { "PERM 5.0.0 " SAID "550 no",
	    "*TEMP 4.4.2 lost connection with " WHO " while sending RCPT" } },
	{ "RCPT 3yz",
	  &one,
	  HELLO "<* MAIL\n> 250 ok\n<* RCPT\n> 354 hm\n" QUIT,
	  "ready done",
	  { "*TEMP 4.0.0 " SAID "354 hm (in reply to RCPT" } },
	{ "552 alone is a full mailbox",
	  &one,
	  HELLO "<* MAIL\n> 250 ok\n<* RCPT\n> 552 full\n" QUIT,
	  "ready done",
	  { "PERM 5.0.0 " SAID "552 full" } },
	{ "452 too many: in a further transaction",
	  &two,
	  PIPED PIPED_TWO
	  "> 250 ok\n> 250 ok\n> 452 4.5.3 many\n> 354 go\n" TWO
	  "> 250 first\n< MAIL FROM:<s@b.test>\n< RCPT TO:<q@a.test>\n"
	  "< DATA\n> 250 ok\n> 250 ok\n> 354 go\n" TWO "> 250 second\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 first", "OK 2.0.0 250 second" } },
	{ "452 again and again ends",
	  &two,
	  PIPED PIPED_TWO
	  "> 250 ok\n> 250 ok\n> 552 many\n> 354 go\n" TWO
	  "> 250 first\n< MAIL FROM:<s@b.test>\n< RCPT TO:<q@a.test>\n"
	  "< DATA\n> 250 ok\n> 452 many\n> 503 no\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 first", "*TEMP 4.0.0 " SAID "452" } },
	{ "552 5.2.2 after others",
	  &two,
	  PIPED PIPED_TWO "> 250 ok\n> 250 ok\n> 552 5.2.2 full\n> 354 go\n" TWO
			  "> 250 first\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 first", "PERM 5.2.2 " SAID "552" } },

	/* DATA. */
	{ "DATA 5yz",
	  &one,
	  HELLO ENVELOPE "< DATA\n> 554 5.5.1 no\n" QUIT,
	  "ready done",
	  { "PERM 5.5.1 " SAID "554 5.5.1 no (in reply to DATA command)" } },
	{ "DATA 2yz",
	  &one,
	  HELLO ENVELOPE "< DATA\n> 250 ok\n",
	  "ready done-closed",
	  { "*TEMP 4.0.0 host " WHO } },
	{ "DATA 421",
	  &one,
	  HELLO ENVELOPE "< DATA\n> 421 bye\n",
	  "ready lost(TEMP 4.0.0 ",
	  { "*TEMP 4.0.0 " SAID "421 bye (in reply "
	    "to DATA command)" } },
	{ "closed at DATA", &one, HELLO ENVELOPE "< DATA\nclose\n",
	  "ready lost(TEMP 4.4.2 lost connection with " WHO " while sending "
	  "DATA command)" },
	{ "all refused, DATA not sent (RFC 5321 3.3)",
	  &one,
	  HELLO "<* MAIL\n> 250 ok\n<* RCPT\n> 550 no\n" QUIT,
	  "ready done",
	  { "PERM 5.0.0 " SAID "550 no" } },
	{ "all refused, DATA refused",
	  &two,
	  PIPED PIPED_TWO "> 250 ok\n> 550 a\n> 550 b\n> 554 no\n" QUIT,
	  "ready done",
	  { "PERM 5.0.0 " SAID "550 a", "PERM 5.0.0 " SAID "550 b" } },
	{ "all refused, but 354 (RFC 2920 3.1)",
	  &two,
	  PIPED PIPED_TWO "> 250 ok\n> 550 a\n> 450 b\n> 354 go\n< .\n"
			  "> 554 nobody\n",
	  "ready done-closed",
	  { "PERM 5.0.0 " SAID "550 a", "*TEMP 4.0.0 " SAID "450 b" } },
	{ "all refused, but 354 and 250",
	  &two,
	  PIPED PIPED_TWO "> 250 ok\n> 550 a\n> 450 b\n> 354 go\n< .\n"
			  "> 250 queued\n",
	  "ready done-closed",
	  { "PERM 5.0.0 " SAID "550 a", "*TEMP 4.0.0 " SAID "450 b" } },
	{ "MAIL refused, but 354",
	  &two,
	  PIPED PIPED_TWO "> 450 no\n> 250 ?\n> 250 ?\n> 354 go\n< .\n"
			  "> 250 queued\n",
	  "ready done-closed",
	  { "*TEMP 4.0.0 " SAID "450 no (in reply to MAIL",
	    "*TEMP 4.0.0 " SAID "450 no" } },

	/* The end of data. */
	{ "refused as spam",
	  &one,
	  HELLO SENT "> 554 5.7.1 spam\n" QUIT,
	  "ready done",
	  { "PERM 5.7.1 " SAID "554 5.7.1 spam (in reply to end of DATA "
	    "command)" } },
	{ "later",
	  &one,
	  HELLO SENT "> 451 4.3.0 disk\n" QUIT,
	  "ready done",
	  { "*TEMP 4.3.0 " SAID "451 4.3.0 disk (in reply to end of DATA" } },
	{ "354 again",
	  &one,
	  HELLO SENT "> 354 more?\n" QUIT,
	  "ready done",
	  { "*TEMP 4.0.0 " SAID "354 more?" } },
	{ "421 after the text",
	  &one,
	  HELLO SENT "> 421 4.3.2 bye\n",
	  "ready lost(TEMP 4.3.2 " SAID "421 4.3.2 bye (in reply to end of",
	  { "*TEMP 4.3.2 " SAID } },
	{ "closed after the text (RFC 1047)",
	  &one,
	  HELLO SENT "close\n",
	  "ready lost(TEMP 4.4.2 lost connection with " WHO " while sending "
	  "end of data -- message may be sent more than once)",
	  { "*TEMP 4.4.2 lost connection" } },
	{ "silent after the text",
	  &one,
	  HELLO SENT "nothing\n",
	  "ready lost(TEMP 4.4.2 conversation with " WHO " timed out while "
	  "sending end of data -- message may be sent more than once)",
	  { "*TEMP 4.4.2 conversation" },
	  .timeout_ms = 500 },
	{ "no code after the text",
	  &one,
	  HELLO SENT "> thanks\n",
	  "ready lost(TEMP 4.5.0 protocol error",
	  { "*TEMP 4.5.0 proto" } },
	{ "answered twice",
	  &one,
	  HELLO SENT "raw 250 ok\\r\\n250 ok\\r\\n\n",
	  "ready done-closed",
	  { "OK 2.0.0 250 ok" } },

	/* One transaction after another. */
	{ "twice",
	  &one,
	  HELLO SENT "> 450 once more\n" SENT "> 250 ok\n" QUIT,
	  "ready done done",
	  { "OK 2.0.0 250 ok" },
	  .sends = 2 },
	{ "RSET after a refusal",
	  &one,
	  HELLO "<* MAIL\n> 250 ok\n<* RCPT\n> 450 no\n< RSET\n> 250 ok\n" SENT
		"> 250 ok\n" QUIT,
	  "ready done done",
	  { "OK 2.0.0 250 ok" },
	  .sends = 2 },
	{ "RSET is refused",
	  &one,
	  HELLO "<* MAIL\n> 450 no\n< RSET\n> 500 ?\n" SENT "> 250 ok\n",
	  "ready done done-closed",
	  { "OK 2.0.0 250 ok" },
	  .sends = 2 },
	{ "gone before the second",
	  &one,
	  HELLO SENT "> 450 once more\n<* MAIL\nclose\n",
	  "ready done stale(TEMP 4.4.2 ",
	  { "*TEMP 4.4.2 lost" },
	  .sends = 2 },
	{ "421 to the second",
	  &one,
	  HELLO SENT "> 450 once more\n<* MAIL\n> 421 idle too long\n",
	  "ready done stale(TEMP 4.0.0 ",
	  { "*TEMP 4.0.0 " },
	  .sends = 2 },
	{ "gone in the second",
	  &one,
	  HELLO SENT "> 450 once more\n<* MAIL\n> 250 ok\n<* RCPT\nclose\n",
	  "ready done lost(TEMP 4.4.2 ",
	  { "*TEMP 4.4.2 lost" },
	  .sends = 2 },

	/* LMTP: a reply a recipient (RFC 2033 4.2). */
	{ "LMTP",
	  &two,
	  "> 220 a LMTP\n< LHLO us.test\n> 250-a\n> 250 PIPELINING\n" PIPED_TWO
	  "> 250 ok\n> 250 ok\n> 250 ok\n> 354 go\n" TWO
	  "> 250 2.1.5 one\n> 552 5.2.2 two\n" QUIT,
	  "ready done",
	  { "OK 2.1.5 250 2.1.5 one",
	    "PERM 5.2.2 " SAID "552 5.2.2 two (in reply to end "
	    "of DATA command)" },
	  .lmtp = true },
	{ "LMTP, one refused",
	  &two,
	  "> 220 a LMTP\n< LHLO us.test\n> 250-a\n> 250 PIPELINING\n" PIPED_TWO
	  "> 250 ok\n> 450 no\n> 250 ok\n> 354 go\n" TWO "> 250 two\n" QUIT,
	  "ready done",
	  { "*TEMP 4.0.0 " SAID "450 no", "OK 2.0.0 250 two" },
	  .lmtp = true },
	{ "LMTP closes in between",
	  &two,
	  "> 220 a LMTP\n< LHLO us.test\n> 250-a\n> 250 PIPELINING\n" PIPED_TWO
	  "> 250 ok\n> 250 ok\n> 250 ok\n> 354 go\n" TWO "> 250 one\nclose\n",
	  "ready lost(TEMP 4.4.2 ",
	  { "OK 2.0.0 250 one", "*TEMP 4.4.2 lost" },
	  .lmtp = true },
	{ "LMTP, 354 for nobody",
	  &two,
	  "> 220 a LMTP\n< LHLO us.test\n> 250-a\n> 250 PIPELINING\n" PIPED_TWO
	  "> 250 ok\n> 550 no\n> 550 no\n> 354 go\nnothing\n",
	  "ready done-closed",
	  { "PERM 5.0.0 ", "PERM 5.0.0 " },
	  .lmtp = true },
	{ "LHLO has no HELO", &one,
	  "> 220 a\n< LHLO us.test\n> 500 ?\n< QUIT\n",
	  "refused(PERM 5.0.0 host " WHO " refused to talk to me: 500 ?)",
	  .lmtp = true },

	/* BDAT (RFC 3030). */
	{ "one chunk",
	  &one,
	  CHUNKED
	  "< MAIL FROM:<s@b.test>\n< RCPT TO:<r@a.test>\n"
	  "< BDAT 24 LAST\noctets Subject: x\\r\\n\\r\\nhi\\r\\n.dot\\r\\n\n"
	  "> 250 ok\n> 250 ok\n> 250 2.0.0 queued\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 2.0.0 queued" } },
	{ "a chunk for nobody",
	  &one,
	  CHUNKED "<* MAIL\n<* RCPT\n< BDAT 24 LAST\n"
		  "octets Subject: x\\r\\n\\r\\nhi\\r\\n.dot\\r\\n\n"
		  "> 250 ok\n> 550 no\n> 503 none\n" QUIT,
	  "ready done",
	  { "PERM 5.0.0 " SAID "550 no" } },
	{ "a chunk for nobody is taken",
	  &one,
	  CHUNKED "<* MAIL\n<* RCPT\n< BDAT 24 LAST\n"
		  "octets Subject: x\\r\\n\\r\\nhi\\r\\n.dot\\r\\n\n"
		  "> 250 ok\n> 450 no\n> 250 hm\n",
	  "ready done-closed",
	  { "*TEMP 4.0.0 " SAID "450 no" } },
	{ "closed with a chunk under way", &one,
	  CHUNKED "<* MAIL\n<* RCPT\n< BDAT 24 LAST\n> 250 ok\nclose\n",
	  "ready lost(TEMP 4.4.2 lost connection with " WHO " while sending "
	  "end of data -- message may be sent more than once)" },

	/* What the message needs. */
	{ "8 bits",
	  &eight,
	  HELLO "< MAIL FROM:<s@b.test> SIZE=17 BODY=8BITMIME\n> 250 ok\n"
		"<* RCPT\n> 250 ok\n< DATA\n> 354 go\n"
		"body A: b\\r\\n\\r\\ngr\xc3\xbc\xc3\x9f"
		"e\\r\\n\n> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" } },
	{ "8 bits, 7 only",
	  &eight,
	  "> 220 a\n< EHLO us.test\n> 250 a\n"
	  "< MAIL FROM:<s@b.test>\n> 250 ok\n<* RCPT\n> 250 ok\n< DATA\n"
	  "> 354 go\n"
	  "body A: b\\r\\nMIME-Version: 1.0\\r\\nContent-Type: text/plain; "
	  "charset=unknown-8bit\\r\\nContent-Transfer-Encoding: "
	  "quoted-printable\\r\\n\\r\\ngr=C3=BC=C3=9Fe\\r\\n\n> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" } },
	{ "too big",
	  &one,
	  "> 220 a\n< EHLO us.test\n> 250-a\n> 250 SIZE 23\n" QUIT,
	  "ready done",
	  { "*PERM 5.3.4 message size 24 exceeds size limit 23 of "
	    "server " WHO } },
	{ "SIZE 0 is any size",
	  &one,
	  "> 220 a\n< EHLO us.test\n> 250-a\n> 250 SIZE 0\n" SENT
	  "> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" } },
	{ "SMTPUTF8",
	  &utf8,
	  "> 220 a\n< EHLO us.test\n> 250-a\n> 250-SMTPUTF8\n> 250 8BITMIME\n"
	  "< MAIL FROM:<s\xc3\xbc@b.test> BODY=8BITMIME SMTPUTF8\n> 250 ok\n"
	  "<* RCPT\n> 250 ok\n< DATA\n> 354 go\n"
	  "body A: \xc3\xbc\\r\\n\\r\\nhi\\r\\n\n> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" } },
	{ "no SMTPUTF8",
	  &utf8,
	  HELLO QUIT,
	  "ready done",
	  { "*PERM 5.6.7 SMTPUTF8 is required, but was not offered by "
	    "host " WHO } },
	{ "SMTPUTF8 for one recipient",
	  &utf8_rcpt,
	  HELLO "<* MAIL FROM:<s@b.test>\n> 250 ok\n< RCPT TO:<q@a.test>\n"
		"> 250 ok\n< DATA\n> 354 go\n" TWO "> 250 ok\n" QUIT,
	  "ready done",
	  { "*PERM 5.6.7 ", "OK 2.0.0 250 ok" } },
	{ "SMTPUTF8 declared, not needed",
	  &utf8_declared,
	  HELLO SENT "> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" } },
	{ "DSN (RFC 3461)",
	  &dsn,
	  HELLO
	  "< MAIL FROM:<> SIZE=12 RET=HDRS ENVID=a+2Bb+3D\n> 250 ok\n"
	  "< RCPT TO:<r@a.test> NOTIFY=SUCCESS,DELAY "
	  "ORCPT=rfc822;a+2Bb@c.test\n> 250 ok\n"
	  "< RCPT TO:<q@a.test> NOTIFY=NEVER "
	  "ORCPT=utf-8;\\x{FC}@c.test\n> 250 ok\n"
	  "< DATA\n> 354 go\nbody A: b\\r\\n\\r\\nhi\\r\\n\n> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" } },
	{ "an address that cannot be",
	  &bad,
	  HELLO "<* MAIL\n> 250 ok\n"
		"< RCPT TO:<\"a>b\"@a.test>\n> 250 ok\n< DATA\n> 354 go\n" TWO
		"> 250 ok\n" QUIT,
	  "ready done",
	  { "PERM 5.1.3 ", "OK 2.0.0 250 ok", "PERM 5.1.3 ", "PERM 5.1.3 " } },
	/* TLS: after STARTTLS nothing said before counts. */
	{ "STARTTLS",
	  &one,
	  OFFER "< STARTTLS\n> 220 go\n< EHLO us.test\n> 250-a\n> 250 "
		"STARTTLS\n" PLAIN_SENT "> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" },
	  .tlsd = BED_TLS_WORKS,
	  .tls_level = TLS_ENCRYPT },
	{ "a reply injected before TLS (CVE-2011-0411)", &one,
	  OFFER "< STARTTLS\nraw 220 go\\r\\n250-a\\r\\n250 AUTH PLAIN\\r\\n\n",
	  "lost(TEMP 4.7.0 host " WHO " sent data in plain text after "
	  "STARTTLS)",
	  .tlsd = BED_TLS_WORKS, .tls_level = TLS_MAY },
	{ "the same, without an end", &one,
	  OFFER "< STARTTLS\nraw 220 go\\r\\n2\n", "lost(TEMP 4.7.0 ",
	  .tlsd = BED_TLS_WORKS, .tls_level = TLS_ENCRYPT },
	{ "STARTTLS, then garbage", &one, OFFER "< STARTTLS\n> 220 go\n",
	  "no-tls(TEMP 4.7.5 Cannot start TLS: handshake failure)",
	  .tlsd = BED_TLS_FAILS, .tls_level = TLS_MAY },
	{ "not the certificate we ask for", &one,
	  OFFER "< STARTTLS\n> 220 go\n",
	  "no-tls(TEMP 4.7.5 Server certificate not trusted)",
	  .tlsd = BED_TLS_UNTRUSTED, .tls_level = TLS_SECURE },
	{ "tlsd dies", &one, OFFER "< STARTTLS\n> 220 go\n",
	  "local(TEMP 4.3.0 ", .tlsd = BED_TLSD_DIES, .tls_level = TLS_MAY },
	{ "no tlsd", &one, OFFER "< STARTTLS\n> 220 go\n", "local(TEMP 4.3.0 ",
	  .tls_level = TLS_MAY },
	{ "STARTTLS refused, may",
	  &one,
	  "> 220 a\n< EHLO us.test\n> 250-a\n> 250 STARTTLS\n< STARTTLS\n> 454 "
	  "4.7.0 later\n" PLAIN_SENT "> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" },
	  .tlsd = BED_TLS_WORKS,
	  .tls_level = TLS_MAY },
	{ "STARTTLS refused, must", &one,
	  OFFER "< STARTTLS\n> 554 5.7.0 no\n< QUIT\n",
	  "refused(PERM 5.7.0 TLS is required, but host " WHO " refused to "
	  "start TLS: 554 5.7.0 no)",
	  .tlsd = BED_TLS_WORKS, .tls_level = TLS_ENCRYPT },
	{ "STARTTLS 421", &one, OFFER "< STARTTLS\n> 421 bye\n",
	  "refused(TEMP 4.0.0 ", .tlsd = BED_TLS_WORKS, .tls_level = TLS_MAY },
	{ "STARTTLS not offered, must", &one, HELLO "< QUIT\n",
	  "refused(TEMP 4.7.4 TLS is required, but was not offered by host " WHO
	  ")",
	  .tlsd = BED_TLS_WORKS, .tls_level = TLS_ENCRYPT },
	{ "closed at STARTTLS", &one, OFFER "< STARTTLS\nclose\n",
	  "lost(TEMP 4.4.2 lost connection with " WHO " while receiving the "
	  "STARTTLS response)",
	  .tlsd = BED_TLS_WORKS, .tls_level = TLS_MAY },
	{ "TLS from the first octet",
	  &one,
	  "nothing\n> 220 a\n< EHLO us.test\n> 250-a\n> 250 "
	  "STARTTLS\n" PLAIN_SENT "> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" },
	  .tlsd = BED_TLS_WORKS,
	  .tls_level = TLS_ENCRYPT,
	  .wrapper = true },

	/* Logging in. */
	{ "AUTH PLAIN",
	  &one,
	  "> 220 a\n< EHLO us.test\n> 250-a\n> 250 AUTH PLAIN\n"
	  "< AUTH PLAIN AHUAcGVuY2ls\n> 235 2.7.0 welcome\n" PLAIN_SENT
	  "> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" },
	  .user = "u" },
	{ "AUTH LOGIN of the old draft",
	  &one,
	  "> 220 a\n< EHLO us.test\n> 250-a\n> 250 AUTH=LOGIN\n"
	  "< AUTH LOGIN\n> 334 VXNlcm5hbWU6\n< dQ==\n"
	  "> 334 UGFzc3dvcmQ6\n< cGVuY2ls\n> 235 ok\n" PLAIN_SENT
	  "> 250 ok\n" QUIT,
	  "ready done",
	  { "OK 2.0.0 250 ok" },
	  .user = "u" },
	{ "wrong password", &one,
	  "> 220 a\n< EHLO us.test\n> 250-a\n> 250 AUTH PLAIN\n"
	  "<* AUTH\n> 535 5.7.8 wrong\n< QUIT\n",
	  "no-login(TEMP 4.7.8 SASL authentication failed; server " WHO
	  " said: 535 5.7.8 wrong)",
	  .user = "u" },
	{ "AUTH not offered", &one, HELLO "< QUIT\n",
	  "no-login(TEMP 4.7.0 SASL authentication failed; cannot authenticate "
	  "to server " WHO ": ",
	  .user = "u" },
	{ "a challenge that is no base64", &one,
	  "> 220 a\n< EHLO us.test\n> 250-a\n> 250 AUTH LOGIN\n"
	  "<* AUTH\n> 334 ???\n",
	  "no-login(TEMP 4.7.0 SASL authentication failed; cannot "
	  "authenticate",
	  .user = "u" },
	{ "challenges without end", &one,
	  "> 220 a\n< EHLO us.test\n> 250-a\n> 250 AUTH PLAIN\n"
	  "<* AUTH\n> 334 \n",
	  "no-login(TEMP 4.7.0 SASL authentication failed; cannot "
	  "authenticate",
	  .user = "u" },
	{ "closed at AUTH", &one,
	  "> 220 a\n< EHLO us.test\n> 250-a\n> 250 AUTH PLAIN\n<* "
	  "AUTH\nclose\n",
	  "lost(TEMP 4.4.2 lost connection with " WHO " while performing SASL "
	  "authentication)",
	  .user = "u" },

	{ "QUIT is answered late",
	  &one,
	  HELLO SENT "> 250 ok\n" QUIT "> 221 bye\n> 250 hm\n",
	  "ready done",
	  { "OK 2.0.0 250 ok" },
	  .wait_quit = true },
	{ "QUIT is not answered",
	  &one,
	  HELLO SENT "> 250 ok\n" QUIT "nothing\n",
	  "ready done",
	  { "OK 2.0.0 250 ok" },
	  .wait_quit = true },
};

static void
test_rows(void **state)
{
	bool ok = true;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ok &= check(&rows[i]);
	assert_true(ok);
}

int
main(void)
{
	struct err err;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	if (sasl_preload(&err) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
