/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/header.h"

static void
test_next(void **state)
{
	struct str rest = STR("Subject: a\n b\nX-Empty:\nTo : c\n\nbody: no\n");
	struct header_field f;

	(void)state;
	assert_true(header_next(&rest, &f));
	assert_true(str_eq(f.name, STR("Subject")));
	assert_true(str_eq(f.value, STR(" a\n b")));
	assert_true(str_eq(f.whole, STR("Subject: a\n b\n")));
	assert_true(header_next(&rest, &f));
	assert_true(str_eq(f.name, STR("X-Empty")));
	assert_int_equal(f.value.n, 0);
	assert_true(header_next(&rest, &f));
	assert_true(str_eq(f.name, STR("To")));
	assert_true(str_eq(header_value_line(&f), STR("c")));
	assert_false(header_next(&rest, &f));
	assert_true(str_eq(rest, STR("\nbody: no\n")));
}

static void
test_find(void **state)
{
	struct str block = STR("A: 1\nB: 2\n 3\nb: 4\n\nC: 5\n");
	struct header_field f;

	(void)state;
	assert_true(header_find(block, STR("b"), &f));
	assert_true(str_eq(header_value_line(&f), STR("2")));
	assert_false(header_find(block, STR("C"), &f));
}

struct row {
	const char *text;
	enum header_result want;
	size_t at;
	unsigned fields, received;
	const char *id;
};

static const struct row rows[] = {
	{ "", HEADER_DONE, 0, 0, 0, "" },
	{ "\n", HEADER_DONE, 0, 0, 0, "" },
	{ "\nA: b\n", HEADER_DONE, 0, 0, 0, "" },
	{ "A: b\n", HEADER_DONE, 5, 1, 0, "" },
	{ "A: b\n\nbody\n", HEADER_DONE, 5, 1, 0, "" },
	{ "A: b\n c\n\td\n\n", HEADER_DONE, 11, 1, 0, "" },
	{ "A: b\nbody\n", HEADER_NO_BLANK, 5, 1, 0, "" },
	{ " body\n", HEADER_NO_BLANK, 0, 0, 0, "" },
	{ "From x y\nA: b\n", HEADER_NO_BLANK, 0, 0, 0, "" },
	{ ": x\n", HEADER_NO_BLANK, 0, 0, 0, "" },
	{ "Received: x\nreceived: y\nReceived-SPF: z\n\n", HEADER_DONE, 40, 3,
	  2, "" },
	{ "Message-ID: <a@b>\nMessage-ID: <c@d>\n\n", HEADER_DONE, 36, 2, 0,
	  "<a@b>" },
	{ "Message-Id:\n <a@b>\nX: y\n\n", HEADER_DONE, 24, 2, 0, "<a@b>" },
	{ "Message-Id:\nX: y\n z\n\n", HEADER_DONE, 20, 2, 0, "" },
	/* field_max 30, block_max 60 */
	{ "A: 3456789012345678901234567890\n\n", HEADER_TOO_LONG, 0, 0, 0, "" },
	{ "A: 345678901234567890123456789\n\n", HEADER_TOO_LONG, 0, 0, 0, "" },
	{ "A: 34567890123456789012345678\n\n", HEADER_DONE, 30, 1, 0, "" },
	{ "A: 345\n 3456789012345678901234567\n\n", HEADER_TOO_LONG, 7, 1, 0,
	  "" },
	{ "A: 2345678901234567\nB: 2345678901234567\nC: 2345678901234567\n\n",
	  HEADER_DONE, 60, 3, 0, "" },
	{ "A: 2345678901234567\nB: 2345678901234567\nC: 23456789012345678\n\n",
	  HEADER_TOO_LONG, 40, 2, 0, "" },
	{ "a line of a body that is longer than a field may be: yes\n",
	  HEADER_NO_BLANK, 0, 0, 0, "" },
	{ "A: b\nalinewithoutblanksthatislongerthanafieldmaybeandtheblock\n",
	  HEADER_NO_BLANK, 5, 1, 0, "" },
};

/* Whole, and growing by one octet at a time. */
static void
test_scan(void **state)
{
	struct header_scan h;
	enum header_result r;
	struct str s;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		print_message("row %zu\n", i);
		s = str_of(rows[i].text);
		header_scan_init(&h, 30, 60);
		r = header_scan(&h, s, true);
		assert_int_equal(r, rows[i].want);
		assert_int_equal(h.at, rows[i].at);
		assert_int_equal(h.fields, rows[i].fields);
		assert_int_equal(h.received, rows[i].received);
		assert_true(str_eq(str_head(str_from(s, h.id_at), h.id_n),
				   str_of(rows[i].id)));
		header_scan_init(&h, 30, 60);
		r = HEADER_MORE;
		for (n = 0; n <= s.n && r == HEADER_MORE; n++)
			r = header_scan(&h, str_head(s, n), n == s.n);
		assert_int_equal(r, rows[i].want);
		assert_int_equal(h.received, rows[i].received);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
