/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "testbed.h"

/* --- certificates ----------------------------------------------------------
 */

static void
add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void
add_names(X509 *cert, const char *names, bool is_ca)
{
	struct str rest = str_of(names), word;
	char text[2000] = "";
	size_t n = 0;

	if (is_ca) {
		add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
		add_extension(cert, NID_subject_key_identifier, "hash");
	}
	while (str_token(&rest, " ", &word))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%sDNS:%.*s",
				      n ? "," : "", STR_FMT(word));
	if (n && !is_ca)
		add_extension(cert, NID_subject_alt_name, text);
}

struct bed_cert
bed_cert(enum bed_kind kind, const char *names, const struct bed_cert *ca)
{
	static long serial = 1;
	struct bed_cert c = { .cert = X509_new() };
	struct str rest = str_of(names), first = STR("");
	X509_NAME *name = X509_NAME_new();

	c.key = kind == BED_EC	  ? EVP_EC_gen("P-256")
		: kind == BED_RSA ? EVP_RSA_gen((size_t)2048)
				  : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	(void)str_token(&rest, " ", &first);
	assert_non_null(c.key);
	X509_set_version(c.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(c.cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c.cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(c.cert), 3600);
	X509_set_pubkey(c.cert, c.key);
	if (first.n)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					   (const unsigned char *)first.p,
					   (int)first.n, -1, 0);
	X509_set_subject_name(c.cert, name);
	X509_set_issuer_name(c.cert,
			     ca ? X509_get_subject_name(ca->cert) : name);
	add_names(c.cert, names, !ca && str_starts(first, STR("CA")));
	assert_true(X509_sign(c.cert, ca ? ca->key : c.key,
			      kind == BED_ED25519 ? NULL : EVP_sha256()) > 0);
	X509_NAME_free(name);
	return c;
}

void
bed_cert_free(struct bed_cert *c)
{
	X509_free(c->cert);
	EVP_PKEY_free(c->key);
	*c = (struct bed_cert){ 0 };
}

/* --- keyd ------------------------------------------------------------------
 */

static void
send_msg(int fd, const struct msg_def *def, uint32_t tag, const void *msg)
{
	struct err err;
	struct buf b;
	size_t nfds;

	buf_init(&b, MSG_FRAME_MAX);
	assert_int_equal(msg_encode(&b, def, tag, msg, NULL, &nfds, &err), 0);
	assert_int_equal(send(fd, b.p, b.n, MSG_NOSIGNAL), b.n);
	buf_fini(&b);
}

void
bed_note(struct bed *b, const struct msg_def *def, const void *msg)
{
	send_msg(b->keyd, def, 0, msg);
	bed_turns(b, 3);
}

void
bed_chain(struct bed *b, uint32_t set, uint16_t key, const struct bed_cert *c,
	  const char *names)
{
	struct msg_key_chain m = {
		.set = set,
		.key = key,
		.fallback = !names,
		.out = b->out,
		.names = str_of(names ? names : ""),
	};
	unsigned char *der = NULL;
	struct msg_key_der e;
	struct err err;
	struct buf certs;

	e.der.n = (size_t)i2d_X509(c->cert, &der);
	e.der.p = (char *)der;
	buf_init(&certs, KEY_CHAIN_MAX);
	assert_int_equal(msg_list_add(&certs, &msg_key_der_def, &e, &err), 0);
	m.certs = msg_list_of(&certs, 1, &msg_key_der_def);
	bed_note(b, &msg_key_chain_def, &m);
	buf_fini(&certs);
	OPENSSL_free(der);
	if (key < sizeof(b->keys) / sizeof(b->keys[0]))
		b->keys[key] = c->key;
}

void
bed_set(struct bed *b, uint32_t set, uint16_t keys)
{
	const struct msg_key_set m = { set, keys, b->out };

	b->set = set;
	bed_note(b, &msg_key_set_def, &m);
}

void
bed_certs(struct bed *b, const struct bed_cert *const certs[])
{
	uint32_t set = b->set + 1;
	uint16_t n = 0;

	for (; certs[n]; n++)
		bed_chain(b, set, n, certs[n], NULL);
	bed_set(b, set, n);
}

void
bed_tickets(struct bed *b, uint8_t first, unsigned n)
{
	char name[KEY_TICKET_NAME] = "", secret[KEY_TICKET_SECRET] = "";
	struct msg_key_tickets m = { 0 };
	struct msg_key_ticket e = { str_mem(name, sizeof(name)),
				    str_mem(secret, sizeof(secret)) };
	struct err err;
	struct buf list;
	unsigned i;

	buf_init(&list, 1000);
	for (i = 0; i < n; i++) {
		memset(name, first + (int)i, sizeof(name));
		memset(secret, first + (int)i, sizeof(secret));
		assert_int_equal(
			msg_list_add(&list, &msg_key_ticket_def, &e, &err), 0);
	}
	m.keys = msg_list_of(&list, n, &msg_key_ticket_def);
	bed_note(b, &msg_key_tickets_def, &m);
	buf_fini(&list);
}

