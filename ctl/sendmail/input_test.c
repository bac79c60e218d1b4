/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "sendmail.h"

/* In pieces of every size, the text is the same. */
static void
test_text(void **state)
{
	static const struct {
		const char *in;
		size_t n; /* 0: a string */
		const char *want;
		bool dots;
		size_t line_max;
	} rows[] = {
		{ "", 0, "", false, 0 },
		{ "a\nb\n", 0, "a\nb\n", false, 0 },
		{ "a", 0, "a\n", false, 0 },
		{ "a\r\nb\r\n", 0, "a\nb\n", false, 0 },
		{ "\n10%\r20%\r\r\nend", 0, "\n10%\n20%\nend\n", false, 0 },
		/* no header field behind a CR */
		{ "S: a\rBcc: b\r\r\n\rT: c\r\n\r\nd\re", 0,
		  "S: a Bcc: b\n T: c\n\nd\ne\n", false, 0 },
		{ "\rBcc: b\n.\rc\n.\r\nd", 0, " Bcc: b\n. c\n", false, 0 },
		{ "a\r", 0, "a\n", false, 0 },
		{ "\r\n\r\n", 0, "\n\n", false, 0 },
		{ "a\0b\n\0\0", 6, "ab\n", false, 0 },
		/* a dot alone */
		{ "a\n.\nb\n", 0, "a\n", false, 0 },
		{ "a\n.\r\nb\n", 0, "a\n", false, 0 },
		{ "a\n.", 0, "a\n", false, 0 },
		{ ".\nb\n", 0, "", false, 0 },
		{ "a\n.\nb\n", 0, "a\n.\nb\n", true, 0 },
		{ "a\n.", 0, "a\n.\n", true, 0 },
		{ "a\n..\n.b\n. \n", 0, "a\n..\n.b\n. \n", false, 0 },
		/* a mailbox's line */
		{ "From a Mon\nb\n", 0, "b\n", false, 0 },
		{ "From a", 0, "", false, 0 },
		{ "From: a\nFrom b\n", 0, "From: a\nFrom b\n", false, 0 },
		{ "From\nb\n", 0, "From\nb\n", false, 0 },
		{ "Fro", 0, "Fro\n", false, 0 },
		{ "\nFrom a\n", 0, "\nFrom a\n", false, 0 },
		{ "From a\n.\nb\n", 0, "", false, 0 },
		/* long lines */
		{ "abcdefgh\nab\nabc\nabcd\n", 0,
		  "abc\ndef\ngh\nab\nabc\nabc\nd\n", false, 3 },
	};
	struct text_in t;
	struct buf out;
	struct str in;
	size_t i, step;

	(void)state;
	buf_init(&out, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (step = 1; step < 8; step++) {
			in = rows[i].n ? str_mem(rows[i].in, rows[i].n)
				       : str_of(rows[i].in);
			t = (struct text_in){ .dots = rows[i].dots,
					      .line_max = rows[i].line_max };
			buf_reset(&out);
			while (in.n &&
			       text_in_feed(&t, str_head(in, step), &out))
				in = str_from(in, step);
			text_in_end(&t, &out);
			if (!str_eq(buf_str(&out), str_of(rows[i].want)))
				fail_msg("%s by %zu: %s", rows[i].in, step,
					 buf_cstr(&out));
		}
	buf_fini(&out);
}

static void
read_text(struct message *m, const char *text, uint64_t max, int want)
{
	struct text_in t = { .dots = false };
	char name[] = "/tmp/input_test.XXXXXX";
	int fd = mkstemp(name);
	struct err err;

	assert_true(fd >= 0);
	(void)unlink(name);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(message_read(m, fd, &t, max, &err), want);
	if (want < 0)
		assert_int_equal(err.class, ERR_PERM);
	close(fd);
}

static void
test_message(void **state)
{
	static const struct {
		const char *in, *header, *body;
	} rows[] = {
		{ "To: a\nX: y\n z\n\nhello\n", "To: a\nX: y\n z\n",
		  "\nhello\n" },
		{ "hello\n", "", "\nhello\n" },
		{ "\nhello\n", "", "\nhello\n" },
		{ "To: a\nhello\n", "To: a\n", "\nhello\n" },
		{ "To: a", "To: a\n", "" },
		{ "", "", "" },
		{ "From x\nTo: a\n\n.\nrest\n", "To: a\n", "\n" },
	};
	struct message m;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		read_text(&m, rows[i].in, 0, 0);
		if (!str_eq(buf_str(&m.header), str_of(rows[i].header)) ||
		    !str_eq(buf_str(&m.body), str_of(rows[i].body)))
			fail_msg("%s: [%s] [%s]", rows[i].in,
				 buf_cstr(&m.header), buf_cstr(&m.body));
		assert_int_equal(m.size, m.body.n);
		message_fini(&m);
	}
	read_text(&m, "To: a\n\n0123456789\n", 10, -1);
	message_fini(&m);
}

