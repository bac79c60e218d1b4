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
#include <openssl/pem.h>

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

static void
open_with(struct bed *b, const struct bed_cert *one, const struct bed_cert *two)
{
	const struct bed_cert *const certs[] = { one, two, NULL };

	bed_open(b);
	bed_tickets(b, 1, 1);
	bed_certs(b, certs);
}

static void
check_cert(struct bed_client *c, const struct bed_cert *want)
{
	X509 *got = SSL_get0_peer_certificate(c->ssl);

	assert_non_null(got);
	assert_int_equal(X509_cmp(got, want->cert), 0);
}

/* Both kinds of certificate at once: by what the client can. */
static void
test_ec_and_rsa(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;
	size_t i;

	open_with(&b, &cs->rsa, &cs->ec);
	for (i = 0; i < 2; i++) {
		client_open(&c, versions[i]);
		SSL_set1_sigalgs_list(c.ssl, "rsa_pss_rsae_sha256:RSA+SHA256");
		assert_true(client_run(&b, &c, TLS_SMTP));
		check_cert(&c, &cs->rsa);
		client_close(&c);

		client_open(&c, versions[i]);
		SSL_set1_sigalgs_list(c.ssl, "ECDSA+SHA256");
		assert_true(client_run(&b, &c, TLS_SMTP));
		check_cert(&c, &cs->ec);
		client_close(&c);
	}
	bed_close(&b);
}

static void
test_facts(void **state)
{
	const struct certs *cs = *state;
	uint8_t want[64];
	struct bed_client c;
	unsigned n;
	struct bed b;

	open_with(&b, &cs->ec, NULL);
	client_open(&c, TLS1_3_VERSION);
	SSL_set_tlsext_host_name(c.ssl, "mail.example.org");
	SSL_set1_groups_list(c.ssl, "P-256");
	assert_true(client_run(&b, &c, TLS_IMAP));
	assert_string_equal(c.facts.cipher, "TLS_AES_256_GCM_SHA384");
	assert_int_equal(c.facts.bits, 256);
	assert_int_equal(c.facts.alg_bits, 256);
	assert_string_equal(c.facts.kex, "ECDHE (P-256)");
	assert_string_equal(c.facts.auth, "ECDSA (P-256)");
	assert_string_equal(c.facts.hash, "SHA256");
	assert_string_equal(c.facts.sni, "mail.example.org");
	assert_int_equal(c.facts.peer, TLS_PEER_NONE);
	assert_false(c.facts.resumed);
	/* RFC 9266. */
	assert_int_equal(c.facts.exporter_n, 32);
	SSL_export_keying_material(c.ssl, want, 32, "EXPORTER-Channel-Binding",
				   24, (const unsigned char *)"", 0, 1);
	assert_memory_equal(c.facts.exporter, want, 32);
	/* RFC 5929. */
	X509_digest(cs->ec.cert, EVP_sha256(), want, &n);
	assert_int_equal(c.facts.endpoint_n, n);
	assert_memory_equal(c.facts.endpoint, want, n);
	assert_int_equal(c.facts.unique_n, 0); /* not in TLS 1.3 */
	client_close(&c);

	client_open(&c, TLS1_2_VERSION);
	/* Text that is no name does not go on. */
	SSL_set_tlsext_host_name(c.ssl, "a b\r\n");
	assert_true(client_run(&b, &c, TLS_IMAP));
	assert_string_equal(c.facts.kex, "");
	assert_string_equal(c.facts.sni, "");
	n = (unsigned)SSL_get_finished(c.ssl, want, sizeof(want));
	assert_int_equal(c.facts.unique_n, n);
	assert_memory_equal(c.facts.unique, want, n);
	client_close(&c);
	bed_close(&b);
}

