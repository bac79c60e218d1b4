/* SPDX-License-Identifier: ISC */
/* tlsd as the client of other hosts' servers, and of what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "frame/tls_protocols.h"
#include "outgoing.h"
#include "testbed_out.h"

/* --- versions and ciphers --------------------------------------------------
 */

static void
test_versions(void **state)
{
	static const struct {
		unsigned ours;
		int theirs;
		const char *exclude, *want; /* NULL: no handshake */
	} rows[] = {
		{ TLS_V_SPOKEN, TLS1_3_VERSION, "", "TLSv1.3" },
		{ TLS_V_SPOKEN, TLS1_2_VERSION, "", "TLSv1.2" },
		{ TLS_V1_2, 0, "", "TLSv1.2" },
		{ TLS_V1_3, 0, "", "TLSv1.3" },
		{ TLS_V1_3, TLS1_2_VERSION, "", NULL },
		{ TLS_V1_2, TLS1_3_VERSION, "", NULL },
		{ TLS_V_SPOKEN, TLS1_1_VERSION, "", NULL },
		{ TLS_V_SPOKEN, TLS1_VERSION, "", NULL },
		{ TLS_V1_2, 0, "ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2" },
		{ TLS_V1_2, 0, "aECDSA", NULL },
	};
	const struct house *h = *state;
	struct out o;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct want w = { .level = TLS_MAY,
					.protocols = rows[i].ours,
					.exclude = rows[i].exclude };

		out_open(&o, &h->good, NULL);
		SSL_CTX_set_min_proto_version(o.ctx, rows[i].theirs);
		SSL_CTX_set_max_proto_version(o.ctx, rows[i].theirs);
		if (out_run(&o, &w) != (rows[i].want != NULL))
			fail_msg("row %zu: %s", i, o.text);
		if (rows[i].want) {
			assert_string_equal(o.facts.protocol, rows[i].want);
			assert_string_not_equal(o.facts.cipher,
						rows[i].exclude);
			out_echo(&o);
		} else {
			assert_int_equal(o.class, TLS_FAIL_HANDSHAKE);
			assert_int_not_equal(o.text[0], '\0');
		}
		out_close(&o);
	}
}

static void
test_ciphers(void **state)
{
	const struct house *h = *state;
	struct want w = { .level = TLS_ENCRYPT,
			  .protocols = TLS_V1_2,
			  .exclude = "ALL" };
	struct out o;

	out_open(&o, &h->rsa, NULL);
	out_ask(&o, &w, 1000);
	assert_int_equal(o.done, 1);
	assert_int_equal(o.class, TLS_FAIL_LOCAL);
	assert_string_equal(o.text,
			    "TLS cannot be set up as wanted: no cipher match");
	/* As a client, also where RSA carries the key. */
	w.exclude = "";
	SSL_CTX_set_cipher_list(o.ctx, "AES256-SHA256");
	assert_true(out_run(&o, &w));
	assert_string_equal(o.facts.cipher, "AES256-SHA256");
	/* The grades are different lists. */
	w.grade = TLS_GRADE_HIGH;
	SSL_CTX_set_cipher_list(o.ctx, "ECDHE-RSA-AES128-SHA256");
	assert_false(out_run(&o, &w));
	w.grade = TLS_GRADE_MEDIUM;
	assert_true(out_run(&o, &w));
	out_close(&o);
}

/* Contexts are kept, but not all. */
static void
test_contexts(void **state)
{
	static const char *const words[] = { "AES128",	 "SHA1",     "SHA256",
					     "SHA384",	 "CAMELLIA", "ARIA",
					     "CHACHA20", "AESCCM",   "DHE",
					     "AES128",	 "SHA384" };
	const struct house *h = *state;
	struct want w = { .level = TLS_MAY };
	struct out o;
	size_t i;

	out_open(&o, &h->good, NULL);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		w.exclude = words[i];
		assert_true(out_run(&o, &w));
		assert_true(out_run(&o, &w));
		assert_in_range(o.b.tlsd.nout_contexts, 1, OUT_CONTEXTS_MAX);
	}
	assert_int_equal(o.b.tlsd.nout_contexts, OUT_CONTEXTS_MAX);
	tlsd_configure(&o.b.tlsd, &o.b.conf);
	assert_int_equal(o.b.tlsd.nout_contexts, 0);
	out_echo(&o);
	out_close(&o);
}

/* --- facts -----------------------------------------------------------------
 */

