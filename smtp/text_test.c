/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "mail/smtpdata.h"
#include "text.h"

static struct letter
letter_of(struct str header, struct str body, int fd)
{
	return (struct letter){
		.header = header,
		.body = fd < 0 ? body : STR_NULL,
		.body_len = body.n,
		.body_fd = fd,
	};
}

/* As it is sent, with the end of data. */
static void
send_data(const struct letter *l, unsigned max_line, struct buf *out)
{
	const struct text_form form = { .eight_bit = true,
					.max_line = max_line };
	struct text t;
	struct err err;

	buf_reset(out);
	assert_int_equal(text_open(&t, l, &form, &err), 0);
	while (!text_at_end(&t))
		assert_int_equal(text_fill(&t, out, &err), 0);
	assert_int_equal(buf_add_c(out, ".\r\n"), 0);
}

/*
 * No server, however it reads lines, sees an end of data before the true one,
 * or a command: every CR is followed by LF, every LF follows a CR, there is no
 * NUL, and "." stands alone on the last line only.
 */
static bool
is_safe(struct str s)
{
	ptrdiff_t end = str_search(s, STR("\r\n.\r\n"));
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\0')
			return false;
		if (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n'))
			return false;
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			return false;
	}
	if (str_starts(s, STR(".\r\n")))
		return s.n == 3;
	return end >= 0 && (size_t)end + 5 == s.n;
}

/* What a strict server takes from it, with LF. */
static void
receive(struct str s, struct buf *out)
{
	struct smtpdata d;
	size_t n = 0, used;

	buf_reset(out);
	smtpdata_init(&d, 0);
	used = smtpdata_scan(&d, s, buf_reserve(out, s.n), &n);
	out->n = n;
	assert_int_equal(used, s.n);
	assert_true(d.done);
	assert_int_equal(d.faults, 0);
}

/* What should arrive: controls are blanks, the last line ends. */
static void
expected(struct str in, struct buf *out)
{
	size_t i;

	buf_reset(out);
	for (i = 0; i < in.n; i++)
		(void)!buf_add_byte(out, in.p[i] == '\r' || in.p[i] == '\0'
						 ? ' '
						 : in.p[i]);
	if (out->n && out->p[out->n - 1] != '\n')
		(void)!buf_add_byte(out, '\n');
}

struct bufs {
	struct buf wire, got, want;
};

static void
bufs_init(struct bufs *b)
{
	buf_init(&b->wire, 1u << 20);
	buf_init(&b->got, 1u << 20);
	buf_init(&b->want, 1u << 20);
}

static void
bufs_fini(struct bufs *b)
{
	buf_fini(&b->wire);
	buf_fini(&b->got);
	buf_fini(&b->want);
}

static void
check(struct bufs *b, struct str whole, size_t header, int fd)
{
	struct letter l =
		letter_of(str_head(whole, header), str_from(whole, header), fd);

	send_data(&l, 0, &b->wire);
	assert_true(is_safe(buf_str(&b->wire)));
	receive(buf_str(&b->wire), &b->got);
	expected(whole, &b->want);
	assert_true(str_eq(buf_str(&b->got), buf_str(&b->want)));
}

/* Every text of up to six of the octets that matter. */
static void
test_all_short_texts(void **state)
{
	static const char octets[] = { '\n', '.', '\r', '\0', 'a' };
	enum { N = sizeof(octets), LEN = 6 };
	size_t len, i, k, count = 1;
	char text[LEN];
	struct bufs b;

	(void)state;
	bufs_init(&b);
	for (len = 0; len <= LEN; len++, count *= N) {
		for (i = 0; i < count; i++) {
			size_t v = i;

			for (k = 0; k < len; k++, v /= N)
				text[k] = octets[v % N];
			check(&b, str_mem(text, len), i % (len + 1), -1);
		}
	}
	bufs_fini(&b);
}

static int
file_of(struct str s)
{
	int fd = memfd_create("text", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, s.p, s.n), s.n);
	return fd;
}

/* What has ended DATA somewhere, at every position around the end of a piece
 * that is read at once. */
