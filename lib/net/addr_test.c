/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "net/addr.h"

static void
test_parse(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "::1", "::1" },
		{ "[::1]", "::1" },
		{ "2001:DB8::1", "2001:db8::1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "", NULL },
		{ "[]", NULL },
		{ "[192.0.2.1]", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "192.0.2.1 ", NULL },
		{ "192.0.2.01", NULL },
		{ "0x7f.1", NULL },
		{ "host.test", NULL },
		{ "[::1", NULL },
		{ "fe80::1%eth0", NULL },
		{ ":::", NULL },
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = addr_parse(str_of(rows[i].in), &a, &err);

		if (rc != (rows[i].want ? 0 : -1))
			fail_msg("%s: %d", rows[i].in, rc);
		if (rc == 0)
			assert_string_equal(addr_text(&a, text), rows[i].want);
	}
	assert_int_equal(addr_parse(STR("1.2.3.4\0"), &a, &err), -1);
}

static void
test_port(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "192.0.2.1:25", "192.0.2.1:25" },
		{ "[::1]:65535", "[::1]:65535" },
		{ "0.0.0.0:0", "0.0.0.0:0" },
		{ "[::ffff:192.0.2.1]:25", "192.0.2.1:25" },
		{ "192.0.2.1", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:+25", NULL },
		{ "::1:25", NULL },
		{ "[::1]", NULL },
		{ "[::1:25", NULL },
		{ ":25", NULL },
		{ "", NULL },
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = addr_parse_port(str_of(rows[i].in), &a, &err);

		if (rc != (rows[i].want ? 0 : -1))
			fail_msg("%s: %d", rows[i].in, rc);
		if (rc == 0)
			assert_string_equal(addr_text_port(&a, text),
					    rows[i].want);
	}
}

static void
test_nets(void **state)
{
	static const struct {
		const char *net, *addr;
		int want; /* -1: no network */
	} rows[] = {
		{ "127.0.0.0/8", "127.1.2.3", 1 },
		{ "127.0.0.0/8", "128.0.0.1", 0 },
		{ "127.0.0.0/8", "::ffff:127.0.0.1", 1 },
		{ "127.0.0.0/8", "::1", 0 },
		{ "192.0.2.128/25", "192.0.2.127", 0 },
		{ "192.0.2.128/25", "192.0.2.200", 1 },
		{ "192.0.2.1", "192.0.2.1", 1 },
		{ "192.0.2.1", "192.0.2.2", 0 },
		{ "0.0.0.0/0", "1.2.3.4", 1 },
		{ "0.0.0.0/0", "::1", 0 },
		{ "::/0", "2001:db8::1", 1 },
		{ "::/0", "1.2.3.4", 0 },
		{ "[2001:db8::]/33", "2001:db8:7fff::1", 1 },
		{ "[2001:db8::]/33", "2001:db8:8000::1", 0 },
		{ "2001:db8::/32", "2001:db8:8000::1", 1 },
		{ "[::1]", "::1", 1 },
		/* Debian's mynetworks has this one. */
		{ "[::ffff:127.0.0.0]/104", "127.0.0.1", 1 },
		{ "[::ffff:127.0.0.0]/104", "::ffff:127.0.0.1", 1 },
		{ "[::ffff:127.0.0.0]/104", "128.0.0.1", 0 },
		{ "::ffff:1.2.3.4", "1.2.3.4", 1 },
		{ "127.0.0.1/8", "127.0.0.1", -1 },
		{ "[::ffff:127.0.0.1]/104", "127.0.0.1", -1 },
		{ "2001:db8::1/64", "::1", -1 },
		{ "127.0.0.0/33", "127.0.0.1", -1 },
		{ "::/129", "::1", -1 },
		{ "127.0.0.0/", "127.0.0.1", -1 },
		{ "127.0.0.0/-1", "127.0.0.1", -1 },
		{ "/8", "127.0.0.1", -1 },
		{ "", "127.0.0.1", -1 },
	};
	struct addr_net net;
	struct addr a;
	struct err err;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(addr_parse(str_of(rows[i].addr), &a, &err), 0);
		rc = addr_net_parse(str_of(rows[i].net), &net, &err);
		if (rc == 0)
			rc = addr_net_has(&net, &a);
		if (rc != rows[i].want)
			fail_msg("%s in %s: %d", rows[i].addr, rows[i].net, rc);
	}
}

static void
test_kind(void **state)
{
	struct addr a;
	struct err err;
	int fds[2];

	(void)state;
	assert_int_equal(addr_parse(STR("127.9.9.9"), &a, &err), 0);
	assert_true(addr_is_loopback(&a));
	assert_int_equal(addr_len(&a), sizeof(struct sockaddr_in));
	assert_int_equal(addr_parse(STR("::ffff:127.0.0.1"), &a, &err), 0);
	assert_true(addr_is_loopback(&a));
	assert_int_equal(addr_len(&a), sizeof(struct sockaddr_in6));
	assert_int_equal(addr_parse(STR("::1"), &a, &err), 0);
	assert_true(addr_is_loopback(&a));
	assert_int_equal(addr_parse(STR("128.0.0.1"), &a, &err), 0);
	assert_false(addr_is_loopback(&a));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(addr_of_peer(fds[0], &a, &err), -1);
	assert_int_equal(addr_of_self(-1, &a, &err), -1);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_nets),
		cmocka_unit_test(test_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
