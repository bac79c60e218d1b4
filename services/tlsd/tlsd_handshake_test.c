/* SPDX-License-Identifier: ISC */
/* Handshakes: versions, keys, certificates, tickets, and all that can go
 * wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "testbed.h"

struct certs {
	struct bed_cert ec, rsa, ca, client, other;
};

static void
test_versions(void **state)
{
	static const struct {
		int version;
		enum bed_kind kind;
		const char *protocol, *auth;
	} rows[] = {
		{ TLS1_2_VERSION, BED_EC, "TLSv1.2", "" },
		{ TLS1_2_VERSION, BED_RSA, "TLSv1.2", "" },
		{ TLS1_3_VERSION, BED_EC, "TLSv1.3", "ECDSA (P-256)" },
		{ TLS1_3_VERSION, BED_RSA, "TLSv1.3", "RSA-PSS (2048 bits)" },
	};
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct bed_cert *const chain[] = {
			rows[i].kind == BED_EC ? &cs->ec : &cs->rsa, NULL
		};

		bed_open(&b);
		bed_certs(&b, chain);
		assert_true(tls_client_offers(b.service));
		client_open(&c, rows[i].version);
		assert_true(client_run(&b, &c, TLS_IMAP));
		assert_string_equal(c.facts.protocol, rows[i].protocol);
		assert_string_equal(c.facts.auth, rows[i].auth);
		assert_int_equal(b.signatures, 1);
		client_echo(&b, &c);
		client_close(&c);
		bed_close(&b);
	}
}

static int
make_certs(void **state)
{
	struct certs *cs = calloc(1, sizeof(*cs));

	cs->ca = bed_cert(BED_EC, "CA", NULL);
	cs->ec = bed_cert(BED_EC, "mail.example.org", &cs->ca);
	cs->rsa = bed_cert(BED_RSA, "mail.example.org", &cs->ca);
	cs->client = bed_cert(BED_EC, "client", &cs->ca);
	cs->other = bed_cert(BED_EC, "other", NULL);
	*state = cs;
	return 0;
}

static int
free_certs(void **state)
{
	struct certs *cs = *state;

	bed_cert_free(&cs->ca);
	bed_cert_free(&cs->ec);
	bed_cert_free(&cs->rsa);
	bed_cert_free(&cs->client);
	bed_cert_free(&cs->other);
	free(cs);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
