/* SPDX-License-Identifier: ISC */
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
#include "testbed_out.h"

enum { HOUR = 3600 };

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

int
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

int
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

void
out_trust(struct out *o, const struct cert *ca)
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

void
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

void
out_close(struct out *o)
{
	hang_up(o);
	tls_client_free(o->smtp);
	SSL_CTX_free(o->ctx);
	bed_close(&o->b);
}

void
out_on_done(void *arg, int fd, const struct tls_facts *facts, unsigned class,
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

void
out_ask(struct out *o, const struct want *w, unsigned timeout_ms)
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
					    out_on_done, o, &o->tag, &err),
			 0);
	assert_null(c);
	buf_fini(&list);
	bed_turns(&o->b, 3);
}

bool
out_shake(struct out *o)
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

bool
out_run(struct out *o, const struct want *w)
{
	out_ask(o, w, 10000);
	return out_shake(o);
}

void
out_echo(struct out *o)
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
