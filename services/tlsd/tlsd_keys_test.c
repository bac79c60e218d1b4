/* SPDX-License-Identifier: ISC */
/* What keyd tells: sets of certificates and their names, and its absence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "testbed.h"

struct certs {
	struct bed_cert a_ec, a_rsa, b_ec, wild, odd;
};

static X509 *
served(struct bed *b, const char *sni, int version)
{
	struct bed_client c;
	X509 *cert;

	client_open(&c, version);
	if (sni)
		SSL_set_tlsext_host_name(c.ssl, sni);
	assert_true(client_run(b, &c, TLS_SMTP));
	cert = SSL_get1_peer_certificate(c.ssl);
	client_close(&c);
	bed_turns(b, 5);
	return cert;
}

static void
check_served(struct bed *b, const char *sni, int version,
	     const struct bed_cert *want)
{
	X509 *cert = served(b, sni, version);

	if (X509_cmp(cert, want->cert) != 0)
		fail_msg("%s", sni ? sni : "no name");
	X509_free(cert);
}

static void
test_names(void **state)
{
	const struct certs *cs = *state;
	const struct {
		const char *sni;
		const struct bed_cert *want;
	} rows[] = {
		/* The fallback, for those who ask for nothing or no name. */
		{ NULL, &cs->a_ec },
		{ "nobody.example.com", &cs->a_ec },
		{ "not a name", &cs->a_ec },
		{ "*.wild.example", &cs->a_ec },
		/* Names in certificates. */
		{ "b.example", &cs->b_ec },
		{ "B.EXAMPLE.", &cs->b_ec },
		{ "alias.b.example", &cs->b_ec },
		{ "x.wild.example", &cs->wild },
		{ "wild.example", &cs->a_ec },
		{ "y.x.wild.example", &cs->a_ec },
		/* Configured names go before those. */
		{ "a.example", &cs->b_ec },
		{ "mail.conf.example", &cs->wild },
		{ "y.x.conf.example", &cs->wild },
		{ "exact.conf.example", &cs->b_ec },
		{ "conf.example", &cs->a_ec },
	};
	struct bed b;
	size_t i;

	bed_open(&b);
	bed_chain(&b, 1, 0, &cs->a_ec, NULL);
	bed_chain(&b, 1, 1, &cs->b_ec, "a.example Exact.conf.example");
	bed_chain(&b, 1, 2, &cs->wild, ".conf.example");
	bed_set(&b, 1, 3);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_served(&b, rows[i].sni, TLS1_2_VERSION, rows[i].want);
		check_served(&b, rows[i].sni, TLS1_3_VERSION, rows[i].want);
	}
	bed_close(&b);
}

/* By name and by what the client can, at once. */
static void
test_names_and_kinds(void **state)
{
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;
	int i;

	bed_open(&b);
	bed_chain(&b, 1, 0, &cs->b_ec, NULL);
	bed_chain(&b, 1, 1, &cs->a_rsa, "a.example");
	bed_chain(&b, 1, 2, &cs->a_ec, "a.example");
	bed_set(&b, 1, 3);
	for (i = 0; i < 2; i++) {
		client_open(&c, TLS1_2_VERSION);
		SSL_set_tlsext_host_name(c.ssl, "a.example");
		SSL_set1_sigalgs_list(c.ssl, i ? "ECDSA+SHA256" : "RSA+SHA256");
		assert_true(client_run(&b, &c, TLS_IMAP));
		assert_int_equal(X509_cmp(SSL_get0_peer_certificate(c.ssl),
					  i ? cs->a_ec.cert : cs->a_rsa.cert),
				 0);
		client_close(&c);
	}
	/* An EC key only, and no RSA one of another name. */
	client_open(&c, TLS1_2_VERSION);
	SSL_set1_sigalgs_list(c.ssl, "RSA+SHA256");
	assert_false(client_run(&b, &c, TLS_IMAP));
	client_close(&c);
	bed_close(&b);
}

