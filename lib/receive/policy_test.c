/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "receive/policy.h"
#include "receive/trace.h"

static void
test_rcpt(void **state)
{
	static const struct {
		bool trusted;
		uint8_t verdict, own;
		enum policy_rcpt want;
	} rows[] = {
		{ false, ROUTE_OK, 1, POLICY_ACCEPT },
		{ false, ROUTE_OK, 0, POLICY_RELAY_DENIED },
		{ false, ROUTE_PERM, 1, POLICY_REJECT },
		{ false, ROUTE_PERM, 0, POLICY_RELAY_DENIED },
		{ false, ROUTE_TEMP, 1, POLICY_TRY_AGAIN },
		{ false, ROUTE_TEMP, 0, POLICY_TRY_AGAIN },
		{ true, ROUTE_OK, 1, POLICY_ACCEPT },
		{ true, ROUTE_OK, 0, POLICY_ACCEPT },
		{ true, ROUTE_PERM, 1, POLICY_REJECT },
		{ true, ROUTE_PERM, 0, POLICY_REJECT },
		{ true, ROUTE_TEMP, 1, POLICY_TRY_AGAIN },
		{ true, ROUTE_TEMP, 0, POLICY_TRY_AGAIN },
	};
	struct msg_routed m = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		m.verdict = rows[i].verdict;
		m.own = rows[i].own;
		assert_int_equal(policy_rcpt(rows[i].trusted, &m),
				 rows[i].want);
	}
	assert_int_equal(policy_rcpt(true, NULL), POLICY_TRY_AGAIN);
}

static void
test_routing(void **state)
{
	struct path p = { .routing = true }, plain = { .routing = false };
	struct receive_conf c = { .untrusted_routing = false };

	(void)state;
	assert_true(policy_routing_denied(&c, false, &p));
	assert_false(policy_routing_denied(&c, true, &p));
	assert_false(policy_routing_denied(&c, false, &plain));
	c.untrusted_routing = true;
	assert_false(policy_routing_denied(&c, false, &p));
}

static void
test_faults(void **state)
{
	struct receive_conf c = { .hops = 3, .message_size = 10 };
	struct header_scan h = { .received = 2 };

	(void)state;
	assert_true(policy_size_ok(&c, 10));
	assert_false(policy_size_ok(&c, 11));
	c.message_size = 0;
	assert_true(policy_size_ok(&c, UINT64_MAX));
	assert_int_equal(policy_data_fault(0).code, 0);
	assert_int_equal(policy_data_fault(SMTPDATA_BARE_LF).code, 550);
	assert_int_equal(policy_data_fault(SMTPDATA_BARE_CR).code, 550);
	assert_int_equal(policy_data_fault(SMTPDATA_NUL).code, 550);
	assert_int_equal(policy_data_fault(SMTPDATA_LONG_LINE).code, 554);
	assert_int_equal(policy_header_fault(&c, HEADER_DONE, &h).code, 0);
	assert_int_equal(policy_header_fault(&c, HEADER_TOO_LONG, &h).code,
			 552);
	h.received = 3;
	assert_string_equal(policy_header_fault(&c, HEADER_DONE, &h).dsn,
			    "5.4.6");
}

static void
test_trace(void **state)
{
	char helo[HELO_MAX + 1], longname[400];
	struct trace t = { .helo = helo,
			   .client = "2001:db8::1",
			   .client_ip6 = true,
			   .by = STR("mx.own.test"),
			   .mail_name = STR("Posthouse"),
			   .esmtp = true,
			   .rcpt = "alice@own.test",
			   .when = 0 };
	struct buf b;

	(void)state;
	trace_helo(helo, STR("a(b)<c>\\\"d\x01\xff e@f;g"));
	assert_string_equal(helo, "a?b??c???d???e?f?g");
	memset(longname, 'x', sizeof(longname));
	trace_helo(helo, str_mem(longname, sizeof(longname)));
	assert_int_equal(strlen(helo), HELO_MAX);
	trace_helo(helo, STR("[IPv6:::1]"));
	buf_init(&b, 1000);
	assert_int_equal(trace_received(&b, &t), 0);
	assert_true(str_starts(
		buf_str(&b),
		STR("Received: from [IPv6:::1] (unknown [IPv6:2001:db8::1])\n"
		    "\tby mx.own.test (Posthouse) with ESMTP\n"
		    "\tfor <alice@own.test>; ")));
	buf_fini(&b);
	buf_init(&b, 100);
	assert_int_equal(trace_received(&b, &t), -1);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_routing),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
