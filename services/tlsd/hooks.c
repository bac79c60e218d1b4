/* SPDX-License-Identifier: ISC */
/* What OpenSSL asks back during a handshake. */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "facts.h"
#include "stream.h"

enum { TICKET_IV = 16, TICKET_CIPHER_KEY = 32 };

/* --- SNI -------------------------------------------------------------------
 */

static int
on_servername(SSL *ssl, int *alert, void *arg)
{
	const struct stream *s = SSL_get_app_data(ssl);
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx = NULL;

	(void)alert;
	(void)arg;
	if (!name || !s->t->contexts)
		return SSL_TLSEXT_ERR_NOACK;
	ctx = contexts_find(s->t->contexts, str_of(name));
	if (ctx)
		SSL_set_SSL_CTX(ssl, ctx);
	return SSL_TLSEXT_ERR_OK;
}

/* --- ALPN ------------------------------------------------------------------
 */

/* RFC 7301, in its form on the wire; IMAP and POP3 are registered, "smtp" and
 * "esmtp" are what Exim says. */
static struct str
spoken(enum tls_use use)
{
	switch (use) {
	case TLS_IMAP:
		return STR("\x04imap");
	case TLS_POP3:
		return STR("\x04pop3");
	default:
		return STR("\x04smtp\x05"
			   "esmtp");
	}
}

/* A client that offers protocols, but not ours, was sent here by somebody who
 * wants it to take us for another server. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
	const unsigned char *in, unsigned in_n, void *arg)
{
	const struct stream *s = SSL_get_app_data(ssl);
	struct str ours = spoken(s->use);
	unsigned char *picked;

	(void)arg;
	if (SSL_select_next_proto(&picked, out_n, (const unsigned char *)ours.p,
				  (unsigned)ours.n, in,
				  in_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = picked;
	return SSL_TLSEXT_ERR_OK;
}

/* --- tickets ---------------------------------------------------------------
 */

static int
set_mac(EVP_MAC_CTX *mac, uint8_t *secret)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, secret + TICKET_CIPHER_KEY,
			KEY_TICKET_SECRET - TICKET_CIPHER_KEY),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest,
						 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params);
}

static int
seal(struct ticket_keys *tk, unsigned char *name, unsigned char *iv,
     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	if (tk->n == 0)
		return 0;
	memcpy(name, tk->v[0].name, KEY_TICKET_NAME);
	if (RAND_bytes(iv, TICKET_IV) != 1 ||
	    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, tk->v[0].secret,
			       iv) != 1 ||
	    set_mac(mac, tk->v[0].secret) != 1)
		return -1;
	return 1;
}

/* 1: good; 2: good, and a new one is due; 0: sealed by nobody we know. */
static int
unseal(SSL *ssl, struct ticket_keys *tk, const unsigned char *name,
       const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	unsigned i;

	for (i = 0; i < tk->n; i++)
		if (memcmp(name, tk->v[i].name, KEY_TICKET_NAME) == 0)
			break;
	if (i == tk->n)
		return 0;
	if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, tk->v[i].secret,
			       iv) != 1 ||
	    set_mac(mac, tk->v[i].secret) != 1)
		return -1;
	/* RFC 8446 C.4: each ticket once, so that nobody can see that two
	 * connections are one client's. */
	return i > 0 || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
}

static int
on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
	  EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int sealing)
{
	const struct stream *s = SSL_get_app_data(ssl);
	struct ticket_keys *tk = &s->t->tickets;

	return sealing ? seal(tk, name, iv, cipher, mac)
		       : unseal(ssl, tk, name, iv, cipher, mac);
}

const struct context_hooks tlsd_hooks = {
	.servername = on_servername,
	.alpn = on_alpn,
	.ticket = on_ticket,
	.ticket_made = facts_ticket_made,
	.ticket_opened = facts_ticket_opened,
};