/* What does not stay in memory comes back the same. */
static void
test_large(void **state)
{
	enum { LINES = 100000 };
	char *text = malloc(LINES * 8 + 8), *back = malloc(LINES * 8),
	     chunk[999];
	struct message m;
	struct err err;
	size_t n = 0, at = 0;
	ssize_t got;
	int i;

	(void)state;
	n += (size_t)sprintf(text, "T: a\n\n");
	for (i = 0; i < LINES; i++)
		n += (size_t)sprintf(text + n, "%06d\n", i);
	read_text(&m, text, 0, 0);
	assert_true(m.file >= 0);
	assert_true(m.body.n <= BODY_MEMORY);
	assert_int_equal(m.size, n - 5);
	while ((got = message_body(&m, at, chunk, sizeof(chunk), &err)) > 0) {
		memcpy(back + at, chunk, (size_t)got);
		at += (size_t)got;
	}
	assert_int_equal(got, 0);
	assert_int_equal(at, n - 5);
	assert_memory_equal(back, text + 5, at);
	message_fini(&m);
	free(text);
	free(back);
}

static void
test_from(void **state)
{
	struct message m;

	(void)state;
	read_text(&m, "To: a\n\nx\n", 0, 0);
	message_add_from(&m, STR("Cron, D."), STR("root"));
	assert_true(str_eq(buf_str(&m.header),
			   STR("To: a\nFrom: \"Cron, D.\" <root>\n")));
	message_add_from(&m, STR(""), STR("other"));
	assert_int_equal(m.header.n, 30);
	message_fini(&m);
	read_text(&m, "x\n", 0, 0);
	message_add_from(&m, STR(""), STR(""));
	assert_int_equal(m.header.n, 0);
	message_add_from(&m, STR(""), STR("a@b"));
	assert_true(str_eq(buf_str(&m.header), STR("From: a@b\n")));
	message_fini(&m);
}

static void
test_wire(void **state)
{
	bool bol = true;
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	wire_add(&b, STR(".a\nb"), &bol);
	assert_false(bol);
	wire_add(&b, STR(".c\n"), &bol);
	assert_true(bol);
	wire_add(&b, STR("..\n\n"), &bol);
	assert_true(str_eq(buf_str(&b), STR("..a\r\nb.c\r\n...\r\n\r\n")));
	buf_fini(&b);
}

static void
test_envelope(void **state)
{
	struct envelope e = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(envelope_sender(&e, "", &err), 0);
	assert_string_equal(e.sender.text, "");
	assert_int_equal(envelope_sender(&e, "<>", &err), 0);
	assert_string_equal(e.sender.text, "");
	assert_int_equal(envelope_sender(&e, "A B <a@b.test>", &err), 0);
	assert_string_equal(e.sender.text, "a@b.test");
	assert_int_equal(envelope_sender(&e, "a, b", &err), -1);
	assert_int_equal(envelope_sender(&e, "a b", &err), -1);
	assert_int_equal(envelope_add(&e, "a, \"x y\"@b.test", &err), 0);
	assert_int_equal(envelope_add(&e, "<c>", &err), 0);
	assert_int_equal(e.n, 3);
	assert_string_equal(e.rcpts[1].text, "\"x y\"@b.test");
	assert_int_equal(envelope_add(&e, "", &err), -1);
	assert_int_equal(envelope_add(&e, "a>\nRCPT TO:<b", &err), -1);
	assert_string_equal(err.text, "bad address: a>\nRCPT TO:<b");
	assert_false(e.utf8);
	assert_int_equal(envelope_add(&e, "\xc3\xa9@b.test", &err), 0);
	assert_true(e.utf8);
	assert_int_equal(envelope_from_header(&e, STR("To: z\n"), &err), 0);
	assert_string_equal(e.rcpts[e.n - 1].text, "z");
	envelope_fini(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),  cmocka_unit_test(test_message),
		cmocka_unit_test(test_large), cmocka_unit_test(test_from),
		cmocka_unit_test(test_wire),  cmocka_unit_test(test_envelope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
