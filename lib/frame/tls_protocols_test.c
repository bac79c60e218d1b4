/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frame/tls_protocols.h"

static void
test_protocols(void **state)
{
	static const struct {
		const char *list;
		int want; /* -1: refused */
	} rows[] = {
		{ ">=TLSv1.2", TLS_V1_2 | TLS_V1_3 },
		{ ">=TLSv1.2, <=TLSv1.2", TLS_V1_2 },
		{ ">=tlsv1.3", TLS_V1_3 },
		{ "<=TLSv1.2", TLS_V1_2 },
		{ ">=TLSv1", TLS_V_SPOKEN },
		{ ">=SSLv3", TLS_V_SPOKEN },
		{ ">=0303", TLS_V1_2 | TLS_V1_3 },
		{ "!SSLv2, !SSLv3", TLS_V_SPOKEN },
		{ "!SSLv2 !SSLv3:!TLSv1,!TLSv1.1", TLS_V1_2 | TLS_V1_3 },
		{ "TLSv1.2", TLS_V1_2 },
		{ "TLSv1.2,TLSv1.3", TLS_V1_2 | TLS_V1_3 },
		{ "TLSv1.0 TLSv1.1 !TLSv1", -1 },
		{ "TLSv1.0 TLSv1.2", TLS_V1_2 },
		{ "", TLS_V_SPOKEN },
		{ "SSLv3", -1 },
		{ "<=SSLv3", -1 },
		{ ">=TLSv1.3 <=TLSv1.2", -1 },
		{ "!TLSv1 !TLSv1.1 !TLSv1.2 !TLSv1.3", -1 },
		{ "TLS1.2", -1 },
		{ ">= TLSv1.2", -1 },
		{ "!", -1 },
		{ "all", -1 },
	};
	struct err err;
	unsigned got;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = tls_protocols(str_of(rows[i].list), &got, &err);

		if (rc < 0 ? rows[i].want != -1 : (int)got != rows[i].want)
			fail_msg("\"%s\": %d %u", rows[i].list, rc, got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