/* A set counts when it is whole, and not before. */
static void
test_sets(void **state)
{
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;

	bed_open(&b);
	assert_false(tls_client_offers(b.service));
	client_open(&c, 0);
	client_start(&b, &c, TLS_IMAP, 0, 1000);
	assert_int_equal(c.done, 1);
	assert_int_equal(c.class, TLS_FAIL_LOCAL);
	assert_string_equal(c.text, "there is no certificate");
	client_close(&c);

	bed_chain(&b, 1, 0, &cs->a_ec, NULL);
	assert_false(tls_client_offers(b.service));
	bed_set(&b, 1, 2); /* one is missing */
	assert_false(tls_client_offers(b.service));
	bed_set(&b, 1, 1); /* that one is over */
	assert_false(tls_client_offers(b.service));

	bed_chain(&b, 2, 0, &cs->a_ec, NULL);
	bed_set(&b, 2, 1);
	assert_true(tls_client_offers(b.service));
	check_served(&b, NULL, 0, &cs->a_ec);

	/* A gap, another set's number, a set that begins again. */
	bed_chain(&b, 3, 0, &cs->a_ec, NULL);
	bed_chain(&b, 3, 2, &cs->b_ec, NULL);
	bed_set(&b, 3, 2);
	b.set = 2;
	b.keys[0] = cs->a_ec.key;
	check_served(&b, NULL, 0, &cs->a_ec);
	bed_chain(&b, 4, 0, &cs->a_ec, NULL);
	bed_chain(&b, 4, 0, &cs->b_ec, NULL);
	bed_set(&b, 4, 1);
	check_served(&b, NULL, 0, &cs->b_ec);

	/* No certificate any more. */
	bed_set(&b, 5, 0);
	assert_false(tls_client_offers(b.service));
	/* Chains, but none for everybody. */
	bed_chain(&b, 6, 0, &cs->a_ec, "a.example");
	bed_set(&b, 6, 1);
	assert_false(tls_client_offers(b.service));
	bed_close(&b);
}

/* What is no certificate, and a key keyd does not sign with, cost only
 * themselves. */
static void
test_bad_chains(void **state)
{
	const struct certs *cs = *state;
	struct msg_key_chain m = { .set = 1, .key = 0, .fallback = 1 };
	struct msg_key_der e = { STR("no certificate") };
	struct err err;
	struct buf certs;
	struct bed b;

	bed_open(&b);
	buf_init(&certs, 1000);
	assert_int_equal(msg_list_add(&certs, &msg_key_der_def, &e, &err), 0);
	m.certs = msg_list_of(&certs, 1, &msg_key_der_def);
	bed_note(&b, &msg_key_chain_def, &m);
	m.key = 1;
	m.certs = msg_list_of(&certs, 0, &msg_key_der_def);
	m.certs.raw = STR("");
	bed_note(&b, &msg_key_chain_def, &m);
	bed_chain(&b, 1, 2, &cs->odd, NULL);
	bed_chain(&b, 1, 3, &cs->a_ec, NULL);
	bed_set(&b, 1, 4);
	check_served(&b, NULL, 0, &cs->a_ec);
	buf_fini(&certs);
	bed_close(&b);
}

/* As many chains as keyd may have. */
static void
test_many_chains(void **state)
{
	const struct certs *cs = *state;
	unsigned i;
	struct bed b;

	bed_open(&b);
	for (i = 0; i < KEY_SET_MAX; i++)
		bed_chain(&b, 1, (uint16_t)i, &cs->a_ec,
			  i ? "a.example" : NULL);
	bed_set(&b, 1, (uint16_t)i);
	check_served(&b, NULL, 0, &cs->a_ec);
	bed_close(&b);
}

