/* SPDX-License-Identifier: ISC */
#ifndef CERT_CERT_H
#define CERT_CERT_H

#include <openssl/types.h>

#include "base/err.h"
#include "base/pool.h"

/*
 * Private keys and their certificates, from the bytes of PEM files, checked:
 * what comes out of here can be served.  Used by keyd (which alone keeps the
 * keys) and by "posthouse tls".
 *
 * Two forms, those of Postfix: a chain file (smtpd_tls_chain_files) holds one
 * or more private keys, each directly followed by its certificate chain, the
 * certificate of the key first; or a file of certificates and another (or the
 * same) with their one key (smtpd_tls_cert_file, smtpd_tls_key_file).
 */
enum {
	CERT_FILE_MAX = 65535,	  /* bytes of one file */
	CERT_CHAIN_MAX = 10,	  /* certificates of one chain */
	CERT_CHAIN_BYTES = 48000, /* of one chain, DER */
	CERT_KEYS_MAX = 8,	  /* keys of one file */
	CERT_NAMES_MAX = 100,	  /* names of one certificate that are shown */
	CERT_HASH = 32,
	CERT_DATE = 32, /* room for a date as text */
};

struct cert_chain {
	EVP_PKEY *key;
	struct str der[CERT_CHAIN_MAX]; /* the leaf first */
	size_t n;
	/* Of the leaf: */
	struct str names; /* DNS names, else the subject's CN; by ", " */
	struct str issuer;
	bool has_dns;			/* names are DNS names */
	int64_t not_before, not_after;	/* seconds since 1970 */
	char kind[24];			/* "ECDSA P-256", "RSA 2048" */
	uint8_t fingerprint[CERT_HASH]; /* SHA-256 of the certificate */
	uint8_t spki[CERT_HASH];	/* SHA-256 of its public key: the data
					   of a TLSA record "3 1 1" */
	/* What does not keep it from being used; "" if there is nothing. */
	struct str warning;
	struct str server_warning; /* the same, of use by a server alone */
};

struct cert_file {
	struct pool pool;
	struct cert_chain v[CERT_KEYS_MAX];
	size_t n;
};

/*
 * Take the keys and chains out of chain, at the time now (seconds since 1970).
 * key: NULL for a chain file, else the bytes of the key file.
 *
 * -1 with err, one line that says what is wrong and what to do, without the
 * file's name: TEMP for a certificate that is not valid yet, else PERM (or out
 * of memory: TEMP, ENOMEM).  cert_file_free() in every case.
 */
ERR_WARN_UNUSED int cert_file_load(struct cert_file *f, struct str chain,
				   const struct str *key, int64_t now,
				   struct err *err);
/* Wipes the keys. */
void cert_file_free(struct cert_file *f);

/* Are these the same certificates, chain for chain? */
bool cert_file_same(const struct cert_file *a, const struct cert_file *b);

/* May the leaf be shown under this host name (RFC 6125, wildcards)? */
bool cert_covers(const struct cert_chain *c, struct str name);

/* "2027-03-01 12:00:00 UTC" */
const char *cert_date(int64_t when, char out[CERT_DATE]);

#endif
