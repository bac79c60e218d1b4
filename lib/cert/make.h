/* SPDX-License-Identifier: ISC */
#ifndef CERT_MAKE_H
#define CERT_MAKE_H

#include <openssl/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * New keys and certificates, for "posthouse tls init" and the tests: SHA-256,
 * version 3, with the extensions that RFC 5280 and today's clients want.
 */
struct cert_wish {
	const char *kind;     /* "P-256", "P-384", "P-521", "RSA-2048", ... */
	const char *cn;	      /* subject */
	struct str names;     /* DNS names and addresses, by blanks */
	int64_t from, until;  /* seconds since 1970 */
	bool ca;	      /* may issue others, nothing else */
	const X509 *issuer;   /* NULL: signed by itself */
	EVP_PKEY *issuer_key; /* of issuer */
};

/* A new key and its certificate; the caller frees both.  PERM: a name that is
 * none. */
ERR_WARN_UNUSED int cert_make(const struct cert_wish *w, EVP_PKEY **key,
			      X509 **cert, struct err *err);

/* Append as PEM; -1: no memory, or the buffer's limit. */
ERR_WARN_UNUSED int cert_put_key(struct buf *out, EVP_PKEY *key,
				 struct err *err);
ERR_WARN_UNUSED int cert_put(struct buf *out, X509 *cert, struct err *err);

#endif
