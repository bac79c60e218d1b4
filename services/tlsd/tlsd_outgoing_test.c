/* SPDX-License-Identifier: ISC */
/* tlsd as the client of other hosts' servers. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "cert/make.h"
#include "frame/tls_protocols.h"
#include "outgoing.h"
#include "testbed.h"

enum { HOUR = 3600 };

struct cert {
	X509 *cert;
	EVP_PKEY *key;
};

/* Made once. */
struct house {
	struct cert ca, other_ca, middle, good, wild, cn_only, expired, early,
		ip, self, unknown, deep, rsa;
};

/* One bed, one server, one connection after another. */
struct out {
	struct bed b;
	struct tls_client *smtp;
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	/* What tlsd said. */
	unsigned done;
	int plain;
	unsigned class;
	char text[TLS_TEXT_MAX + 1];
	struct tls_facts facts;
	uint32_t tag;
	bool shaken; /* the server is content */
	char sni[100];
};

static struct cert
make(const char *kind, const char *cn, const char *names, int64_t from,
     int64_t until, bool ca, const struct cert *by)
{
	int64_t now = time(NULL);
	const struct cert_wish w = {
		.kind = kind,
		.cn = cn,
		.names = str_of(names),
		.from = now + from,
		.until = now + until,
		.ca = ca,
		.issuer = by ? by->cert : NULL,
		.issuer_key = by ? by->key : NULL,
	};
	struct cert c;
	struct err err;

	if (cert_make(&w, &c.key, &c.cert, &err) < 0)
		fail_msg("%s: %s", cn, err.text);
	return c;
}

static int
house_make(void **state)
{
	static struct house h;
	struct bed_cert root;

	/* One below which there may be others. */
	root = bed_cert(BED_EC, "CA", NULL);
	h.ca = (struct cert){ root.cert, root.key };
	h.other_ca = make("P-256", "Their CA", "", -HOUR, HOUR, true, NULL);
	h.middle = make("P-256", "Middle", "", -HOUR, HOUR, true, &h.ca);
	h.good = make("P-256", "x", "mx.a.test mx2.a.test", -HOUR, HOUR, false,
		      &h.ca);
	h.wild = make("P-256", "x", "*.a.test", -HOUR, HOUR, false, &h.ca);
	h.cn_only = make("P-256", "mx.a.test", "", -HOUR, HOUR, false, &h.ca);
	h.expired =
		make("P-256", "x", "mx.a.test", -2 * HOUR, -HOUR, false, &h.ca);
	h.early = make("P-256", "x", "mx.a.test", HOUR, 2 * HOUR, false, &h.ca);
	h.ip = make("P-256", "x", "192.0.2.1", -HOUR, HOUR, false, &h.ca);
	h.self = make("P-256", "mx.a.test", "mx.a.test", -HOUR, HOUR, false,
		      NULL);
	h.unknown = make("P-256", "x", "mx.a.test", -HOUR, HOUR, false,
			 &h.other_ca);
	h.deep = make("P-256", "x", "mx.a.test", -HOUR, HOUR, false, &h.middle);
	h.rsa = make("RSA-2048", "x", "mx.a.test", -HOUR, HOUR, false, &h.ca);
	*state = &h;
	return 0;
}

static int
house_free(void **state)
{
	struct cert *c = *state;
	size_t i;

	for (i = 0; i < sizeof(struct house) / sizeof(*c); i++) {
		X509_free(c[i].cert);
		EVP_PKEY_free(c[i].key);
	}
	return 0;
}

/* --- the two sides ---------------------------------------------------------
 */

static int
on_name(SSL *ssl, int *alert, void *arg)
{
	struct out *o = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)snprintf(o->sni, sizeof(o->sni), "%s", name ? name : "");
	return SSL_TLSEXT_ERR_OK;
}

/* The authorities that tlsd trusts; NULL: none. */
static void
trust(struct out *o, const struct cert *ca)
{
	int fd = memfd_create("ca", MFD_CLOEXEC);
	struct err err;
	struct buf pem;

	buf_init(&pem, 65536);
	if (ca)
		assert_int_equal(cert_put(&pem, ca->cert, &err), 0);
	assert_int_equal(write(fd, pem.p, pem.n), pem.n);
	buf_fini(&pem);
	tlsd_server_ca(&o->b.tlsd, fd);
}

