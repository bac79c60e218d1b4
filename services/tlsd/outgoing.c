/* SPDX-License-Identifier: ISC */
/* Streams where the other side is the server. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/addr.h"
#include "outgoing.h"
#include "peer_check.h"

/* What a server may send as its chain; the largest that are seen have 15 KB. */
enum { CHAIN_BYTES_MAX = 64 * 1024 };

struct out_context {
	struct list link;
	uint8_t protocols;
	int security;
	SSL_CTX *ctx;
	char ciphers[]; /* OpenSSL's syntax */
};

/* --- sessions --------------------------------------------------------------
 */

static void
digest_str(EVP_MD_CTX *md, struct str s)
{
	uint64_t n = s.n;

	EVP_DigestUpdate(md, &n, sizeof(n));
	EVP_DigestUpdate(md, s.p, s.n);
}

/* All that was asked, and of whom: a session that began under one policy does
 * not come up under another. */
static int
make_key(struct outgoing *o, const struct msg_tls_client *m, int fd)
{
	const uint8_t bytes[] = { m->level, m->protocols, m->grade };
	char text[ADDR_TEXT_MAX] = "";
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	struct addr peer;
	int rc = -1;

	if (addr_of_peer(fd, &peer, NULL) == 0)
		(void)addr_text_port(&peer, text);
	if (md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1) {
		digest_str(md, str_mem(bytes, sizeof(bytes)));
		digest_str(md, m->exclude);
		digest_str(md, m->host);
		digest_str(md, m->match.raw);
		digest_str(md, m->digest);
		digest_str(md, str_of(text));
		rc = EVP_DigestFinal_ex(md, o->key, NULL) == 1 ? 0 : -1;
	}
	EVP_MD_CTX_free(md);
	return rc;
}

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct stream *s = SSL_get_app_data(ssl);
	uint64_t life = (uint64_t)s->t->conf.out_session_s * 1000;

	if (life && SSL_SESSION_is_resumable(session))
		sessions_put(&s->t->sessions, s->out->key, session,
			     clock_mono_ms() + life);
	return 0; /* it is not kept itself */
}

static void
resume(struct stream *s)
{
	SSL_SESSION *session =
		sessions_take(&s->t->sessions, s->out->key, clock_mono_ms());

	if (session)
		SSL_set_session(s->ssl, session);
	SSL_SESSION_free(session);
}

/* --- contexts --------------------------------------------------------------
 */

static void
context_free(struct out_context *c)
{
	list_remove(&c->link);
	SSL_CTX_free(c->ctx);
	free(c);
}

void
outgoing_reset(struct tlsd *t)
{
	while (!list_empty(&t->out_contexts))
		context_free(LIST_OF(t->out_contexts.next, struct out_context,
				     link));
	t->nout_contexts = 0;
	sessions_flush(&t->sessions);
}

/* OpenSSL's security level.  Without TLS the mail would go in plain text: so
 * anything is better where that may be. */
static int
security_level(enum tls_level level)
{
	return level == TLS_MAY ? 0 : level < TLS_VERIFY ? 1 : 2;
}

/* What we show to a server that asks for it: one of each kind. */
static void
add_chains(SSL_CTX *ctx, const struct keyset *ks)
{
	bool has_ec = false, has_rsa = false;
	unsigned i;

	for (i = 0; ks && i < ks->n; i++) {
		const struct chain *c = &ks->v[i];
		bool *has =
			c->leaf && EVP_PKEY_get_base_id(c->pkey) == EVP_PKEY_EC
				? &has_ec
				: &has_rsa;

		if (!c->leaf || *has)
			continue;
		*has = context_add_chain(ctx, c) == 0;
		if (!*has)
			log_error("a certificate of smtp_tls_chain_files "
				  "cannot be used: %s",
				  openssl_text());
	}
	/* In TLS 1.2 OpenSSL shows but one: that of RSA. */
	SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
	ERR_clear_error();
}