static void
test_every_position(void **state)
{
	static const char *const ends[] = {
		"\n.\n",     "\r\n.\r\n", "\n.\r\n",   "\r.\r",
		"\r\n.\r",   "\r.\r\n",	  "\n.\r",     "\r\n.\n",
		"\r\r\n.\n", "\n..\n",	  "\n.\r\r\n", "\r\n\r\n.\r\n\r\n",
	};
	static const struct str tail = STR("MAIL FROM:<a@b>\nRCPT TO:<c@d>\n");
	char *text = malloc(TEXT_READ + 64);
	size_t i, at, n;
	struct bufs b;
	int fd;

	(void)state;
	assert_non_null(text);
	bufs_init(&b);
	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		n = strlen(ends[i]);
		for (at = TEXT_READ - 20; at < TEXT_READ + 2; at++) {
			memset(text, 'x', TEXT_READ + 64);
			memcpy(text + at, ends[i], n);
			memcpy(text + at + n, tail.p, tail.n);
			check(&b, str_mem(text, at + n + tail.n), at % 7, -1);
			if (at % 4)
				continue;
			fd = file_of(str_mem(text + 3, at + n + tail.n - 3));
			check(&b, str_mem(text, at + n + tail.n), 3, fd);
			close(fd);
		}
	}
	bufs_fini(&b);
	free(text);
}

static const struct fold_row {
	const char *name, *in;
	unsigned limit;
	const char *want;
} folds[] = {
	{ "fits", "0123456789abcdef\n", 16, "0123456789abcdef\r\n" },
	{ "folded", "0123456789abcdefg\n", 16, "0123456789abcdef\r\n g\r\n" },
	{ "folded twice", "0123456789abcdefghijklmnopqrstuvw\n", 16,
	  "0123456789abcdef\r\n ghijklmnopqrstu\r\n vw\r\n" },
	{ "a dot is not counted", ".123456789abcdef\n", 16,
	  "..123456789abcdef\r\n" },
	{ "a dot after the fold stays", "0123456789abcdef.\n", 16,
	  "0123456789abcdef\r\n .\r\n" },
	{ "before a character", "0123456789abcde\xc3\xbc.\n", 16,
	  "0123456789abcde\r\n \xc3\xbc.\r\n" },
	{ "a character fits", "0123456789abcd\xc3\xbcx\n", 16,
	  "0123456789abcd\xc3\xbc\r\n x\r\n" },
	{ "no limit", "0123456789abcdefgh\n", 0, "0123456789abcdefgh\r\n" },
	{ "too small a limit", "0123456789abcdefg\n", 1,
	  "0123456789abcdef\r\n g\r\n" },
	{ "without LF", "0123456789abcdefg", 16, "0123456789abcdef\r\n g\r\n" },
};

static void
test_fold(void **state)
{
	struct letter l;
	size_t i, cut;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (i = 0; i < sizeof(folds) / sizeof(*folds); i++) {
		struct str in = str_of(folds[i].in);

		for (cut = 0; cut < in.n; cut++) {
			l = letter_of(str_head(in, cut), str_from(in, cut), -1);
			send_data(&l, folds[i].limit, &b);
			b.n -= 3;
			if (!str_eq(buf_str(&b), str_of(folds[i].want)))
				fail_msg("%s, cut at %zu: %.*s", folds[i].name,
					 cut, STR_FMT(buf_str(&b)));
		}
	}
	buf_fini(&b);
}

static void
test_bdat_has_no_dots(void **state)
{
	const struct text_form form = { .bdat = true, .eight_bit = true };
	struct letter l = letter_of(STR("A: b\n"), STR("\n.\n..x\n"), -1);
	struct text t;
	struct err err;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(text_open(&t, &l, &form, &err), 0);
	while (!text_at_end(&t))
		assert_int_equal(text_fill(&t, &b, &err), 0);
	assert_true(str_eq(buf_str(&b), STR("A: b\r\n\r\n.\r\n..x\r\n")));
	buf_fini(&b);
}