static void
out_open(struct out *o, const struct cert *cert, const struct cert *middle)
{
	int sv[2];

	*o = (struct out){ .fd = -1, .plain = -1 };
	bed_open(&o->b);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	tlsd_peer(&o->b.tlsd, &channels[CH_SMTP_TLSD], sv[0]);
	o->smtp = tls_client_new_fd(&o->b.loop, sv[1], &channels[CH_SMTP_TLSD]);
	assert_non_null(o->smtp);
	bed_turns(&o->b, 3);
	o->ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_tlsext_servername_callback(o->ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(o->ctx, o);
	SSL_CTX_set_session_id_context(o->ctx, (const unsigned char *)"x", 1);
	SSL_CTX_set_security_level(o->ctx, 0);
	if (!cert)
		return;
	assert_int_equal(SSL_CTX_use_certificate(o->ctx, cert->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(o->ctx, cert->key), 1);
	if (middle)
		assert_int_equal(SSL_CTX_add1_chain_cert(o->ctx, middle->cert),
				 1);
}

static void
hang_up(struct out *o)
{
	SSL_free(o->ssl);
	o->ssl = NULL;
	if (o->fd >= 0)
		close(o->fd);
	if (o->plain >= 0)
		close(o->plain);
	o->fd = o->plain = -1;
	bed_turns(&o->b, 3);
}

static void
out_close(struct out *o)
{
	hang_up(o);
	tls_client_free(o->smtp);
	SSL_CTX_free(o->ctx);
	bed_close(&o->b);
}

static void
on_done(void *arg, int fd, const struct tls_facts *facts, unsigned class,
	const char *text)
{
	struct out *o = arg;

	o->done++;
	o->plain = fd;
	o->class = class;
	if (facts)
		o->facts = *facts;
	(void)snprintf(o->text, sizeof(o->text), "%s", text);
	if (fd >= 0)
		assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

struct want {
	enum tls_level level;
	const char *host, *match; /* by blanks */
	const char *digest, *exclude;
	unsigned protocols;
	enum tls_grade grade;
};

/* Ask tlsd; the server's end is o->fd. */
static void
ask(struct out *o, const struct want *w, unsigned timeout_ms)
{
	static const struct conn_ops none;
	struct msg_tls_client m = {
		.level = (uint8_t)w->level,
		.protocols =
			(uint8_t)(w->protocols ? w->protocols : TLS_V_SPOKEN),
		.grade = (uint8_t)w->grade,
		.exclude = str_of(w->exclude ? w->exclude : ""),
		.host = str_of(w->host ? w->host : ""),
		.digest = str_of(w->digest ? w->digest : "sha256"),
	};
	struct str rest = str_of(w->match ? w->match : ""), word;
	struct conn *c;
	struct buf list;
	struct err err;
	uint32_t n = 0;
	int sv[2];

	hang_up(o);
	o->done = 0;
	o->shaken = false;
	o->sni[0] = '\0';
	buf_init(&list, 4096);
	for (; str_token(&rest, " ", &word); n++) {
		const struct msg_tls_match one = { word };

		assert_int_equal(
			msg_list_add(&list, &msg_tls_match_def, &one, &err), 0);
	}
	m.match = msg_list_of(&list, n, &msg_tls_match_def);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	o->fd = sv[0];
	c = conn_new(&o->b.loop, sv[1], 1000, 1000, &none, NULL);
	assert_non_null(c);
	assert_int_equal(tls_client_connect(o->smtp, &c, &m, timeout_ms,
					    on_done, o, &o->tag, &err),
			 0);
	assert_null(c);
	buf_fini(&list);
	bed_turns(&o->b, 3);
}

/* Both sides until tlsd has answered. */
static bool
shake(struct out *o)
{
	bool over = false;
	int i, rc;

	o->ssl = SSL_new(o->ctx);
	SSL_set_fd(o->ssl, o->fd);
	for (i = 0; i < 1000 && !(over && o->done); i++) {
		ERR_clear_error();
		if (!over) {
			rc = SSL_accept(o->ssl);
			over = rc == 1 ||
			       SSL_get_error(o->ssl, rc) != SSL_ERROR_WANT_READ;
			o->shaken = rc == 1;
		}
		bed_turns(&o->b, 2);
	}
	ERR_clear_error();
	assert_int_equal(o->done, 1);
	return o->plain >= 0;
}

static bool
run(struct out *o, const struct want *w)
{
	ask(o, w, 10000);
	return shake(o);
}

static void
echo(struct out *o)
{
	char text[20];
	int i, n = -1;

	assert_int_equal(send(o->plain, "hello", 5, 0), 5);
	for (i = 0; i < 20 && n <= 0; i++) {
		bed_turns(&o->b, 1);
		n = SSL_read(o->ssl, text, sizeof(text));
	}
	assert_int_equal(n, 5);
	assert_memory_equal(text, "hello", 5);
	assert_int_equal(SSL_write(o->ssl, "and back", 8), 8);
	for (i = 0, n = -1; i < 20 && n <= 0; i++) {
		bed_turns(&o->b, 1);
		n = (int)recv(o->plain, text, sizeof(text), 0);
	}
	assert_int_equal(n, 8);
	assert_memory_equal(text, "and back", 8);
}

/* --- what is asked of a server ---------------------------------------------
 */

static void
test_levels(void **state)
{
	static const char trusted[] = "Server certificate not trusted: ";
	static const char mismatch[] =
		"Server certificate not verified: subject mismatch, it is for ";
	const struct house *h = *state;
	const struct {
		const char *name;
		const struct cert *cert, *middle;
		enum tls_level level;
		const char *match;
		enum tls_peer_cert peer; /* if it is good */
		const char *text[2];	 /* if it is not */
	} rows[] = {
		{ "may, trusted",
		  &h->good,
		  NULL,
		  TLS_MAY,
		  "",
		  TLS_PEER_TRUSTED,
		  { NULL } },
		{ "may, unknown CA",
		  &h->unknown,
		  NULL,
		  TLS_MAY,
		  "",
		  TLS_PEER_UNTRUSTED,
		  { NULL } },
		{ "may, self-signed",
		  &h->self,
		  NULL,
		  TLS_MAY,
		  "",
		  TLS_PEER_UNTRUSTED,
		  { NULL } },
		{ "may, expired",
		  &h->expired,
		  NULL,
		  TLS_MAY,
		  "",
		  TLS_PEER_UNTRUSTED,
		  { NULL } },
		{ "encrypt, self-signed",
		  &h->self,
		  NULL,
		  TLS_ENCRYPT,
		  "",
		  TLS_PEER_UNTRUSTED,
		  { NULL } },
		{ "verify",
		  &h->good,
		  NULL,
		  TLS_VERIFY,
		  "mx.a.test",
		  TLS_PEER_VERIFIED,
		  { NULL } },
		{ "verify, case",
		  &h->good,
		  NULL,
		  TLS_VERIFY,
		  "MX2.A.test",
		  TLS_PEER_VERIFIED,
		  { NULL } },
		{ "verify, RSA",
		  &h->rsa,
		  NULL,
		  TLS_VERIFY,
		  "mx.a.test",
		  TLS_PEER_VERIFIED,
		  { NULL } },
		{ "second of the list",
		  &h->good,
		  NULL,
		  TLS_SECURE,
		  "a.test .a.test",
		  TLS_PEER_VERIFIED,
		  { NULL } },
		{ "below means below",
		  &h->good,
		  NULL,
		  TLS_SECURE,
		  ".mx.a.test",
		  0,
		  { mismatch, "\"mx.a.test, mx2.a.test\", not for "
			      "\".mx.a.test\"" } },
		{ "through a middle one",
		  &h->deep,
		  &h->middle,
		  TLS_VERIFY,
		  "mx.a.test",
		  TLS_PEER_VERIFIED,
		  { NULL } },
		{ "the middle one is missing",
		  &h->deep,
		  NULL,
		  TLS_VERIFY,
		  "mx.a.test",
		  0,
		  { trusted, "untrusted issuer \"Middle\"" } },
		{ "wildcard",
		  &h->wild,
		  NULL,
		  TLS_VERIFY,
		  "mx.a.test",
		  TLS_PEER_VERIFIED,
		  { NULL } },
		{ "wildcard is one label",
		  &h->wild,
		  NULL,
		  TLS_VERIFY,
		  "x.mx.a.test",
		  0,
		  { mismatch, "\"*.a.test\", not for \"x.mx.a.test\"" } },
		{ "wildcard is not none",
		  &h->wild,
		  NULL,
		  TLS_VERIFY,
		  "a.test",
		  0,
		  { mismatch, "\"*.a.test\", not for \"a.test\"" } },
		{ "wildcard is below",
		  &h->wild,
		  NULL,
		  TLS_SECURE,
		  ".a.test",
		  TLS_PEER_VERIFIED,
		  { NULL } },
		{ "common name",
		  &h->cn_only,
		  NULL,
		  TLS_VERIFY,
		  "mx.a.test",
		  TLS_PEER_VERIFIED,
		  { NULL } },
		{ "common name beside others",
		  &h->good,
		  NULL,
		  TLS_VERIFY,
		  "x",
		  0,
		  { mismatch, "\"mx.a.test, mx2.a.test\", not for \"x\"" } },
		{ "address",
		  &h->ip,
		  NULL,
		  TLS_VERIFY,
		  "192.0.2.1",
		  TLS_PEER_VERIFIED,
		  { NULL } },
		{ "another address",
		  &h->ip,
		  NULL,
		  TLS_VERIFY,
		  "192.0.2.2",
		  0,
		  { mismatch, "\"x\", not for \"192.0.2.2\"" } },
		{ "a name is no address",
		  &h->good,
		  NULL,
		  TLS_VERIFY,
		  "192.0.2.1",
		  0,
		  { mismatch,
		    "\"mx.a.test, mx2.a.test\", not for \"192.0.2.1\"" } },
		{ "wrong name",
		  &h->good,
		  NULL,
		  TLS_VERIFY,
		  "mx.b.test",
		  0,
		  { mismatch,
		    "\"mx.a.test, mx2.a.test\", not for \"mx.b.test\"" } },
		{ "no name",
		  &h->good,
		  NULL,
		  TLS_VERIFY,
		  "",
		  0,
		  { mismatch, "\"mx.a.test, mx2.a.test\", not for \"\"" } },
		{ "expired",
		  &h->expired,
		  NULL,
		  TLS_VERIFY,
		  "mx.a.test",
		  0,
		  { trusted, "certificate has expired" } },
		{ "early",
		  &h->early,
		  NULL,
		  TLS_SECURE,
		  "mx.a.test",
		  0,
		  { trusted, "certificate is not yet valid" } },
		{ "self-signed",
		  &h->self,
		  NULL,
		  TLS_VERIFY,
		  "mx.a.test",
		  0,
		  { trusted, "self-signed certificate" } },
		{ "unknown CA",
		  &h->unknown,
		  NULL,
		  TLS_VERIFY,
		  "mx.a.test",
		  0,
		  { trusted, "untrusted issuer \"Their CA\"" } },
	};
	char want[300];
	struct out o;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct want w = { .level = rows[i].level,
					.host = "mx.a.test",
					.match = rows[i].match };
		bool good;

		out_open(&o, rows[i].cert, rows[i].middle);
		trust(&o, &h->ca);
		good = run(&o, &w);
		if (rows[i].text[0]) {
			(void)snprintf(want, sizeof(want), "%s%s",
				       rows[i].text[0], rows[i].text[1]);
			if (good || o.class != TLS_FAIL_PEER ||
			    strcmp(o.text, want) != 0)
				fail_msg("%s: %d %u %s", rows[i].name, good,
					 o.class, o.text);
		} else if (!good || o.facts.peer != rows[i].peer) {
			fail_msg("%s: %d %u %s", rows[i].name, good,
				 o.facts.peer, o.text);
		} else {
			assert_string_equal(o.sni, "mx.a.test");
			echo(&o);
		}
		out_close(&o);
	}
}

static void
test_no_authorities(void **state)
{
	const struct house *h = *state;
	const struct want may = { .level = TLS_MAY };
	const struct want verify = { .level = TLS_VERIFY,
				     .match = "mx.a.test" };
	struct out o;

	out_open(&o, &h->good, NULL);
	assert_true(run(&o, &may));
	assert_int_equal(o.facts.peer, TLS_PEER_UNTRUSTED);
	assert_string_equal(o.sni, "");
	assert_false(run(&o, &verify));
	assert_string_equal(o.text, "Server certificate not trusted: "
				    "untrusted issuer \"CA\"");
	trust(&o, &h->ca);
	assert_true(run(&o, &verify));
	trust(&o, &h->other_ca);
	assert_false(run(&o, &verify));
	out_close(&o);
}

static void
hex(char *to, const unsigned char *d, unsigned n, bool lower)
{
	unsigned i;

	for (i = 0; i < n; i++)
		(void)snprintf(to + (size_t)3 * i, 4,
			       lower ? "%02x%s" : "%02X%s", d[i],
			       i + 1 < n ? ":" : "");
}

static void
test_fingerprints(void **state)
{
	const struct house *h = *state;
	unsigned char d[64], *spki = NULL;
	char cert[200], key[200], match[500];
	struct want w = { .level = TLS_FINGERPRINT, .match = match };
	struct out o;
	unsigned n;
	int len;

	out_open(&o, &h->self, NULL);
	X509_digest(h->self.cert, EVP_sha256(), d, &n);
	hex(cert, d, n, false);
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(h->self.cert), &spki);
	EVP_Digest(spki, (size_t)len, d, &n, EVP_sha256(), NULL);
	hex(key, d, n, true);
	OPENSSL_free(spki);

	(void)snprintf(match, sizeof(match), "AB:CD %s", cert);
	assert_true(run(&o, &w));
	assert_int_equal(o.facts.peer, TLS_PEER_VERIFIED);
	assert_string_equal(o.facts.peer_fingerprint, cert);
	(void)snprintf(match, sizeof(match), "%s", key);
	assert_true(run(&o, &w));
	w.digest = "sha1";
	assert_false(run(&o, &w));
	assert_int_equal(o.class, TLS_FAIL_PEER);
	X509_digest(h->self.cert, EVP_sha512(), d, &n);
	hex(match, d, n, true);
	w.digest = "sha512";
	assert_true(run(&o, &w));
	/* A part of one is none. */
	match[strlen(match) - 3] = '\0';
	assert_false(run(&o, &w));
	w.digest = "sha256";
	(void)snprintf(match, sizeof(match), "%.*s%s", 3, "AB:", cert + 3);
	assert_false(run(&o, &w));
	(void)snprintf(match, sizeof(match),
		       "Server certificate not verified: no fingerprint "
		       "match, its sha256 is %s",
		       cert);
	assert_string_equal(o.text, match);
	w.digest = "none";
	assert_false(run(&o, &w));
	out_close(&o);
}

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
		if (run(&o, &w) != (rows[i].want != NULL))
			fail_msg("row %zu: %s", i, o.text);
		if (rows[i].want) {
			assert_string_equal(o.facts.protocol, rows[i].want);
			assert_string_not_equal(o.facts.cipher,
						rows[i].exclude);
			echo(&o);
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
	ask(&o, &w, 1000);
	assert_int_equal(o.done, 1);
	assert_int_equal(o.class, TLS_FAIL_LOCAL);
	assert_string_equal(o.text,
			    "TLS cannot be set up as wanted: no cipher match");
	/* As a client, also where RSA carries the key. */
	w.exclude = "";
	SSL_CTX_set_cipher_list(o.ctx, "AES256-SHA256");
	assert_true(run(&o, &w));
	assert_string_equal(o.facts.cipher, "AES256-SHA256");
	/* The grades are different lists. */
	w.grade = TLS_GRADE_HIGH;
	SSL_CTX_set_cipher_list(o.ctx, "ECDHE-RSA-AES128-SHA256");
	assert_false(run(&o, &w));
	w.grade = TLS_GRADE_MEDIUM;
	assert_true(run(&o, &w));
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
		assert_true(run(&o, &w));
		assert_true(run(&o, &w));
		assert_in_range(o.b.tlsd.nout_contexts, 1, OUT_CONTEXTS_MAX);
	}
	assert_int_equal(o.b.tlsd.nout_contexts, OUT_CONTEXTS_MAX);
	tlsd_configure(&o.b.tlsd, &o.b.conf);
	assert_int_equal(o.b.tlsd.nout_contexts, 0);
	echo(&o);
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
		trust(&o, &h->ca);
		SSL_CTX_set_max_proto_version(o.ctx, versions[i]);
		assert_true(run(&o, &w));
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

/* --- sessions --------------------------------------------------------------
 */

static void
test_resumption(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct house *h = *state;
	const struct want w = { .level = TLS_VERIFY,
				.host = "mx.a.test",
				.match = "mx.a.test" };
	unsigned char theirs[64];
	struct out o;
	size_t i, n, k;

	for (i = 0; i < 2; i++) {
		bool is13 = versions[i] == TLS1_3_VERSION;

		out_open(&o, &h->good, NULL);
		trust(&o, &h->ca);
		SSL_CTX_set_max_proto_version(o.ctx, versions[i]);
		assert_true(run(&o, &w));
		assert_false(o.facts.resumed);
		echo(&o); /* tickets come with it */
		for (k = 0; k < 4; k++) {
			assert_true(run(&o, &w));
			assert_true(o.facts.resumed);
			assert_int_equal(o.facts.peer, TLS_PEER_VERIFIED);
			assert_string_equal(o.facts.peer_issuer, "CA");
			assert_int_equal(o.facts.endpoint_n, 32);
			echo(&o);
		}
		n = SSL_get_finished(o.ssl, theirs, sizeof(theirs));
		assert_int_equal(o.facts.unique_n, is13 ? 0 : n);
		if (!is13)
			assert_memory_equal(o.facts.unique, theirs, n);
		out_close(&o);
	}
}

/* Anything else that is asked is another key, and so is what is trusted. */
static void
test_resumption_policy(void **state)
{
	const struct house *h = *state;
	const struct want first = { .level = TLS_MAY, .host = "mx.a.test" };
	const struct want others[] = {
		{ .level = TLS_ENCRYPT, .host = "mx.a.test" },
		{ .level = TLS_MAY, .host = "mx2.a.test" },
		{ .level = TLS_MAY, .host = "mx.a.test", .exclude = "RC4" },
		{ .level = TLS_MAY,
		  .host = "mx.a.test",
		  .grade = TLS_GRADE_HIGH },
		{ .level = TLS_MAY, .host = "mx.a.test", .digest = "sha1" },
		{ .level = TLS_VERIFY,
		  .host = "mx.a.test",
		  .match = "mx.a.test" },
		{ .level = TLS_VERIFY,
		  .host = "mx.a.test",
		  .match = "mx2.a.test" },
		{ .level = TLS_SECURE,
		  .host = "mx.a.test",
		  .match = "mx.a.test" },
	};
	struct out o;
	size_t i;

	out_open(&o, &h->good, NULL);
	trust(&o, &h->ca);
	assert_true(run(&o, &first));
	echo(&o);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_true(run(&o, &others[i]));
		assert_false(o.facts.resumed);
		echo(&o);
	}
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_true(run(&o, &others[i]));
		assert_true(o.facts.resumed);
		echo(&o);
	}
	assert_true(run(&o, &first));
	assert_true(o.facts.resumed);
	echo(&o);
	trust(&o, NULL);
	assert_true(run(&o, &first));
	assert_false(o.facts.resumed);
	assert_int_equal(o.facts.peer, TLS_PEER_UNTRUSTED);
	out_close(&o);
}