static SSL_CTX *
make_context(const struct tlsd *t, const struct out_context *c)
{
	SSL_CTX *ctx = context_bare(TLS_client_method(), &t->conf, c->protocols,
				    c->security);

	if (!ctx)
		return NULL;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
						    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	SSL_CTX_set_verify_depth(ctx, t->conf.out_verify_depth);
	SSL_CTX_set_max_cert_list(ctx, CHAIN_BYTES_MAX);
	if (t->server_ca)
		SSL_CTX_set1_cert_store(ctx, t->server_ca);
	add_chains(ctx, t->out_keys);
	if (SSL_CTX_set_cipher_list(ctx, c->ciphers) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static struct out_context *
add_context(struct tlsd *t, const struct out_context *like, const char *ciphers)
{
	size_t n = strlen(ciphers) + 1;
	struct out_context *c = calloc(1, sizeof(*c) + n);

	if (!c)
		return NULL;
	*c = *like;
	list_init(&c->link);
	memcpy(c->ciphers, ciphers, n);
	c->ctx = make_context(t, c);
	if (!c->ctx) {
		free(c);
		return NULL;
	}
	list_append(&t->out_contexts, &c->link);
	if (++t->nout_contexts > OUT_CONTEXTS_MAX) {
		context_free(LIST_OF(t->out_contexts.next, struct out_context,
				     link));
		t->nout_contexts--;
	}
	return c;
}

static SSL_CTX *
find_context(struct tlsd *t, const struct msg_tls_client *m, struct err *err)
{
	const struct out_context like = {
		.protocols = m->protocols,
		.security = security_level(m->level),
	};
	char ciphers[CONF_CIPHERS_MAX];
	struct out_context *c;
	struct list *it;

	if (conf_out_ciphers(ciphers, t->conf.grades[m->grade], m->exclude) <
	    0) {
		err_set(err, ERR_PERM, E2BIG,
			"the list of ciphers is too "
			"long");
		return NULL;
	}
	list_for_each (it, &t->out_contexts) {
		c = LIST_OF(it, struct out_context, link);
		if (c->protocols == like.protocols &&
		    c->security == like.security &&
		    strcmp(c->ciphers, ciphers) == 0)
			return c->ctx;
	}
	c = add_context(t, &like, ciphers);
	if (c)
		return c->ctx;
	err_set(err, ERR_PERM, EINVAL, "TLS cannot be set up as wanted: %s",
		openssl_text());
	return NULL;
}

/* --- the handshake ---------------------------------------------------------
 */

/* It is looked at afterwards, by peer_check(). */
static int
take_any(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

static struct outgoing *
outgoing_new(const struct msg_tls_client *m, int fd)
{
	struct outgoing *o = calloc(1, sizeof(*o) + m->match.raw.n + 1);

	if (!o)
		return NULL;
	o->level = m->level;
	o->match = m->match;
	if (m->match.raw.n)
		memcpy(o->raw, m->match.raw.p, m->match.raw.n);
	o->match.raw = str_mem(o->raw, m->match.raw.n);
	if (str_copy(o->digest, sizeof(o->digest), m->digest) &&
	    make_key(o, m, fd) == 0)
		return o;
	free(o);
	return NULL;
}

int
outgoing_prepare(struct stream *s, const struct msg_tls_client *m,
		 struct err *err)
{
	SSL_CTX *ctx = find_context(s->t, m, err);
	char host[TLS_NAME_MAX + 1];

	if (!ctx)
		return -1;
	s->out = outgoing_new(m, s->tls);
	s->ssl = SSL_new(ctx);
	if (!s->out || !s->ssl)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	SSL_set_connect_state(s->ssl);
	SSL_set_verify(s->ssl, SSL_VERIFY_PEER, take_any);
	if (m->host.n && (!str_copy(host, sizeof(host), m->host) ||
			  SSL_set_tlsext_host_name(s->ssl, host) != 1))
		return err_set(err, ERR_PERM, EINVAL,
			       "a name that cannot be asked for");
	resume(s);
	return 0;
}

int
outgoing_check(struct stream *s, enum tls_peer_cert *peer, struct err *err)
{
	return peer_check(SSL_get0_peer_certificate(s->ssl),
			  SSL_get_verify_result(s->ssl), s->out->level,
			  s->out->match, s->out->digest, peer, err);
}