static void
test_bits(void **state)
{
	const struct text_form seven = { .eight_bit = false };
	struct letter l = letter_of(STR("A: b\n"), STR("\nplain\n"), -1);
	struct text t;
	struct err err;
	int fd;

	(void)state;
	assert_int_equal(text_bits(&l, false), TEXT_7BIT);
	assert_int_equal(text_size(&l), 15);
	assert_int_equal(text_open(&t, &l, &seven, &err), 0);
	text_close(&t);
	l = letter_of(STR("A: b\n"), STR("\n12345678\xc3\xbc\n"), -1);
	assert_int_equal(text_bits(&l, false), TEXT_8BIT);
	assert_false(text_header_is_8bit(&l));
	l = letter_of(STR("Content-Type: message/partial\n"),
		      STR("\n\xc3\xbc\n"), -1);
	assert_int_equal(text_open(&t, &l, &seven, &err), -1);
	assert_int_equal(err.class, ERR_PERM);
	text_close(&t);
	l = letter_of(STR("A: \xfc\n"), STR("\nx\n"), -1);
	assert_true(text_header_is_8bit(&l));
	fd = file_of(STR("\n12345678\xc3\xbc\n"));
	l = letter_of(STR("A: b\n"), STR("\n12345678\xc3\xbc\n"), fd);
	assert_int_equal(text_bits(&l, false), TEXT_UNKNOWN);
	assert_int_equal(text_bits(&l, true), TEXT_8BIT);
	assert_false(text_header_is_8bit(&l));
	close(fd);
}

/* A header too big for the queue file stands in front of the body. */
static void
check_header_in_file(size_t pad, const char *header, const char *body,
		     bool is_8bit)
{
	struct letter l;
	struct buf b;
	int fd;

	buf_init(&b, (size_t)2 * TEXT_READ);
	buf_add_c(&b, "A: ");
	while (b.n < pad)
		buf_add_c(&b, "b");
	buf_addf(&b, "\n%s\n%s", header, body);
	fd = file_of(buf_str(&b));
	l = letter_of(STR(""), buf_str(&b), fd);
	assert_int_equal(text_header_is_8bit(&l), is_8bit);
	close(fd);
	buf_fini(&b);
}

static void
test_header_in_file(void **state)
{
	size_t pad;

	(void)state;
	/* The empty line before, across and after the end of a piece. */
	for (pad = TEXT_READ - 20; pad < TEXT_READ + 3; pad++) {
		check_header_in_file(pad, "", "\xc3\xbc\n", false);
		check_header_in_file(pad, "B: c\n", "\xc3\xbc\n", false);
		check_header_in_file(pad, "B: \xc3\xbc\n", "plain\n", true);
		check_header_in_file(pad, "B: \xc3\xbc\n", "", true);
	}
}

/* A server that takes seven bits gets seven bits, dots and all. */
static void
test_seven(void **state)
{
	const struct text_form seven = { .eight_bit = false };
	const struct str body = STR("\n.\n\xc3\xbc\n");
	int fd = file_of(body), fds[] = { -1, fd };
	struct text t;
	struct err err;
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct letter l = letter_of(STR("MIME-Version: 1.0\n"
						"Content-Type: text/plain\n"),
					    body, fds[i]);

		buf_init(&b, 4096);
		assert_int_equal(text_open(&t, &l, &seven, &err), 0);
		while (!text_at_end(&t))
			assert_int_equal(text_fill(&t, &b, &err), 0);
		assert_string_equal(buf_cstr(&b), "MIME-Version: 1.0\r\n"
						  "Content-Type: text/plain\r\n"
						  "Content-Transfer-Encoding: "
						  "quoted-printable\r\n"
						  "\r\n..\r\n=C3=BC\r\n");
		text_close(&t);
		buf_fini(&b);
	}
	close(fd);
}

/* A file that has become shorter ends the attempt, not the text. */
static void
test_short_file(void **state)
{
	const struct text_form form = { .eight_bit = true };
	int fd = file_of(STR("\nhalf"));
	struct letter l = letter_of(STR("A: b\n"), STR("\nhalf a text\n"), fd);
	struct text t;
	struct err err;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	assert_int_equal(text_open(&t, &l, &form, &err), 0);
	assert_int_equal(text_fill(&t, &b, &err), 0);
	assert_int_equal(text_fill(&t, &b, &err), 0);
	assert_int_equal(text_fill(&t, &b, &err), -1);
	assert_int_equal(err.class, ERR_TEMP);
	assert_false(text_at_end(&t));
	buf_fini(&b);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_short_texts),
		cmocka_unit_test(test_every_position),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_bdat_has_no_dots),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_header_in_file),
		cmocka_unit_test(test_seven),
		cmocka_unit_test(test_short_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