static size_t
sign_with(const EVP_PKEY *key, const struct msg_key_sign *m, uint8_t out[])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new((EVP_PKEY *)(uintptr_t)key, NULL);
	size_t n = KEY_SIGNATURE_MAX;
	int padding =
		m->scheme == KEY_RSA_RAW ? RSA_NO_PADDING : RSA_PKCS1_PADDING;
	bool ok;

	ok = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
	     (m->scheme == KEY_ECDSA ||
	      EVP_PKEY_CTX_set_rsa_padding(ctx, padding) == 1) &&
	     EVP_PKEY_sign(ctx, out, &n, (const unsigned char *)m->data.p,
			   m->data.n) == 1;
	EVP_PKEY_CTX_free(ctx);
	return ok ? n : 0;
}

static void *
signer(void *arg)
{
	static char frame[MSG_FRAME_MAX];
	struct bed *b = arg;
	uint8_t out[KEY_SIGNATURE_MAX];
	struct msg_key_refused no = { STR("no such key") };
	struct msg_key_signed yes;
	struct msg_key_sign m;
	uint16_t type;
	uint32_t tag;
	struct err err;
	ssize_t n;
	size_t k;

	while ((n = recv(b->signer, frame, sizeof(frame), 0)) > 0) {
		struct str f = str_mem(frame, (size_t)n);

		if (msg_peek(f, &type, &tag) < 0 || type != MSG_KEY_SIGN ||
		    msg_decode(f, &msg_key_sign_def, &m, NULL, 0, &err) < 0)
			break;
		while (b->mute)
			usleep(1000);
		k = 0;
		if (m.set == b->set && m.key < 8 && b->keys[m.key])
			k = sign_with(b->keys[m.key], &m, out);
		b->signatures++;
		yes.signature = str_mem(out, k);
		if (k)
			send_msg(b->signer, &msg_key_signed_def, tag, &yes);
		else
			send_msg(b->signer, &msg_key_refused_def, tag, &no);
	}
	return NULL;
}

void
bed_signer(struct bed *b)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	b->signer = sv[1];
	assert_int_equal(pthread_create(&b->thread, NULL, signer, b), 0);
	b->thread_runs = true;
	tlsd_remote(&b->tlsd, sv[0]);
}

void
bed_no_signer(struct bed *b)
{
	if (!b->thread_runs)
		return;
	shutdown(b->signer, SHUT_RDWR);
	pthread_join(b->thread, NULL);
	close(b->signer);
	b->thread_runs = false;
}

/* --- the house -------------------------------------------------------------
 */

void
bed_turns(struct bed *b, unsigned n)
{
	while (n--)
		loop_turn(&b->loop, false);
}

static void
on_lost(void *arg)
{
	((struct bed *)arg)->lost++;
}

void
bed_open(struct bed *b)
{
	struct err err;
	int sv[2];

	*b = (struct bed){ 0 };
	assert_int_equal(loop_init(&b->loop, &err), 0);
	b->tlsd.arg = b;
	b->tlsd.remote_lost = on_lost;
	assert_int_equal(tlsd_init(&b->tlsd, &b->loop, 100, &err), 0);
	b->conf = (struct tls_conf){
		.protocols = TLS_V1_2 | TLS_V1_3,
		.mandatory = true,
		.groups = "X25519 unknown P-256",
		.digest = "sha256",
		.verify_depth = 9,
		.session_s = 3600,
		.grades = { "HIGH:MEDIUM:@STRENGTH", "AES256:@STRENGTH" },
		.out_verify_depth = 9,
		.out_session_s = 3600,
	};
	assert_int_equal(conf_ciphers(b->conf.ciphers, STR("HIGH:@STRENGTH"),
				      STR(""), STR("")),
			 0);
	tlsd_configure(&b->tlsd, &b->conf);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	b->keyd = sv[1];
	b->tlsd.keyd =
		asker_new_fd(&b->loop, sv[0], &channels[CH_TLSD_USER_KEYD],
			     tlsd_on_keyd_state, &b->tlsd);
	assert_non_null(b->tlsd.keyd);
	asker_set_note(b->tlsd.keyd, tlsd_on_keyd_note);
	tlsd_on_keyd_state(&b->tlsd, true);
	bed_signer(b);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	tlsd_peer(&b->tlsd, &channels[CH_LOGIN_TLSD], sv[0]);
	b->service =
		tls_client_new_fd(&b->loop, sv[1], &channels[CH_LOGIN_TLSD]);
	assert_non_null(b->service);
	bed_turns(b, 3);
}