static void
test_resume(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct certs *cs = *state;
	uint8_t want[64];
	struct bed_client c;
	unsigned n, signatures;
	struct bed b, b2;
	size_t i;

	for (i = 0; i < 2; i++) {
		open_with(&b, &cs->rsa, NULL);
		client_open(&c, versions[i]);
		assert_true(client_run(&b, &c, TLS_SUBMISSION));
		assert_int_equal(c.tickets, 1);
		signatures = b.signatures;
		client_again(&c);
		assert_true(client_run(&b, &c, TLS_SUBMISSION));
		assert_true(c.facts.resumed);
		assert_int_equal(b.signatures, signatures);
		assert_string_equal(c.facts.auth, "");
		client_echo(&b, &c);
		/* TLS 1.3: each ticket once. */
		assert_int_equal(c.tickets, i);
		/* The certificate it began with. */
		X509_digest(cs->rsa.cert, EVP_sha256(), want, &n);
		assert_int_equal(c.facts.endpoint_n, n);
		assert_memory_equal(c.facts.endpoint, want, n);
		if (versions[i] == TLS1_2_VERSION) {
			n = (unsigned)SSL_get_peer_finished(c.ssl, want,
							    sizeof(want));
			assert_int_equal(c.facts.unique_n, n);
			assert_memory_equal(c.facts.unique, want, n);
		}

		/* In another process with the same keys; also now that there
		 * is a second certificate. */
		open_with(&b2, &cs->ec, &cs->rsa);
		client_again(&c);
		assert_true(client_run(&b2, &c, TLS_SUBMISSION));
		assert_true(c.facts.resumed);
		assert_int_equal(b2.signatures, 0);
		X509_digest(cs->rsa.cert, EVP_sha256(), want, &n);
		assert_memory_equal(c.facts.endpoint, want, n);

		/* A ticket is good for one service only. */
		client_again(&c);
		assert_true(client_run(&b2, &c, TLS_IMAP));
		assert_false(c.facts.resumed);
		assert_int_equal(c.tickets, i ? 2 : 1);
		client_close(&c);
		bed_close(&b);
		bed_close(&b2);
	}
}

/* tls-unique of a session that could be another's is not given. */
static void
test_unique_without_ems(void **state)
{
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;

	open_with(&b, &cs->ec, NULL);
	client_open(&c, TLS1_2_VERSION);
	SSL_CTX_set_options(c.ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	client_again(&c);
	assert_true(client_run(&b, &c, TLS_IMAP));
	assert_true(c.facts.unique_n > 0);
	assert_int_equal(c.facts.exporter_n, 0);
	client_again(&c);
	assert_true(client_run(&b, &c, TLS_IMAP));
	assert_true(c.facts.resumed);
	assert_int_equal(c.facts.unique_n, 0);
	client_close(&c);
	bed_close(&b);
}

/* The key of the client's ticket; in TLS 1.2 a new one comes without notice. */
static int
sealed_with(struct bed_client *c)
{
	const unsigned char *ticket;
	size_t n;

	if (SSL_version(c->ssl) < TLS1_3_VERSION) {
		SSL_SESSION_free(c->session);
		c->session = SSL_get1_session(c->ssl);
	}
	SSL_SESSION_get0_ticket(c->session, &ticket, &n);
	assert_true(n > 0);
	return ticket[0];
}

/* Old keys open, and cause a new ticket; keys that are gone do not. */
static void
test_ticket_rotation(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;
	size_t i;

	for (i = 0; i < 2; i++) {
		open_with(&b, &cs->ec, NULL);
		bed_tickets(&b, 7, 1);
		client_open(&c, versions[i]);
		assert_true(client_run(&b, &c, TLS_POP3));
		bed_tickets(&b, 6, 2); /* 6, and 7 of old */
		client_again(&c);
		assert_true(client_run(&b, &c, TLS_POP3));
		assert_true(c.facts.resumed);
		assert_int_equal(sealed_with(&c), 6);
		bed_tickets(&b, 6, 1);
		client_again(&c);
		assert_true(client_run(&b, &c, TLS_POP3));
		assert_true(c.facts.resumed);
		bed_tickets(&b, 9, 3);
		client_again(&c);
		assert_true(client_run(&b, &c, TLS_POP3));
		assert_false(c.facts.resumed);
		/* No keys, no tickets. */
		bed_tickets(&b, 0, 0);
		client_again(&c);
		assert_true(client_run(&b, &c, TLS_POP3));
		assert_false(c.facts.resumed);
		assert_int_equal(c.tickets, 0);
		bed_tickets(&b, 6, 1);
		b.conf.session_s = 0;
		tlsd_configure(&b.tlsd, &b.conf);
		client_again(&c);
		assert_true(client_run(&b, &c, TLS_POP3));
		assert_int_equal(c.tickets, 0);
		client_close(&c);
		bed_close(&b);
	}
}

static void
set_alpn(SSL *ssl, const char *p)
{
	assert_int_equal(SSL_set_alpn_protos(ssl, (const unsigned char *)p,
					     (unsigned)strlen(p)),
			 0);
}

static void
test_alpn(void **state)
{
	static const struct {
		enum tls_use use;
		const char *offer;
		const char *want; /* NULL: refused */
	} rows[] = {
		{ TLS_IMAP, "\4imap", "imap" },
		{ TLS_IMAP, "\2h2\4imap", "imap" },
		{ TLS_IMAP, "\4pop3", NULL },
		{ TLS_POP3, "\4pop3", "pop3" },
		{ TLS_POP3, "\10http/1.1", NULL },
		{ TLS_SMTP, "\4smtp", "smtp" },
		{ TLS_SUBMISSION, "\5esmtp", "esmtp" },
		{ TLS_SMTP, "\2h2\10http/1.1", NULL },
	};
	const struct certs *cs = *state;
	const unsigned char *got;
	struct bed_client c;
	unsigned n;
	struct bed b;
	size_t i;

	open_with(&b, &cs->ec, NULL);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		client_open(&c, 0);
		set_alpn(c.ssl, rows[i].offer);
		assert_int_equal(client_run(&b, &c, rows[i].use),
				 rows[i].want != NULL);
		SSL_get0_alpn_selected(c.ssl, &got, &n);
		if (rows[i].want) {
			assert_int_equal(n, strlen(rows[i].want));
			assert_memory_equal(got, rows[i].want, n);
		} else {
			assert_int_equal(c.class, TLS_FAIL_HANDSHAKE);
		}
		client_close(&c);
	}
	bed_close(&b);
}

