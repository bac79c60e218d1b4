/* SPDX-License-Identifier: ISC */
/* Sessions that are long: many transactions, recipients, large texts; and
 * their dialogue. */
#include <sys/mman.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "session_bed.h"

#define WHO "mx.a.test[192.0.2.1]"
#define PLAIN "> 220 a\n< EHLO us.test\n> 250 a\n"
#define ENVELOPE                                 \
	"<* MAIL\n> 250 ok\n<* RCPT\n> 250 ok\n" \
	"< DATA\n> 354 go\n"
#define QUIT "< QUIT\n"
#define CHUNK "<* BDAT\noctets Subject: x\\r\\n\\r\\nhi\\r\\n\n"

static const struct bed_letter one = {
	.sender = "s@b.test",
	.header = "Subject: x\n",
	.body = "\nhi\n",
	.rcpts = { { "r@a.test" } },
};

/* What a transaction may have left at the server is not there for the next one,
 * which would get a 503 for it. */
static void
test_rset(void **state)
{
	static const struct bed_letter nobody = {
		.sender = "s@b.test",
		.header = "Subject: x\n",
		.body = "\nhi\n",
		.rcpts = { { "\xc3\xbc@a.test" }, { "q@a.test" } },
	};
	static const struct {
		const char *script;
		const struct bed_letter *first;
		unsigned sends;
	} rows[] = {
		/* RFC 3030 2: a chunk that was refused leaves who knows what.
		 */
		{ "> 220 a\n< EHLO us.test\n> 250-a\n> 250-PIPELINING\n"
		  "> 250 CHUNKING\n<* MAIL\n<* RCPT\n" CHUNK
		  "> 250 ok\n> 550 no\n> 503 none\n"
		  "< RSET\n<* MAIL\n<* RCPT\n" CHUNK
		  "> 250 ok\n> 250 ok\n> 250 ok\n> 250 ok\n" QUIT,
		  &one, 2 },
		/* One between them that has nothing to say to this server. */
		{ PLAIN "<* MAIL\n> 250 ok\n<* RCPT TO:<q\n> 550 no\n"
			"< RSET\n> 250 ok\n" ENVELOPE
			"swallow\n> 250 ok\n" QUIT,
		  &nobody, 3 },
	};
	char text[1024];
	struct bed b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bed_init(&b);
		b.sends = rows[i].sends;
		b.last = &one;
		if (!bed_run(&b, rows[i].first, rows[i].script))
			fail_msg("%zu: %s", i, b.why);
		assert_string_equal(bed_result(&b, 0, text), "OK 2.0.0 250 ok");
		bed_fini(&b);
	}
}

/* What `queue show` prints of the last attempt. */
static void
test_dialog(void **state)
{
	struct bed b;

	(void)state;
	bed_init(&b);
	b.plan.has_auth = true;
	memcpy(b.plan.user, "u", 2);
	memcpy(b.plan.password, "pencil", 7);
	if (!bed_run(&b, &one,
		     "> 220 a\n< EHLO us.test\n> 250-a\n> 250 AUTH PLAIN\n"
		     "<* AUTH\n> 235 ok\n" ENVELOPE "swallow\n"
		     "raw 554 5.7.1 \\\\no\x1b[2J\\r\\n\n" QUIT))
		fail_msg("%s", b.why);
	assert_string_equal(b.dialog, "< 220 a\n> EHLO us.test\n< 250-a\n"
				      "< 250 AUTH PLAIN\n"
				      "> AUTH PLAIN [12 octets]\n< 235 ok\n"
				      "> MAIL FROM:<s@b.test>\n< 250 ok\n"
				      "> RCPT TO:<r@a.test>\n< 250 ok\n"
				      "> DATA\n< 354 go\n> .\n"
				      "< 554 5.7.1 \\x5Cno?[2J\n");
	bed_fini(&b);
}

/* A server that answers each recipient only when it has read it, and is slow
 * to read: neither side waits for the other for ever. */