/* A session of a server that was not the right one does not become it. */
static void
test_resumption_refused(void **state)
{
	const struct house *h = *state;
	const struct want w = { .level = TLS_VERIFY,
				.host = "mx.b.test",
				.match = "mx.b.test" };
	struct out o;
	int k;

	out_open(&o, &h->good, NULL);
	trust(&o, &h->ca);
	SSL_CTX_set_max_proto_version(o.ctx, TLS1_2_VERSION);
	for (k = 0; k < 3; k++) {
		assert_false(run(&o, &w));
		assert_int_equal(o.class, TLS_FAIL_PEER);
	}
	out_close(&o);
}

static void
test_resumption_off(void **state)
{
	const struct house *h = *state;
	const struct want w = { .level = TLS_MAY };
	struct out o;

	out_open(&o, &h->good, NULL);
	o.b.conf.out_session_s = 0;
	tlsd_configure(&o.b.tlsd, &o.b.conf);
	assert_true(run(&o, &w));
	echo(&o);
	assert_true(run(&o, &w));
	assert_false(o.facts.resumed);
	assert_int_equal(o.b.tlsd.sessions.n, 0);
	out_close(&o);
}

/* --- the store of sessions -------------------------------------------------
 */

static SSL_SESSION *
a_session(int version, size_t host_n)
{
	static const unsigned char key[32] = "secret";
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	SSL *ssl = SSL_new(ctx);
	SSL_SESSION *s = SSL_SESSION_new();
	char *host = calloc(1, host_n + 1);

	SSL_SESSION_set_cipher(
		s, SSL_CIPHER_find(ssl, version == TLS1_3_VERSION
						? (const uint8_t *)"\x13\x02"
						: (const uint8_t *)"\xc0\x2c"));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	memset(host, 'x', host_n);
	SSL_SESSION_set_protocol_version(s, version);
	SSL_SESSION_set1_master_key(s, key, sizeof(key));
	SSL_SESSION_set1_id(s, key, sizeof(key));
	SSL_SESSION_set1_ticket_appdata(s, host, host_n);
	free(host);
	return s;
}