static void
give_ca(struct bed *b, const struct bed_cert *ca)
{
	char name[] = "/tmp/tlsd_test.XXXXXX";
	int fd = mkstemp(name);
	BIO *bio = BIO_new_fd(fd, BIO_NOCLOSE);

	assert_true(fd >= 0);
	unlink(name);
	assert_int_equal(PEM_write_bio_X509(bio, ca->cert), 1);
	BIO_free(bio);
	tlsd_ca(&b->tlsd, fd);
}

static void
test_client_certs(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct certs *cs = *state;
	const struct {
		unsigned asked;
		const struct bed_cert *has;
		int peer; /* -1: refused */
	} rows[] = {
		{ 0, &cs->client, TLS_PEER_NONE },
		{ 1, &cs->client, TLS_PEER_TRUSTED },
		{ 1, &cs->other, TLS_PEER_UNTRUSTED },
		{ 1, NULL, TLS_PEER_NONE },
		{ 2, &cs->client, TLS_PEER_TRUSTED },
		{ 2, &cs->other, -1 },
		{ 2, NULL, -1 },
	};
	struct bed_client c;
	struct bed b;
	size_t i, v;

	open_with(&b, &cs->ec, NULL);
	give_ca(&b, &cs->ca);
	for (v = 0; v < 2; v++) {
		for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			client_open(&c, versions[v]);
			if (rows[i].has)
				SSL_use_cert_and_key(c.ssl, rows[i].has->cert,
						     rows[i].has->key, NULL, 1);
			client_start(&b, &c, TLS_SMTP, rows[i].asked, 10000);
			/* In TLS 1.3 the client is done before we look. */
			assert_int_equal(client_shake(&b, &c),
					 rows[i].peer >= 0);
			if (rows[i].peer < 0) {
				assert_int_equal(c.class, TLS_FAIL_CERT);
				assert_string_equal(
					c.text,
					rows[i].has
						? "client certificate: "
						  "self-signed certificate"
						: "client certificate: none "
						  "was given");
			} else {
				assert_int_equal(c.facts.peer, rows[i].peer);
			}
			client_close(&c);
		}
	}
	bed_close(&b);
}

