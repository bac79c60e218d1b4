/* SPDX-License-Identifier: ISC */
/* Messages to other hosts: workers, destinations. */
#include "testbed.h"

static void
test_send(void **state)
{
	struct world *w = *state;

	commit(w, 1, "a@b.c", "ra@x.test rb@x.test rc@y.test v1@x");
	UNTIL(w, w->remote.nrcpts == 3 && w->ndelivered == 1);
	assert_int_equal(w->remote.nsent, 2);
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->q.nactive, 0);
	assert_int_equal(w->q.active_bytes, 0);
}

static void
test_fail(void **state)
{
	struct world *w = *state;

	w->remote.fate = FATE_TEMP;
	commit(w, 1, "a@b.c", "ra@x.test");
	UNTIL(w, w->remote.nsent == 1 && w->q.nactive == 0);
	assert_int_equal(w->q.by_id.n, 1);
	w->remote.fate = FATE_OK;
	order(w, QUEUE_FLUSH, "ALL");
	UNTIL(w, w->q.by_id.n == 0);
	assert_int_equal(w->remote.nsent, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_send, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fail, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