static void
test_facts(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct house *h = *state;
	const struct want w = { .level = TLS_MAY, .host = "mx.a.test" };
	unsigned char theirs[64], d[64];
	struct out o;
	unsigned n;
	size_t i;

	for (i = 0; i < 2; i++) {
		bool is13 = versions[i] == TLS1_3_VERSION;

		out_open(&o, &h->good, NULL);
		out_trust(&o, &h->ca);
		SSL_CTX_set_max_proto_version(o.ctx, versions[i]);
		assert_true(out_run(&o, &w));
		assert_string_equal(o.facts.sni, "mx.a.test");
		assert_string_equal(o.facts.peer_cn, "x");
		assert_string_equal(o.facts.peer_issuer, "CA");
		assert_string_equal(o.facts.auth, is13 ? "ECDSA (P-256)" : "");
		assert_string_equal(o.facts.hash, is13 ? "SHA256" : "");
		assert_string_equal(o.facts.kex, is13 ? "X25519" : "");
		assert_int_equal(o.facts.bits, 256);
		assert_false(o.facts.resumed);
		/* What both sides must agree on, for SCRAM-PLUS. */
		SSL_export_keying_material(o.ssl, theirs, 32,
					   "EXPORTER-Channel-Binding", 24,
					   (const unsigned char *)"", 0, 1);
		assert_int_equal(o.facts.exporter_n, 32);
		assert_memory_equal(o.facts.exporter, theirs, 32);
		X509_digest(h->good.cert, EVP_sha256(), d, &n);
		assert_int_equal(o.facts.endpoint_n, n);
		assert_memory_equal(o.facts.endpoint, d, n);
		n = (unsigned)SSL_get_peer_finished(o.ssl, theirs,
						    sizeof(theirs));
		assert_int_equal(o.facts.unique_n, is13 ? 0 : n);
		if (!is13)
			assert_memory_equal(o.facts.unique, theirs, n);
		out_close(&o);
	}
}

/* --- servers that are none -------------------------------------------------
 */

static void
fails_with(struct out *o, enum tls_fail_class class, const char *text)
{
	int i;

	for (i = 0; i < 200 && !o->done; i++) {
		bed_turns(&o->b, 1);
		usleep(1000);
	}
	assert_int_equal(o->done, 1);
	assert_int_equal(o->plain, -1);
	assert_int_equal(o->class, class);
	if (text)
		assert_string_equal(o->text, text);
	assert_int_equal(o->b.tlsd.nstreams, 0);
}

static void
test_bad_servers(void **state)
{
	static const char *const garbage[] = {
		"220 2.0.0 Ready\r\n", "550 injected\r\n250 ok\r\n",
		"\x16\x03\x01",	       "\x16\x03\x03\xff\xff",
		"\x15\x03\x03",	       "\x17\x03\x03\x01",
	};
	const struct house *h = *state;
	const struct want w = { .level = TLS_MAY, .host = "mx.a.test" };
	struct out o;
	size_t i;

	out_open(&o, &h->good, NULL);
	/* Nothing. */
	out_ask(&o, &w, 50);
	fails_with(&o, TLS_FAIL_TIMEOUT, "the handshake takes too long");
	/* The end, at once and in the middle. */
	out_ask(&o, &w, 10000);
	close(o.fd);
	o.fd = -1;
	fails_with(&o, TLS_FAIL_CLOSED, "the server closed the connection");
	out_ask(&o, &w, 10000);
	assert_int_equal(send(o.fd, "\x16\x03\x03\x00\x20\x02", 6, 0), 6);
	shutdown(o.fd, SHUT_WR);
	fails_with(&o, TLS_FAIL_CLOSED, "the server closed the connection");
	/* What is no TLS; followed by the end, so that all of it is seen. */
	for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		out_ask(&o, &w, 10000);
		assert_true(send(o.fd, garbage[i], strlen(garbage[i]), 0) > 0);
		shutdown(o.fd, SHUT_WR);
		fails_with(&o,
			   i < 2 || i == 3 ? TLS_FAIL_HANDSHAKE
					   : TLS_FAIL_CLOSED,
			   NULL);
	}
	/* An alert has a text of its own. */
	out_ask(&o, &w, 10000);
	assert_int_equal(send(o.fd, "\x15\x03\x03\x00\x02\x02\x28", 7, 0), 7);
	fails_with(&o, TLS_FAIL_HANDSHAKE, "sslv3 alert handshake failure");
	/* Whoever asked is gone. */
	out_ask(&o, &w, 10000);
	tls_client_cancel(o.smtp, o.tag);
	bed_turns(&o.b, 5);
	assert_int_equal(o.b.tlsd.nstreams, 0);
	assert_int_equal(o.done, 0);
	out_close(&o);
}

/* A chain of certificates without end. */
static void
test_huge_chain(void **state)
{
	const struct house *h = *state;
	struct want w = { .level = TLS_MAY };
	struct out o;
	int i;

	out_open(&o, &h->good, NULL);
	for (i = 0; i < 50; i++)
		SSL_CTX_add1_chain_cert(o.ctx, h->middle.cert);
	assert_true(out_run(&o, &w));
	w.host = "mx.a.test"; /* not to be resumed */
	for (i = 0; i < 250; i++)
		SSL_CTX_add1_chain_cert(o.ctx, h->middle.cert);
	assert_false(out_run(&o, &w));
	assert_int_equal(o.class, TLS_FAIL_HANDSHAKE);
	assert_string_equal(o.text, "excessive message size");
	out_close(&o);
}

