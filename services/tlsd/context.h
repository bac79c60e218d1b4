/* SPDX-License-Identifier: ISC */
#ifndef TLSD_CONTEXT_H
#define TLSD_CONTEXT_H

#include <openssl/ssl.h>

#include "base/list.h"
#include "base/map.h"
#include "conf.h"
#include "keyset.h"

/*
 * OpenSSL's contexts, made from the parameters, the certificates and the
 * authorities for clients' certificates.  One is the base, with the fallback
 * chains; the others replace it when a client asks for a name (SNI).  Each has
 * at most one ECDSA and one RSA chain.  They are made anew when anything
 * changes; streams keep what they began with.
 */
struct contexts {
	SSL_CTX *base;
	struct map by_name;
	struct list names;
};

/* OpenSSL's callbacks, of those who know the stream (SSL_get_app_data()). */
struct context_hooks {
	int (*servername)(SSL *ssl, int *alert, void *arg);
	SSL_CTX_alpn_select_cb_func alpn;
	int (*ticket)(SSL *ssl, unsigned char *name, unsigned char *iv,
		      EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal);
	SSL_CTX_generate_session_ticket_fn ticket_made;
	SSL_CTX_decrypt_session_ticket_fn ticket_opened;
};

/* ca may be NULL.  NULL with err: no fallback chain of the set can be used,
 * or OpenSSL failed; what else cannot be used is logged. */
struct contexts *contexts_new(const struct tls_conf *conf,
			      const struct keyset *ks, X509_STORE *ca,
			      const struct context_hooks *hooks,
			      struct err *err);
void contexts_free(struct contexts *cs);

/*
 * The context for a name, as the client sent it; NULL: the base.  Names that
 * were configured for a chain come first ("mail.example.org", then
 * ".example.org", which stands for all below it, then ".org"), then those in
 * the certificates ("mail.example.org", then "*.example.org").
 */
SSL_CTX *contexts_find(const struct contexts *cs, struct str sni);

/* What all contexts have in common, with OpenSSL's security level and these
 * protocols; NULL: no memory. */
SSL_CTX *context_bare(const SSL_METHOD *method, const struct tls_conf *conf,
		      unsigned protocols, int level);

/* Have the chain shown; -1: OpenSSL does not like it. */
ERR_WARN_UNUSED int context_add_chain(SSL_CTX *ctx, const struct chain *c);

/* OpenSSL's errors of this thread, the first one in words; the rest is
 * dropped. */
const char *openssl_text(void);

#endif