static void
test_client_cert_facts(void **state)
{
	const struct certs *cs = *state;
	struct bed_cert odd = bed_cert(BED_EC, "a\"b(c)\xc3\xa9", &cs->ca);
	struct bed_client c;
	char want[TLS_FINGERPRINT_MAX + 1];
	uint8_t md[64];
	unsigned n, i;
	struct bed b;

	open_with(&b, &cs->ec, NULL);
	give_ca(&b, &cs->ca);
	client_open(&c, 0);
	SSL_use_cert_and_key(c.ssl, odd.cert, odd.key, NULL, 1);
	client_start(&b, &c, TLS_SMTP, 1, 10000);
	assert_true(client_shake(&b, &c));
	assert_string_equal(c.facts.peer_cn, "a?b?c???");
	assert_string_equal(c.facts.peer_issuer, "CA");
	X509_digest(odd.cert, EVP_sha256(), md, &n);
	for (i = 0; i < n; i++)
		(void)snprintf(want + (size_t)3 * i, 4, "%02X%s", md[i],
			       i + 1 < n ? ":" : "");
	assert_string_equal(c.facts.peer_fingerprint, want);

	/* Resumed: the same; and never where more is asked for, or where other
	 * authorities count. */
	client_again(&c);
	client_start(&b, &c, TLS_SMTP, 1, 10000);
	assert_true(client_shake(&b, &c));
	assert_true(c.facts.resumed);
	assert_int_equal(c.facts.peer, TLS_PEER_TRUSTED);
	assert_string_equal(c.facts.peer_fingerprint, want);
	client_again(&c);
	client_start(&b, &c, TLS_SMTP, 2, 10000);
	assert_false(client_shake(&b, &c));
	client_again(&c);
	client_start(&b, &c, TLS_SMTP, 1, 10000);
	assert_true(client_shake(&b, &c));
	give_ca(&b, &cs->other);
	client_again(&c);
	SSL_use_cert_and_key(c.ssl, odd.cert, odd.key, NULL, 1);
	client_start(&b, &c, TLS_SMTP, 1, 10000);
	assert_true(client_shake(&b, &c));
	assert_false(c.facts.resumed);
	assert_int_equal(c.facts.peer, TLS_PEER_UNTRUSTED);
	client_close(&c);
	bed_cert_free(&odd);
	bed_close(&b);
}

/* --- what goes wrong -------------------------------------------------------
 */

static void
wait_done(struct bed *b, const struct bed_client *c)
{
	int i;

	for (i = 0; i < 200 && !c->done; i++) {
		bed_turns(b, 1);
		if (!c->done)
			usleep(1000);
	}
	assert_int_equal(c->done, 1);
	assert_int_equal(c->plain, -1);
	assert_int_equal(b->tlsd.nstreams, 0);
}

static void
test_timeout(void **state)
{
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;

	open_with(&b, &cs->ec, NULL);
	client_open(&c, 0);
	client_start(&b, &c, TLS_IMAP, 0, 30);
	wait_done(&b, &c);
	assert_int_equal(c.class, TLS_FAIL_TIMEOUT);
	client_close(&c);

	client_open(&c, 0);
	client_start(&b, &c, TLS_IMAP, 0, 30);
	assert_int_equal(SSL_connect(c.ssl), -1); /* a hello, and no more */
	wait_done(&b, &c);
	assert_int_equal(c.class, TLS_FAIL_TIMEOUT);
	client_close(&c);
	bed_close(&b);
}

/* The client leaves after n bytes of what it has to say. */
static void
test_client_leaves(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;
	int step, v;

	open_with(&b, &cs->ec, NULL);
	for (v = 0; v < 2; v++) {
		/* Before anything; after each turn of the handshake. */
		for (step = 0; step < 3 - v; step++) {
			int i;

			client_open(&c, versions[v]);
			client_start(&b, &c, TLS_IMAP, 0, 10000);
			for (i = 0; i < step && !c.done; i++) {
				(void)SSL_connect(c.ssl);
				if (i + 1 < step)
					bed_turns(&b, 3);
			}
			if (c.done || SSL_is_init_finished(c.ssl)) {
				client_close(&c);
				bed_turns(&b, 5);
				break;
			}
			close(c.fd);
			c.fd = -1;
			wait_done(&b, &c);
			assert_int_equal(c.class, TLS_FAIL_CLOSED);
			client_close(&c);
		}
	}
	bed_close(&b);
}

static void
test_garbage(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} rows[] = {
		{ "EHLO example.org\r\n", 18 },
		{ "\x16\x03\x01\xff\xff", 5 },
		{ "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", 10 },
		{ "\x15\x03\x01\x00\x02\x02\x28", 7 },
		{ "\x17\x03\x03\x00\x01x", 6 },
	};
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;
	size_t i;

	open_with(&b, &cs->ec, NULL);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		client_open(&c, 0);
		client_start(&b, &c, TLS_IMAP, 0, 10000);
		assert_int_equal(send(c.fd, rows[i].bytes, rows[i].n, 0),
				 rows[i].n);
		wait_done(&b, &c);
		assert_int_equal(c.class, TLS_FAIL_HANDSHAKE);
		assert_true(c.text[0] != '\0');
		client_close(&c);
	}
	bed_close(&b);
}