/* Input that came before TLS is not taken for what is said under it. */
static void
test_injected(void **state)
{
	static const struct conn_ops none;
	const struct msg_tls_client m = { .level = TLS_MAY,
					  .protocols = TLS_V_SPOKEN,
					  .digest = STR("sha256"),
					  .match.elem = &msg_tls_match_def };
	const struct house *h = *state;
	struct conn *c;
	struct out o;
	struct err err;
	int sv[2];

	out_open(&o, &h->good, NULL);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	c = conn_new(&o.b.loop, sv[1], 1000, 1000, &none, NULL);
	assert_int_equal(conn_preload(c, STR("250 injected\r\n")), 0);
	assert_int_equal(tls_client_connect(o.smtp, &c, &m, 1000, out_on_done,
					    &o, &o.tag, &err),
			 -1);
	assert_null(c);
	assert_string_equal(err.text, "input was sent before TLS");
	close(sv[0]);
	out_close(&o);
}

/* --- certificates of our own -----------------------------------------------
 */

static int
take_any(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

static void
test_own_certificates(void **state)
{
	const struct house *h = *state;
	const struct bed_cert ec = { h->good.cert, h->good.key };
	const struct bed_cert rsa = { h->rsa.cert, h->rsa.key };
	const struct {
		int version;
		const char *sigalgs;
		const X509 *want;
	} rows[] = {
		{ TLS1_2_VERSION, "ECDSA+SHA256:RSA+SHA256", h->rsa.cert },
		{ TLS1_2_VERSION, "RSA+SHA256:ECDSA+SHA256", h->rsa.cert },
		{ TLS1_2_VERSION, "RSA-PSS+SHA256:ECDSA+SHA256", h->rsa.cert },
		{ TLS1_3_VERSION, "ECDSA+SHA256:RSA-PSS+SHA256", h->good.cert },
		{ TLS1_3_VERSION, "RSA-PSS+SHA256:ECDSA+SHA256", h->rsa.cert },
	};
	const struct bed_cert *const both[] = { &ec, &rsa, NULL };
	const struct bed_cert *const none[] = { NULL };
	const struct want w = { .level = TLS_ENCRYPT };
	struct out o;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		out_open(&o, &h->self, NULL);
		SSL_CTX_set_max_proto_version(o.ctx, rows[i].version);
		SSL_CTX_set_verify(o.ctx,
				   SSL_VERIFY_PEER |
					   SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   take_any);
		SSL_CTX_set1_client_sigalgs_list(o.ctx, rows[i].sigalgs);
		(void)out_run(&o, &w);
		assert_false(o.shaken); /* there is none */
		o.b.out = true;
		bed_certs(&o.b, both);
		/* They are not for clients. */
		assert_false(tls_client_offers(o.b.service));
		assert_true(out_run(&o, &w));
		assert_true(o.shaken);
		out_echo(&o);
		assert_int_equal(o.b.signatures, 1);
		if (X509_cmp(SSL_get0_peer_certificate(o.ssl), rows[i].want))
			fail_msg("row %zu: the other one", i);
		/* Without keyd there is no signature. */
		SSL_CTX_set_options(o.ctx, SSL_OP_NO_TICKET);
		bed_no_signer(&o.b);
		tlsd_configure(&o.b.tlsd, &o.b.conf);
		assert_false(out_run(&o, &w));
		assert_int_equal(o.class, TLS_FAIL_LOCAL);
		bed_certs(&o.b, none);
		(void)out_run(&o, &w);
		assert_false(o.shaken);
		out_close(&o);
	}
}

/* --- what there must be ----------------------------------------------------
 */

/* No certificate of our own is wanted, and no keyd. */
static void
test_offer(void **state)
{
	const struct house *h = *state;
	const struct want w = { .level = TLS_MAY };
	struct out o;

	out_open(&o, &h->good, NULL);
	assert_true(tls_client_offers(o.smtp));
	assert_false(tls_client_offers(o.b.service));
	bed_no_signer(&o.b);
	assert_true(out_run(&o, &w));
	tlsd_drain(&o.b.tlsd);
	bed_turns(&o.b, 3);
	assert_false(tls_client_offers(o.smtp));
	out_echo(&o);
	out_ask(&o, &w, 1000);
	assert_int_equal(o.class, TLS_FAIL_LOCAL);
	assert_string_equal(o.text, "tlsd is ending");
	out_close(&o);
}

static void
test_limit(void **state)
{
	const struct house *h = *state;
	const struct want w = { .level = TLS_MAY };
	struct out o;

	out_open(&o, &h->good, NULL);
	o.b.tlsd.max_streams = 0;
	out_ask(&o, &w, 1000);
	assert_int_equal(o.class, TLS_FAIL_LOCAL);
	assert_string_equal(o.text, "too many connections");
	out_close(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_ciphers),
		cmocka_unit_test(test_contexts),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_bad_servers),
		cmocka_unit_test(test_huge_chain),
		cmocka_unit_test(test_injected),
		cmocka_unit_test(test_own_certificates),
		cmocka_unit_test(test_offer),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, house_make, house_free);
}
