/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mail/downgrade.h"

static ssize_t
read_text(void *arg, uint64_t at, char *to, size_t n)
{
	const struct str *text = arg;
	struct str part = str_head(str_from(*text, (size_t)at), n);

	if (part.n)
		memcpy(to, part.p, part.n);
	return (ssize_t)part.n;
}

/* Into out, in steps of max; 1: it needed nothing; -1: refused. */
static int
convert(struct str text, size_t max, struct buf *out)
{
	struct downgrade *d;
	struct buf piece;
	struct err err;
	int rc = downgrade_new(&d, read_text, &text, &err);

	if (rc < 0 || !d)
		return rc < 0 ? -1 : 1;
	do {
		buf_init(&piece, max + DOWNGRADE_SLACK);
		rc = downgrade_next(d, &piece, max, &err);
		assert_true(rc >= 0);
		assert_int_equal(buf_add_str(out, buf_str(&piece)), 0);
		buf_fini(&piece);
	} while (rc > 0);
	downgrade_free(d);
	return 0;
}

struct row {
	const char *name, *in, *want; /* want NULL: refused; "": as it is */
};

#define QP "Content-Transfer-Encoding: quoted-printable\n"
#define SEVEN "Content-Transfer-Encoding: 7bit\n"

static const struct row rows[] = {
	{ "seven bits", "A: b\n\nbody\n", "" },
	{ "in the header alone", "A: \xc3\xa4\n\nbody\n", "" },
	{ "no MIME header", "A: b\n\n\xe4=\n",
	  "A: b\nMIME-Version: 1.0\nContent-Type: text/plain; "
	  "charset=unknown-8bit\n" QP "\n=E4=3D\n" },
	{ "declared",
	  "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
	  "Content-Transfer-Encoding:\n 8bit\nA: b\n\n\xc3\xa4 \n\t\nx",
	  "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nA: "
	  "b\n" QP "\n=C3=A4=20\n=09\nx" },
	{ "multipart",
	  "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n"
	  "Content-Transfer-Encoding: 8bit\n\npre\xe4\n--b\n\nseven\n--b\n"
	  "Content-Transfer-Encoding: 8bit\n\n\xe4\n--b--\nepi\xe4\n",
	  "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n" SEVEN
	  "\npre?\n--b\n\nseven\n--b\n" QP "\n=E4\n--b--\nepi?\n" },
	{ "a message inside",
	  "MIME-Version: 1.0\nContent-Type: message/rfc822\n"
	  "Content-Transfer-Encoding: 8bit\n\nSubject: x\nContent-Type: "
	  "text/plain\n\n\xe4\n",
	  "MIME-Version: 1.0\nContent-Type: message/rfc822\n" SEVEN
	  "\nSubject: x\nContent-Type: text/plain\n" QP "\n=E4\n" },
	{ "an internationalized one", /* RFC 6532 3.7 */
	  "MIME-Version: 1.0\nContent-Type: message/global\n"
	  "Content-Transfer-Encoding: 8bit\n\nSubject: \xc3\xa4\n\nx\n",
	  "MIME-Version: 1.0\nContent-Type: message/global\n" QP
	  "\nSubject: =C3=A4\n\nx\n" },
	{ "base64 with rubbish",
	  "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nQU\xe4JD\n",
	  "MIME-Version: 1.0\nContent-Transfer-Encoding: base64\n\nQU?JD\n" },
	{ "a piece of a message",
	  "MIME-Version: 1.0\nContent-Type: message/partial\n\n\xe4\n", NULL },
};

static void
test_rows(void **state)
{
	static const size_t steps[] = { 512, 4096, 100000 };
	const struct row *r;
	struct buf out;
	size_t i;
	int rc;

	(void)state;
	for (r = rows; r < rows + sizeof(rows) / sizeof(rows[0]); r++) {
		for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			print_message("%s, %zu\n", r->name, steps[i]);
			buf_init(&out, 1 << 20);
			rc = convert(str_of(r->in), steps[i], &out);
			assert_int_equal(rc, !r->want ? -1 : !*r->want);
			if (rc == 0)
				assert_string_equal(buf_cstr(&out), r->want);
			buf_fini(&out);
		}
	}
}

static struct str
body_of(struct str text)
{
	return str_from(text, (size_t)str_search(text, STR("\n\n")) + 2);
}

static void
unquote(struct str s, struct buf *out)
{
	char hex[3] = "";
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] != '=') {
			assert_int_equal(buf_add_byte(out, s.p[i]), 0);
			continue;
		}
		if (s.p[i + 1] == '\n') {
			i++;
			continue;
		}
		memcpy(hex, s.p + i + 1, 2);
		assert_int_equal(
			buf_add_byte(out, (char)strtoul(hex, NULL, 16)), 0);
		i += 2;
	}
}

/* Lines of every length, with blanks and what looks like a delimiter at every
 * place: no line grows beyond 76, none begins with the delimiter, and what was
 * there comes back. */
static void
test_lines(void **state)
{
	struct buf in, out, back;
	struct str rest, line;
	size_t n, i;

	(void)state;
	buf_init(&in, 1 << 20);
	buf_init(&out, 1 << 20);
	buf_init(&back, 1 << 20);
	assert_int_equal(buf_add_c(&in, "A: b\n\n\xe4\n"), 0);
	for (n = 0; n < 160; n++) {
		for (i = 0; i < n; i++)
			(void)buf_add_byte(&in, i % 3 ? 'x' : (char)0xe4);
		(void)buf_add_c(&in, n % 2 ? " --b\n" : "--b \t\n");
	}
	assert_int_equal(convert(buf_str(&in), 700, &out), 0);
	rest = body_of(buf_str(&out));
	unquote(rest, &back);
	assert_true(str_eq(buf_str(&back), body_of(buf_str(&in))));
	while (str_cut(&rest, '\n', &line)) {
		assert_true(line.n <= 76);
		if (str_starts(line, STR("--")))
			assert_true(str_eq(line, STR("--b =09")) ||
				    str_eq(line, STR("--b=20=09")));
		assert_false(str_ends(line, STR(" ")) ||
			     str_ends(line, STR("\t")));
	}
	buf_fini(&in);
	buf_fini(&out);
	buf_fini(&back);
}

static ssize_t
fail_to_read(void *arg, uint64_t at, char *to, size_t n)
{
	unsigned *left = arg;

	(void)at;
	if ((*left)-- == 0)
		return -1;
	memset(to, 0xe4, n);
	return (ssize_t)n;
}

static void
test_unreadable(void **state)
{
	struct downgrade *d;
	unsigned left = 3;
	struct err err;

	(void)state;
	assert_int_equal(downgrade_new(&d, fail_to_read, &left, &err), -1);
	assert_int_equal(err.class, ERR_TEMP);
	assert_null(d);
}

/* It is refused before anything is sent, not each time when half is sent. */
static void
test_large_header(void **state)
{
	struct downgrade *d;
	struct str text;
	struct err err;
	struct buf b;
	unsigned i;

	(void)state;
	buf_init(&b, 1u << 20);
	for (i = 0; i < 5000; i++)
		(void)!buf_addf(&b, "X-%05u: %050u\n", i, i);
	(void)!buf_add_c(&b, "\n\xe4\n");
	text = buf_str(&b);
	assert_int_equal(downgrade_new(&d, read_text, &text, &err), -1);
	assert_int_equal(err.class, ERR_PERM);
	assert_null(d);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_large_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