static bool
take(struct sessions *ss, const uint8_t key[SESSION_KEY], uint64_t now)
{
	SSL_SESSION *s = sessions_take(ss, key, now);

	SSL_SESSION_free(s);
	return s != NULL;
}

static void
test_store(void **state)
{
	SSL_SESSION *s13 = a_session(TLS1_3_VERSION, 10);
	SSL_SESSION *s12 = a_session(TLS1_2_VERSION, 10);
	SSL_SESSION *large = a_session(TLS1_3_VERSION, SESSION_BYTES_MAX);
	uint8_t key[SESSION_KEY] = "a";
	struct sessions ss;
	unsigned i;

	(void)state;
	sessions_init(&ss);
	assert_false(take(&ss, key, 0));
	/* Once each, or as often as wanted. */
	sessions_put(&ss, key, s13, 100);
	sessions_put(&ss, key, s13, 100);
	assert_true(take(&ss, key, 50));
	assert_true(take(&ss, key, 50));
	assert_false(take(&ss, key, 50));
	assert_int_equal(ss.n, 0);
	sessions_put(&ss, key, s12, 100);
	assert_true(take(&ss, key, 50));
	assert_true(take(&ss, key, 99));
	assert_false(take(&ss, key, 100));
	assert_int_equal(ss.n, 0);
	/* So many of a key. */
	for (i = 0; i < 10; i++)
		sessions_put(&ss, key, s13, 100 + i);
	for (i = 0; i < SESSION_EACH_MAX; i++)
		assert_true(take(&ss, key, 50));
	assert_false(take(&ss, key, 50));
	sessions_put(&ss, key, large, 100);
	assert_int_equal(ss.n, 0);
	/* So many keys; the one used last stays. */
	for (i = 0; i < SESSION_KEYS_MAX + 100; i++) {
		memcpy(key, &i, sizeof(i));
		sessions_put(&ss, key, s13, 100);
		key[0] = key[1] = key[2] = key[3] = 0;
		sessions_put(&ss, key, s12, 100);
	}
	assert_int_equal(ss.n, SESSION_KEYS_MAX);
	assert_true(take(&ss, key, 50));
	i = 50;
	memcpy(key, &i, sizeof(i));
	assert_false(take(&ss, key, 50));
	i = SESSION_KEYS_MAX;
	memcpy(key, &i, sizeof(i));
	assert_true(take(&ss, key, 50));
	sessions_flush(&ss);
	assert_int_equal(ss.n, 0);
	assert_false(take(&ss, key, 50));
	SSL_SESSION_free(s13);
	SSL_SESSION_free(s12);
	SSL_SESSION_free(large);
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
	ask(&o, &w, 50);
	fails_with(&o, TLS_FAIL_TIMEOUT, "the handshake takes too long");
	/* The end, at once and in the middle. */
	ask(&o, &w, 10000);
	close(o.fd);
	o.fd = -1;
	fails_with(&o, TLS_FAIL_CLOSED, "the server closed the connection");
	ask(&o, &w, 10000);
	assert_int_equal(send(o.fd, "\x16\x03\x03\x00\x20\x02", 6, 0), 6);
	shutdown(o.fd, SHUT_WR);
	fails_with(&o, TLS_FAIL_CLOSED, "the server closed the connection");
	/* What is no TLS; followed by the end, so that all of it is seen. */
	for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		ask(&o, &w, 10000);
		assert_true(send(o.fd, garbage[i], strlen(garbage[i]), 0) > 0);
		shutdown(o.fd, SHUT_WR);
		fails_with(&o,
			   i < 2 || i == 3 ? TLS_FAIL_HANDSHAKE
					   : TLS_FAIL_CLOSED,
			   NULL);
	}
	/* An alert has a text of its own. */
	ask(&o, &w, 10000);
	assert_int_equal(send(o.fd, "\x15\x03\x03\x00\x02\x02\x28", 7, 0), 7);
	fails_with(&o, TLS_FAIL_HANDSHAKE, "sslv3 alert handshake failure");
	/* Whoever asked is gone. */
	ask(&o, &w, 10000);
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
	assert_true(run(&o, &w));
	w.host = "mx.a.test"; /* not to be resumed */
	for (i = 0; i < 250; i++)
		SSL_CTX_add1_chain_cert(o.ctx, h->middle.cert);
	assert_false(run(&o, &w));
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
	assert_int_equal(tls_client_connect(o.smtp, &c, &m, 1000, on_done, &o,
					    &o.tag, &err),
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
		(void)run(&o, &w);
		assert_false(o.shaken); /* there is none */
		o.b.out = true;
		bed_certs(&o.b, both);
		/* They are not for clients. */
		assert_false(tls_client_offers(o.b.service));
		assert_true(run(&o, &w));
		assert_true(o.shaken);
		echo(&o);
		assert_int_equal(o.b.signatures, 1);
		if (X509_cmp(SSL_get0_peer_certificate(o.ssl), rows[i].want))
			fail_msg("row %zu: the other one", i);
		/* Without keyd there is no signature. */
		SSL_CTX_set_options(o.ctx, SSL_OP_NO_TICKET);
		bed_no_signer(&o.b);
		tlsd_configure(&o.b.tlsd, &o.b.conf);
		assert_false(run(&o, &w));
		assert_int_equal(o.class, TLS_FAIL_LOCAL);
		bed_certs(&o.b, none);
		(void)run(&o, &w);
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
	assert_true(run(&o, &w));
	tlsd_drain(&o.b.tlsd);
	bed_turns(&o.b, 3);
	assert_false(tls_client_offers(o.smtp));
	echo(&o);
	ask(&o, &w, 1000);
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
	ask(&o, &w, 1000);
	assert_int_equal(o.class, TLS_FAIL_LOCAL);
	assert_string_equal(o.text, "too many connections");
	out_close(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_no_authorities),
		cmocka_unit_test(test_fingerprints),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_ciphers),
		cmocka_unit_test(test_contexts),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_resumption_policy),
		cmocka_unit_test(test_resumption_refused),
		cmocka_unit_test(test_resumption_off),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_bad_servers),
		cmocka_unit_test(test_huge_chain),
		cmocka_unit_test(test_injected),
		cmocka_unit_test(test_own_certificates),
		cmocka_unit_test(test_offer),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, house_make, house_free);
}