static void
test_many_recipients(void **state)
{
	enum { N = 1000 };
	static const struct bed_letter many = {
		.sender = "s@b.test",
		.header = "A: b\n",
		.body = "\nhi\n",
		.many = N,
	};
	struct buf script;
	char text[1024];
	struct bed b;
	unsigned i;

	(void)state;
	bed_init(&b);
	buf_init(&script, 1u << 20);
	(void)!buf_add_c(&script, "> 220 a\n< EHLO us.test\n> 250-a\n> 250 "
				  "PIPELINING\n<* MAIL\n> 250 ok\n");
	for (i = 0; i < N; i++)
		(void)!buf_addf(&script, "<* RCPT TO:<r%0200u@a.test>\n> %s\n",
				i, i % 3 ? "250 ok" : "550 5.1.1 no");
	(void)!buf_add_c(&script, "< DATA\n> 354 go\nbody A: "
				  "b\\r\\n\\r\\nhi\\r\\n\n> 250 fine\n" QUIT);
	if (!bed_run(&b, &many, buf_cstr(&script)))
		fail_msg("%s", b.why);
	assert_string_equal(b.events, "ready done");
	for (i = 0; i < N; i++)
		assert_true(str_starts(
			str_of(bed_result(&b, i, text)),
			str_of(i % 3 ? "OK 2.0.0 250 fine" : "PERM 5.1.1 ")));
	/* The words that many share are there once. */
	assert_true(b.letter->rcpts[1].result.text.p ==
		    b.letter->rcpts[998].result.text.p);
	buf_fini(&script);
	bed_fini(&b);
}

enum { BIG = 4 * 1024 * 1024 };

static int
big_file(void)
{
	static char line[1024];
	int fd = memfd_create("text", MFD_CLOEXEC);
	size_t i;

	assert_true(fd >= 0);
	memset(line, '.', sizeof(line));
	line[0] = line[900] = '\n';
	for (i = 0; i < BIG; i += sizeof(line))
		assert_int_equal(write(fd, line, sizeof(line)), sizeof(line));
	return fd;
}

static struct bed_letter
big_letter(void)
{
	return (struct bed_letter){
		.sender = "s@b.test",
		.header = "A: b\n",
		.rcpts = { { "r@a.test" } },
		.body_fd = big_file(),
		.body_len = BIG,
	};
}

/* The server reads nothing: a bounded piece of the text is in memory, and the
 * time is up in the end. */
static void
test_server_does_not_read(void **state)
{
	struct bed_letter l = big_letter();
	struct bed b;

	(void)state;
	bed_init(&b);
	b.set.data_xfer_ms = 500;
	if (!bed_run(&b, &l, PLAIN ENVELOPE "deaf\n"))
		fail_msg("%s", b.why);
	assert_string_equal(b.events,
			    "ready lost(TEMP 4.4.2 conversation with " WHO
			    " timed out while sending message body)");
	bed_fini(&b);
}

/* Refused in the middle, and closed: the words count, not the lost line. */
static void
test_refused_early(void **state)
{
	struct bed_letter l = big_letter();
	char text[1024];
	struct bed b;

	(void)state;
	bed_init(&b);
	if (!bed_run(&b, &l,
		     PLAIN ENVELOPE "<* A\n"
				    "> 552 5.3.4 too big\n"))
		fail_msg("%s", b.why);
	assert_string_equal(b.events, "ready done-closed");
	assert_string_equal(bed_result(&b, 0, text),
			    "PERM 5.3.4 "
			    "host " WHO " said: "
			    "552 5.3.4 too big (in reply "
			    "to message body)");
	/* No end of data, and no QUIT in the text. */
	assert_true(str_search(buf_str(&b.in), STR("\r\n.\r\n")) < 0);
	assert_true(str_search(buf_str(&b.in), STR("QUIT")) < 0);
	bed_fini(&b);
}

/* All of a large text, by DATA and in chunks. */
static void
test_large(void **state)
{
	static const char *const hello[] = {
		PLAIN ENVELOPE "swallow\n> 250 ok\n" QUIT,
		"> 220 a\n< EHLO us.test\n> 250-a\n> 250-PIPELINING\n"
		"> 250 CHUNKING\n<* MAIL\n<* RCPT\nnothing\n> 250 ok\n"
		"> 250 ok\nswallow\n" QUIT,
	};
	static const size_t octets[] = {
		6 + BIG + BIG / 512 + BIG / 512 + 2 + 3, /* CR, dots, end */
		6 + BIG + BIG / 512 + 2,
	};
	struct bed_letter l;
	struct bed b;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		bed_init(&b);
		l = big_letter();
		if (!bed_run(&b, &l, hello[i]))
			fail_msg("%zu: %s", i, b.why);
		assert_string_equal(b.events, "ready done");
		assert_int_equal(b.swallowed, octets[i]);
		bed_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rset),
		cmocka_unit_test(test_dialog),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_server_does_not_read),
		cmocka_unit_test(test_refused_early),
		cmocka_unit_test(test_large),
	};
	struct err err;

	if (sasl_preload(&err) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