/* What we do not speak is refused. */
static void
test_refused(void **state)
{
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;

	open_with(&b, &cs->ec, NULL);
	client_open(&c, TLS1_1_VERSION);
	SSL_set_security_level(c.ssl, 0);
	assert_false(client_run(&b, &c, TLS_IMAP));
	assert_int_equal(c.class, TLS_FAIL_HANDSHAKE);
	assert_string_equal(c.text, "unsupported protocol");
	client_close(&c);

	client_open(&c, TLS1_2_VERSION);
	SSL_set_cipher_list(c.ssl, "AES128-GCM-SHA256"); /* kRSA */
	assert_false(client_run(&b, &c, TLS_IMAP));
	assert_string_equal(c.text, "no shared cipher");
	client_close(&c);

	/* Parameters may allow less: a reload in place. */
	b.conf.protocols = TLS_V1_3;
	tlsd_configure(&b.tlsd, &b.conf);
	client_open(&c, TLS1_2_VERSION);
	assert_false(client_run(&b, &c, TLS_IMAP));
	assert_string_equal(c.text, "unsupported protocol");
	client_close(&c);
	bed_close(&b);
}

static void
test_preempt(void **state)
{
	const struct certs *cs = *state;
	static const char *const want[] = { "ECDHE-ECDSA-AES128-GCM-SHA256",
					    "ECDHE-ECDSA-AES256-GCM-SHA384" };
	struct bed_client c;
	struct bed b;
	int i;

	open_with(&b, &cs->ec, NULL);
	for (i = 0; i < 2; i++) {
		b.conf.preempt = i;
		tlsd_configure(&b.tlsd, &b.conf);
		client_open(&c, TLS1_2_VERSION);
		SSL_set_cipher_list(c.ssl, "ECDHE+AES128:ECDHE+AES256");
		assert_true(client_run(&b, &c, TLS_IMAP));
		assert_string_equal(c.facts.cipher, want[i]);
		client_close(&c);
	}
	bed_close(&b);
}

/* The service gives up on it: no place is kept for a client who is silent. */
static void
test_cancel(void **state)
{
	const struct certs *cs = *state;
	struct bed_client c;
	struct bed b;

	open_with(&b, &cs->ec, NULL);
	client_open(&c, 0);
	client_start(&b, &c, TLS_IMAP, 0, 10000);
	bed_turns(&b, 5);
	assert_int_equal(b.tlsd.nstreams, 1);
	tls_client_cancel(b.service, c.tag);
	bed_turns(&b, 5);
	assert_int_equal(b.tlsd.nstreams, 0);
	assert_int_not_equal(SSL_connect(c.ssl), 1);
	assert_int_equal(c.done, 0);
	client_close(&c);
	bed_close(&b);
}

/* The service dies: its handshakes end, its streams too. */
static void
test_service_dies(void **state)
{
	const struct certs *cs = *state;
	struct bed_client up, c;
	struct bed b;

	open_with(&b, &cs->ec, NULL);
	client_open(&up, 0);
	assert_true(client_run(&b, &up, TLS_IMAP));
	client_open(&c, 0);
	client_start(&b, &c, TLS_IMAP, 0, 10000);
	assert_int_equal(b.tlsd.nstreams, 2);
	tls_client_free(b.service);
	b.service = NULL;
	bed_turns(&b, 5);
	assert_int_equal(b.tlsd.nstreams, 1);
	client_echo(&b, &up);
	client_close(&up);
	client_close(&c);
	bed_turns(&b, 5);
	assert_int_equal(b.tlsd.nstreams, 0);
	bed_close(&b);
}

static void
test_limit(void **state)
{
	enum { MAX = 100 }; /* of the test bed */
	const struct certs *cs = *state;
	static struct bed_client c[MAX + 1];
	struct bed b;
	int i;

	open_with(&b, &cs->ec, NULL);
	for (i = 0; i <= MAX; i++) {
		client_open(&c[i], 0);
		client_start(&b, &c[i], TLS_IMAP, 0, 10000);
	}
	bed_turns(&b, 3);
	assert_int_equal(c[MAX].done, 1);
	assert_int_equal(c[MAX].class, TLS_FAIL_LOCAL);
	assert_string_equal(c[MAX].text, "too many connections");
	assert_true(client_shake(&b, &c[0]));
	for (i = 0; i <= MAX; i++)
		client_close(&c[i]);
	bed_turns(&b, 5);
	assert_int_equal(b.tlsd.nstreams, 0);
	bed_close(&b);
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
		cmocka_unit_test(test_ec_and_rsa),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_unique_without_ems),
		cmocka_unit_test(test_ticket_rotation),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_client_certs),
		cmocka_unit_test(test_client_cert_facts),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_client_leaves),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_preempt),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_service_dies),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
