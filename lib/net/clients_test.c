/* SPDX-License-Identifier: ISC */
#include "base/unit.h"
#include "net/clients.h"

static struct client *
enter(struct clients *cs, const char *ip)
{
	struct client *c;
	struct addr a;
	struct err err;

	assert_int_equal(addr_parse(str_of(ip), &a, &err), 0);
	c = clients_enter(cs, &a);
	assert_non_null(c);
	return c;
}

static void
counts(void **state)
{
	struct clients cs = { 0 };
	struct client *a, *b, *c;

	(void)state;
	a = enter(&cs, "192.0.2.1");
	assert_ptr_equal(enter(&cs, "192.0.2.1"), a);
	assert_int_equal(a->n, 2);
	b = enter(&cs, "192.0.2.2");
	assert_ptr_not_equal(a, b);
	/* One /64 is one client, the next another. */
	c = enter(&cs, "2001:db8:0:1::1");
	assert_ptr_equal(enter(&cs, "2001:db8:0:1:ffff::2"), c);
	assert_ptr_not_equal(enter(&cs, "2001:db8:0:2::1"), c);
	assert_int_equal(cs.map.n, 4);
	clients_leave(&cs, a);
	clients_leave(&cs, b);
	assert_int_equal(a->n, 1);
	assert_int_equal(cs.map.n, 3);
	clients_fini(&cs);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(counts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
