/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/mbox.h"

static void
test_from(void **state)
{
	static const struct {
		const char *in;
		int64_t want; /* -1: none */
	} rows[] = {
		/* RFC 4155 */
		{ "From a@example.com Thu Jan  1 00:01:00 1970", 60 },
		{ "From a@example.com Thu Jan 01 00:01 1970", 60 },
		{ "From a@example.com Thu Jan  1 01:01:00 1970 +0100", 60 },
		{ "From a@example.com Thu Jan  1 00:01:00 MET 1970", 60 },
		{ "From a b c Thu Jan  1 00:01:00 1970", 60 },
		{ "From Sun Thu Jan  1 00:01:00 1970", 60 },
		{ "From here to there", -1 },
		{ "From a@example.com Thu Jan  1 00:01:00", -1 },
		{ "From a@example.com Thu Jan 32 00:01:00 1970", -1 },
		{ "From a@example.com Thu Xan  1 00:01:00 1970", -1 },
		{ "From: a@example.com Thu Jan  1 00:01:00 1970", -1 },
		{ ">From a Thu Jan  1 00:01:00 1970", -1 },
	};
	int64_t t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!mbox_from_line(str_of(rows[i].in), &t))
			t = -1;
		if (t != rows[i].want)
			fail_msg("%s: %lld", rows[i].in, (long long)t);
	}
}

static void
test_header(void **state)
{
	static const struct {
		const char *line;
		bool theirs;
	} rows[] = {
		{ "Subject: x", false },
		{ " Status: folded", false },
		{ "status: RO", true },
		{ "X-Status: AFDT?", true },
		{ "X-UID: 12", true },
		{ "X-IMAPbase: 7 0000000020 odd", true },
		{ "X-Keywords: odd", true },
		{ "\teven", true },
		{ "Content-Length: 33", true },
		{ "X-Keywords-Not: x", false },
	};
	struct mbox_info info = { .length = -1 };
	enum mbox_field last = MBOX_NONE;
	struct buf keywords;
	size_t i;

	(void)state;
	buf_init(&keywords, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (mbox_header_line(str_of(rows[i].line), &last, &info,
				     &keywords) != rows[i].theirs)
			fail_msg("%s", rows[i].line);
	assert_string_equal(buf_cstr(&keywords), "odd even ");
	assert_true(info.old && !info.internal);
	assert_int_equal(info.uid, 12);
	assert_int_equal(info.uidvalidity, 7);
	assert_int_equal(info.last_uid, 20);
	assert_int_equal(info.length, 33);
	/* S, R, F, T, D */
	assert_int_equal(info.flags,
			 1 << 18 | 1 << 17 | 1 << 5 | 1 << 19 | 1 << 3);
	buf_fini(&keywords);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from),
		cmocka_unit_test(test_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