/* A new certificate while 50 streams are open and one shakes hands. */
static void
test_swap(void **state)
{
	enum { STREAMS = 50 };
	static struct bed_client c[STREAMS], half;
	const struct certs *cs = *state;
	const struct bed_cert *const first[] = { &cs->a_ec, NULL };
	const struct bed_cert *const second[] = { &cs->b_ec, NULL };
	struct bed b;
	int i;

	bed_open(&b);
	bed_certs(&b, first);
	for (i = 0; i < STREAMS; i++) {
		client_open(&c[i], i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
		assert_true(client_run(&b, &c[i], TLS_IMAP));
	}
	client_open(&half, TLS1_2_VERSION);
	client_start(&b, &half, TLS_IMAP, 0, 10000);
	assert_int_equal(SSL_connect(half.ssl), -1);
	bed_turns(&b, 3);
	assert_int_equal(SSL_connect(half.ssl), -1); /* its certificate came */
	bed_certs(&b, second);
	assert_true(client_shake(&b, &half));
	assert_int_equal(
		X509_cmp(SSL_get0_peer_certificate(half.ssl), cs->a_ec.cert),
		0);
	check_served(&b, NULL, 0, &cs->b_ec);
	for (i = 0; i < STREAMS; i++) {
		client_echo(&b, &c[i]);
		client_close(&c[i]);
	}
	client_close(&half);
	bed_turns(&b, 10);
	assert_int_equal(b.tlsd.nstreams, 0);
	bed_close(&b);
}

static void
refused_for(struct bed *b, const char *why)
{
	struct bed_client c;

	client_open(&c, 0);
	assert_false(client_run(b, &c, TLS_IMAP));
	assert_int_equal(c.class, TLS_FAIL_LOCAL);
	assert_string_equal(c.text, why);
	client_close(&c);
}

/* keyd goes, in the middle of a handshake, and comes back. */
static void
test_keyd_dies(void **state)
{
	const struct certs *cs = *state;
	const struct bed_cert *const certs[] = { &cs->a_ec, &cs->a_rsa, NULL };
	struct bed_client c, half;
	struct bed b;

	bed_open(&b);
	bed_tickets(&b, 1, 1);
	bed_certs(&b, certs);
	client_open(&c, 0);
	assert_true(client_run(&b, &c, TLS_IMAP));
	client_open(&half, TLS1_2_VERSION);
	client_start(&b, &half, TLS_IMAP, 0, 10000);

	bed_no_signer(&b);
	close(b.keyd);
	b.keyd = -1;
	assert_false(client_shake(&b, &half));
	assert_int_equal(half.class, TLS_FAIL_LOCAL);
	client_close(&half);
	bed_turns(&b, 5);
	assert_int_equal(b.lost, 1);
	/* The old set is still offered: sessions are resumed. */
	assert_true(tls_client_offers(b.service));
	refused_for(&b, "keyd is away");
	client_echo(&b, &c);
	client_again(&c);
	assert_true(client_run(&b, &c, TLS_IMAP));
	assert_true(c.facts.resumed);
	client_close(&c);

	bed_signer(&b);
	check_served(&b, NULL, 0, &cs->a_ec);
	/* It has another set by now, and refuses the old one. */
	b.set = 77;
	refused_for(&b, "keyd: no such key");
	b.set = 1;
	check_served(&b, NULL, 0, &cs->a_ec);
	assert_int_equal(b.lost, 1);
	bed_close(&b);
}

/* It hangs: the handshake fails in time, and those after it at once; its late
 * answer is nobody's, and then it signs again, on the same channel. */
static void
test_keyd_hangs(void **state)
{
	const struct certs *cs = *state;
	const struct bed_cert *const certs[] = { &cs->a_ec, NULL };
	uint64_t start;
	struct bed b;
	int i;

	bed_open(&b);
	bed_certs(&b, certs);
	b.mute = true;
	refused_for(&b, "keyd does not answer");
	start = clock_mono_ms();
	for (i = 0; i < 3; i++)
		refused_for(&b, "keyd does not answer");
	assert_true(clock_mono_ms() - start < REMOTE_TIMEOUT_MS);
	b.mute = false;
	while (b.tlsd.remote.owed_ms &&
	       clock_mono_ms() - start < 5 * (uint64_t)REMOTE_TIMEOUT_MS)
		bed_turns(&b, 1);
	check_served(&b, NULL, 0, &cs->a_ec);
	assert_int_equal(b.lost, 0);
	bed_close(&b);
}

static void
on_drained(void *arg)
{
	((struct bed *)arg)->lost += 100;
}

static void
test_drain(void **state)
{
	const struct certs *cs = *state;
	const struct bed_cert *const certs[] = { &cs->a_ec, NULL };
	struct bed_client c;
	struct bed b;

	bed_open(&b);
	b.tlsd.drained = on_drained;
	bed_certs(&b, certs);
	client_open(&c, 0);
	assert_true(client_run(&b, &c, TLS_IMAP));
	tlsd_drain(&b.tlsd);
	bed_turns(&b, 3);
	assert_false(tls_client_offers(b.service));
	client_echo(&b, &c);
	refused_for(&b, "tlsd is ending");
	assert_int_equal(b.lost, 0);
	client_close(&c);
	bed_turns(&b, 10);
	assert_int_equal(b.lost, 100);
	bed_close(&b);
}

static int
make_certs(void **state)
{
	struct certs *cs = calloc(1, sizeof(*cs));

	cs->a_ec = bed_cert(BED_EC, "a.example", NULL);
	cs->a_rsa = bed_cert(BED_RSA, "a.example", NULL);
	cs->b_ec = bed_cert(BED_EC, "b.example alias.b.example", NULL);
	cs->wild = bed_cert(BED_EC, "*.wild.example", NULL);
	cs->odd = bed_cert(BED_ED25519, "odd.example", NULL);
	*state = cs;
	return 0;
}

static int
free_certs(void **state)
{
	struct certs *cs = *state;

	bed_cert_free(&cs->a_ec);
	bed_cert_free(&cs->a_rsa);
	bed_cert_free(&cs->b_ec);
	bed_cert_free(&cs->wild);
	bed_cert_free(&cs->odd);
	free(cs);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_and_kinds),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_bad_chains),
		cmocka_unit_test(test_many_chains),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_keyd_dies),
		cmocka_unit_test(test_keyd_hangs),
		cmocka_unit_test(test_drain),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