void
bed_close(struct bed *b)
{
	tls_client_free(b->service);
	bed_turns(b, 3);
	tlsd_fini(&b->tlsd);
	bed_no_signer(b);
	if (b->keyd >= 0)
		close(b->keyd);
	loop_fini(&b->loop);
}

/* --- clients ---------------------------------------------------------------
 */

static int
on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct bed_client *c = SSL_get_app_data(ssl);

	SSL_SESSION_free(c->session);
	c->session = session;
	c->tickets++;
	return 1;
}

void
client_open(struct bed_client *c, int version)
{
	*c = (struct bed_client){ .fd = -1, .plain = -1 };
	c->ctx = SSL_CTX_new(TLS_client_method());
	assert_non_null(c->ctx);
	SSL_CTX_set_min_proto_version(c->ctx, version);
	SSL_CTX_set_max_proto_version(c->ctx, version);
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(c->ctx, on_ticket);
	c->ssl = SSL_new(c->ctx);
	SSL_set_app_data(c->ssl, c);
}

static void
hang_up(struct bed_client *c)
{
	SSL_free(c->ssl);
	c->ssl = NULL;
	if (c->fd >= 0)
		close(c->fd);
	if (c->plain >= 0)
		close(c->plain);
	c->fd = c->plain = -1;
}

void
client_close(struct bed_client *c)
{
	hang_up(c);
	SSL_SESSION_free(c->session);
	SSL_CTX_free(c->ctx);
}

void
client_again(struct bed_client *c)
{
	/* Without this OpenSSL takes the session for a bad one. */
	if (c->ssl)
		SSL_set_shutdown(c->ssl,
				 SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	hang_up(c);
	c->done = c->tickets = 0;
	c->ssl = SSL_new(c->ctx);
	SSL_set_app_data(c->ssl, c);
	if (c->session)
		SSL_set_session(c->ssl, c->session);
}

static void
on_done(void *arg, int fd, const struct tls_facts *facts, unsigned class,
	const char *text)
{
	struct bed_client *c = arg;

	c->done++;
	c->plain = fd;
	c->class = class;
	if (facts)
		c->facts = *facts;
	(void)!str_copy(c->text, sizeof(c->text), str_of(text));
	if (fd >= 0)
		assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

void
client_start(struct bed *b, struct bed_client *c, enum tls_use use,
	     unsigned client_cert, unsigned timeout_ms)
{
	struct err err;
	int sv[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	c->fd = sv[0];
	SSL_set_fd(c->ssl, c->fd);
	assert_int_equal(tls_client_start_fd(b->service, sv[1], use,
					     client_cert, timeout_ms, on_done,
					     c, &c->tag, &err),
			 0);
	bed_turns(b, 3);
}

static bool
is_waiting(SSL *ssl, int rc)
{
	int e = SSL_get_error(ssl, rc);

	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

bool
client_shake(struct bed *b, struct bed_client *c)
{
	bool over = false;
	int i, rc = 0;
	char none;

	for (i = 0; i < 1000 && !(over && c->done); i++) {
		ERR_clear_error();
		if (!over) {
			rc = SSL_connect(c->ssl);
			over = rc == 1 || !is_waiting(c->ssl, rc);
		}
		bed_turns(b, 2);
	}
	assert_true(over);
	assert_int_equal(c->done, 1);
	/* Tickets. */
	if (rc == 1)
		(void)!SSL_peek(c->ssl, &none, 0);
	ERR_clear_error();
	return rc == 1 && c->plain >= 0;
}

bool
client_run(struct bed *b, struct bed_client *c, enum tls_use use)
{
	client_start(b, c, use, 0, 10000);
	return client_shake(b, c);
}

size_t
plain_read(struct bed *b, struct bed_client *c, char *to, size_t n)
{
	size_t got = 0;
	ssize_t k;
	int i;

	for (i = 0; i < 20 && got < n; i++) {
		bed_turns(b, 1);
		k = recv(c->plain, to + got, n - got, 0);
		if (k > 0) {
			got += (size_t)k;
			i = 0;
		}
	}
	return got;
}

size_t
client_read(struct bed *b, struct bed_client *c, char *to, size_t n)
{
	size_t got = 0;
	int i, k;

	for (i = 0; i < 20 && got < n; i++) {
		bed_turns(b, 1);
		ERR_clear_error();
		k = SSL_read(c->ssl, to + got, (int)(n - got));
		if (k > 0) {
			got += (size_t)k;
			i = 0;
		}
	}
	return got;
}

void
client_echo(struct bed *b, struct bed_client *c)
{
	char text[20];

	assert_int_equal(SSL_write(c->ssl, "hello", 5), 5);
	assert_int_equal(plain_read(b, c, text, 5), 5);
	assert_memory_equal(text, "hello", 5);
	assert_int_equal(send(c->plain, "and back", 8, 0), 8);
	assert_int_equal(client_read(b, c, text, 8), 8);
	assert_memory_equal(text, "and back", 8);
}
