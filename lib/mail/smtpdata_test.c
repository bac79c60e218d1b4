/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/smtpdata.h"

enum { OUT_MAX = 4096, LINE_MAX_ = 20 };

struct row {
	struct str in, out;
	unsigned faults;
	size_t used; /* octets up to and with the end; 0: no end */
	uint64_t size;
};

#define R(i, o, ...)                                                    \
	{                                                               \
		{ i, sizeof(i) - 1 }, { o, sizeof(o) - 1 }, __VA_ARGS__ \
	}

static const struct row rows[] = {
	R(".\r\n", "", 0, 3, 0),
	R(".\r\nQUIT\r\n", "", 0, 3, 0),
	R("a\r\n.\r\n", "a\n", 0, 6, 3),
	R("\r\n.\r\n", "\n", 0, 5, 2),
	/* RFC 5321 4.5.2: transparency */
	R("..\r\n.a\r\n...b.\r\n.\r\n", ".\na\n..b.\n", 0, 18, 12),
	R("a.\r\n.\r\n", "a.\n", 0, 7, 4),
	R("a\r\n.", "a\n", 0, 0, 3),
	R("a\r\n.\r", "a\n", 0, 0, 3),
	R("a\r\nb", "a\nb", 0, 0, 3),
	/* RFC 5321 2.3.8, 4.1.1.4: what does not end it */
	R("a\n.\n.\r\n.\r\n", "a\n.\n.\n", SMTPDATA_BARE_LF, 10, 7),
	R("a\r\n.\nb\r\n.\r\n", "a\n\nb\n", SMTPDATA_BARE_LF, 11, 7),
	R("a\n.\r\nb\r\n.\r\n", "a\n.\nb\n", SMTPDATA_BARE_LF, 11, 8),
	R("a\r.\r\nb\r\n.\r\n", "a.\nb\n", SMTPDATA_BARE_CR, 11, 7),
	R("a\r\n.\r.\r\n.\r\n", "a\n.\n", SMTPDATA_BARE_CR, 11, 6),
	R("a\r\r\n.\r\n", "a\n", SMTPDATA_BARE_CR, 7, 3),
	R(".\r\r\n.\r\n", "\n", SMTPDATA_BARE_CR, 7, 2),
	R("\n.\r\nb\r\n.\r\n", "\n.\nb\n", SMTPDATA_BARE_LF, 10, 7),
	R("\r.\r\nb\r\n.\r\n", ".\nb\n", SMTPDATA_BARE_CR, 10, 6),
	R("a\0b\r\n.\r\n", "a\0b\n", SMTPDATA_NUL, 8, 5),
	R("a\r\n\0.\r\n.\r\n", "a\n\0.\n", SMTPDATA_NUL, 10, 7),
	R("12345678901234567890\r\n.\r\n", "12345678901234567890\n", 0, 25, 22),
	R("123456789012345678901\r\n.\r\n", "123456789012345678901\n",
	  SMTPDATA_LONG_LINE, 26, 23),
	R("..2345678901234567890\r\n.\r\n", ".2345678901234567890\n", 0, 26,
	  22),
	R("1234567890\n1234567890\r\n.\r\n", "1234567890\n1234567890\n",
	  SMTPDATA_LONG_LINE | SMTPDATA_BARE_LF, 26, 23),
};

static void
check(const struct row *r, size_t cut1, size_t cut2, bool in_place)
{
	char out[OUT_MAX], piece[OUT_MAX];
	size_t ends[3] = { cut1, cut2, r->in.n };
	size_t at = 0, o = 0, n, used, i;
	struct smtpdata d;

	smtpdata_init(&d, LINE_MAX_);
	for (i = 0; i < 3; i++) {
		struct str in = str_mem(r->in.p + at, ends[i] - at);

		if (in_place) {
			memcpy(piece, in.p, in.n);
			used = smtpdata_scan(&d, str_mem(piece, in.n), piece,
					     &n);
			memcpy(out + o, piece, n);
		} else {
			used = smtpdata_scan(&d, in, out + o, &n);
		}
		assert_true(n <= in.n);
		o += n;
		at += used;
		if (d.done)
			break;
		assert_int_equal(used, in.n);
	}
	assert_int_equal(d.done, r->used != 0);
	if (d.done)
		assert_int_equal(at, r->used);
	assert_int_equal(d.faults, r->faults);
	assert_int_equal(d.size, r->size);
	assert_int_equal(o, r->out.n);
	assert_memory_equal(out, r->out.p, o);
}

/* Every row, cut in two and three at every place. */
static void
test_rows(void **state)
{
	size_t i, a, b;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("row %zu\n", i);
		for (a = 0; a <= rows[i].in.n; a++)
			for (b = a; b <= rows[i].in.n; b++) {
				check(&rows[i], a, b, false);
				check(&rows[i], a, b, true);
			}
	}
}

/* All texts of up to 7 octets over the alphabet that matters, against a
 * description of the rule that is written the other way round. */
static void
test_exhaustive(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', 'a' };
	char text[16], out[16];
	size_t len, i, used, n;
	unsigned long k, count = 1;
	struct smtpdata d;
	ptrdiff_t end;
	struct str s;

	(void)state;
	for (len = 0; len <= 7; len++, count *= 4)
		for (k = 0; k < count; k++) {
			unsigned long v = k;

			/* As if a CR LF stood before the first octet. */
			memcpy(text, "\r\n", 2);
			for (i = 0; i < len; i++, v /= 4)
				text[2 + i] = alphabet[v % 4];
			s = str_mem(text, len + 2);
			end = str_search(s, STR("\r\n.\r\n"));
			smtpdata_init(&d, 0);
			used = smtpdata_scan(&d, str_from(s, 2), out, &n);
			assert_int_equal(d.done, end >= 0);
			if (end >= 0)
				assert_int_equal(used, end + 3);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_exhaustive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
