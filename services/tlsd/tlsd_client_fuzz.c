/* SPDX-License-Identifier: ISC */
/*
 * What a server can send to tlsd as its client.  The first octet says how the
 * rest is used: as what comes on the wire; as changes {u16 where, u8 how} of
 * what a real server sends, with what is left put behind it; or as a
 * certificate with a key of the server's own.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/enc.h"
#include "base/log.h"
#include "facts.h"
#include "frame/tls_protocols.h"
#include "outgoing.h"
#include "peer_check.h"

enum { WIRE, CHANGED_1_2, CHANGED_1_3, CERTIFICATE, MODES, CHANGES_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t n;
};

struct world {
	struct loop loop;
	struct tlsd tlsd;
	int asker, server;
};

/* Made once: making keys is slow. */
static SSL_CTX *
server_context(void)
{
	static SSL_CTX *ctx;
	X509 *cert;
	EVP_PKEY *key;

	if (ctx)
		return ctx;
	ctx = SSL_CTX_new(TLS_server_method());
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	X509_set_version(cert, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 1000000);
	X509_set_pubkey(cert, key);
	if (X509_sign(cert, key, EVP_sha256()) <= 0 ||
	    SSL_CTX_use_cert_and_key(ctx, cert, key, NULL, 1) != 1)
		abort();
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

static struct msg_list
some_names(struct buf *b)
{
	static const char *const names[] = { "mx.a.test", ".a.test",
					     "192.0.2.1" };
	struct err err;
	size_t i;

	buf_init(b, 1000);
	for (i = 0; i < 3; i++) {
		const struct msg_tls_match m = { str_of(names[i]) };

		if (msg_list_add(b, &msg_tls_match_def, &m, &err) < 0)
			abort();
	}
	return msg_list_of(b, 3, &msg_tls_match_def);
}

/* --- a certificate ---------------------------------------------------------
 */

static void
check_certificate(struct input in)
{
	X509 *cert = d2i_X509(NULL, &in.p, (long)in.n);
	enum tls_peer_cert peer;
	char text[TLS_NAME_MAX + 1] = "";
	struct msg_list match;
	struct buf names;
	struct err err;
	int level;

	ERR_clear_error();
	if (!cert)
		return;
	match = some_names(&names);
	for (level = TLS_MAY; level <= TLS_SECURE; level++)
		if (peer_check(cert, X509_V_OK, level, match, "sha256", &peer,
			       &err) == 0 &&
		    level == TLS_SECURE && !peer_has_name(cert, match))
			abort();
	(void)!peer_check(cert, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
			  TLS_VERIFY, match, "sha256", &peer, &err);
	facts_issuer(cert, text);
	buf_fini(&names);
	X509_free(cert);
	ERR_clear_error();
}

/* --- a handshake -----------------------------------------------------------
 */

static void
open_world(struct world *w)
{
	static const struct tls_conf conf = {
		.protocols = TLS_V_SPOKEN,
		.groups = "X25519",
		.digest = "sha256",
		.grades = { "HIGH", "HIGH" },
		.out_verify_depth = 9,
		.out_session_s = 3600,
	};
	struct err err;
	int sv[2];

	*w = (struct world){ .server = -1 };
	if (loop_init(&w->loop, &err) < 0 ||
	    tlsd_init(&w->tlsd, &w->loop, 10, &err) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv) < 0)
		abort();
	tlsd_configure(&w->tlsd, &conf);
	tlsd_peer(&w->tlsd, &channels[CH_SMTP_TLSD], sv[0]);
	w->asker = sv[1];
}

static void
turns(struct world *w)
{
	int i;

	for (i = 0; i < 3; i++)
		loop_turn(&w->loop, false);
}

static void
connect_to(struct world *w)
{
	struct msg_tls_client m = { .level = TLS_MAY,
				    .protocols = TLS_V_SPOKEN,
				    .host = STR("mx.a.test"),
				    .digest = STR("sha256"),
				    .timeout_ms = 60000 };
	struct tls_asker *a =
		LIST_OF(w->tlsd.askers.next, struct tls_asker, link);
	struct buf names;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) < 0)
		abort();
	m.match = some_names(&names);
	stream_connect(a, 1, &m, sv[0]);
	buf_fini(&names);
	w->server = sv[1];
	turns(w);
}

static void
say(struct world *w, const void *p, size_t n)
{
	if (n)
		(void)!send(w->server, p, n, MSG_NOSIGNAL);
	turns(w);
}

/* What the server has for the client, with the changes that fall into it. */
static void
pass_on(struct world *w, BIO *from, struct input changes, size_t *passed)
{
	uint8_t bytes[20000];
	int n = BIO_read(from, bytes, sizeof(bytes));
	size_t i, at;

	if (n <= 0)
		return;
	for (i = 0; i + 3 <= changes.n && i < CHANGES_MAX * 3; i += 3) {
		at = enc_get16(changes.p + i);
		if (at >= *passed && at - *passed < (size_t)n)
			bytes[at - *passed] ^= changes.p[i + 2];
	}
	*passed += (size_t)n;
	say(w, bytes, (size_t)n);
}

static void
shake(struct world *w, int version, struct input changes)
{
	SSL *ssl = SSL_new(server_context());
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	size_t passed = 0;
	char bytes[8192];
	ssize_t n;
	int i;

	SSL_set_min_proto_version(ssl, version);
	SSL_set_max_proto_version(ssl, version);
	SSL_set_accept_state(ssl);
	SSL_set_bio(ssl, in, out);
	for (i = 0; i < 6; i++) {
		n = recv(w->server, bytes, sizeof(bytes), 0);
		if (n > 0)
			BIO_write(in, bytes, (int)n);
		if (SSL_do_handshake(ssl) == 1)
			SSL_write(ssl, "220 hello\r\n", 11);
		pass_on(w, out, changes, &passed);
	}
	SSL_free(ssl);
	ERR_clear_error();
}

static void
speak(unsigned mode, struct input in)
{
	size_t used = in.n < (size_t)CHANGES_MAX * 3 ? in.n : CHANGES_MAX * 3;
	struct world w;

	open_world(&w);
	connect_to(&w);
	if (mode == WIRE) {
		say(&w, in.p, in.n);
	} else {
		shake(&w, mode == CHANGED_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION,
		      in);
		say(&w, in.p + used, in.n - used);
	}
	close(w.server);
	turns(&w);
	close(w.asker);
	turns(&w);
	tlsd_fini(&w.tlsd);
	loop_fini(&w.loop);
}

static void
quiet(void)
{
	static int null = -1;

	if (null < 0) {
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		log_open(null, "tlsd");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	quiet();
	if (size == 0)
		return 0;
	if (data[0] % MODES == CERTIFICATE)
		check_certificate((struct input){ data + 1, size - 1 });
	else
		speak(data[0] % MODES, (struct input){ data + 1, size - 1 });
	return 0;
}
