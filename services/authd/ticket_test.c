/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ticket.h"

enum { IMAP = 9, POP3 = 10, NOW = 1000 };

static void
test_rules(void **state)
{
	static const struct {
		const char *name;
		uint8_t service;   /* presented for */
		uint64_t after_ms; /* its issue */
		int flip;	   /* byte to change, -1: none */
		size_t n;	   /* bytes presented */
		bool want;
	} rows[] = {
		{ "good", IMAP, 0, -1, TICKET_LEN, true },
		{ "at the last moment", IMAP, 9999, -1, TICKET_LEN, true },
		{ "too late", IMAP, 10000, -1, TICKET_LEN, false },
		{ "other service", POP3, 0, -1, TICKET_LEN, false },
		{ "first byte", IMAP, 0, 0, TICKET_LEN, false },
		{ "last byte", IMAP, 0, TICKET_LEN - 1, TICKET_LEN, false },
		{ "short", IMAP, 0, -1, TICKET_LEN - 1, false },
		{ "empty", IMAP, 0, -1, 0, false },
	};
	uint8_t k[TICKET_LEN];
	char user[USER_MAX + 1];
	struct tickets t;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tickets_init(&t);
		assert_int_equal(ticket_issue(&t, IMAP, STR("a@b"), NOW, k), 0);
		if (rows[i].flip >= 0)
			k[rows[i].flip] ^= 1;
		if (ticket_redeem(&t, rows[i].service, str_mem(k, rows[i].n),
				  NOW + rows[i].after_ms, user) != rows[i].want)
			fail_msg("%s", rows[i].name);
		if (rows[i].want)
			assert_string_equal(user, "a@b");
		tickets_fini(&t);
	}
}

static void
test_single_use(void **state)
{
	uint8_t k[TICKET_LEN], k2[TICKET_LEN];
	char user[USER_MAX + 1];
	struct tickets t;

	(void)state;
	tickets_init(&t);
	assert_int_equal(ticket_issue(&t, IMAP, STR("a"), NOW, k), 0);
	assert_int_equal(ticket_issue(&t, IMAP, STR("b"), NOW, k2), 0);
	assert_true(ticket_redeem(&t, IMAP, str_mem(k, 32), NOW, user));
	assert_false(ticket_redeem(&t, IMAP, str_mem(k, 32), NOW, user));
	/* Presented for another service: void afterwards for its own too. */
	assert_false(ticket_redeem(&t, POP3, str_mem(k2, 32), NOW, user));
	assert_false(ticket_redeem(&t, IMAP, str_mem(k2, 32), NOW, user));
	assert_int_equal(t.n, 0);
	tickets_fini(&t);
}

static void
test_limit(void **state)
{
	uint8_t k[TICKET_LEN];
	struct tickets t;
	int i;

	(void)state;
	tickets_init(&t);
	for (i = 0; i < TICKETS_MAX; i++)
		assert_int_equal(ticket_issue(&t, IMAP, STR("a"), NOW, k), 0);
	assert_int_equal(ticket_issue(&t, IMAP, STR("a"), NOW, k), -1);
	assert_int_equal(ticket_issue(&t, IMAP, STR("a"), NOW + 10000, k), 0);
	assert_int_equal(t.n, 1);
	tickets_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_single_use),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
