/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "cert/make.h"

enum { NAMES_MAX = 16384, SERIAL_BYTES = 16, CN_MAX = 64 /* RFC 5280 */ };

static int
failed(struct err *err)
{
	ERR_clear_error();
	return err_set(err, ERR_TEMP, ENOMEM,
		       "the certificate could not be made");
}

static EVP_PKEY *
make_key(const char *kind)
{
	EVP_PKEY *key = NULL;
	uint64_t bits;

	if (strncmp(kind, "RSA-", 4) != 0)
		return EVP_EC_gen(kind);
	if (str_u64(str_of(kind + 4), 16384, &bits) == 0)
		key = EVP_RSA_gen((unsigned)bits);
	return key;
}

/* Random, positive, never 0. */
static bool
set_serial(X509 *x)
{
	unsigned char raw[SERIAL_BYTES];
	BIGNUM *n = NULL;
	bool ok;

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return false;
	raw[0] = (raw[0] & 0x7f) | 0x40;
	n = BN_bin2bn(raw, sizeof(raw), NULL);
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
	BN_free(n);
	return ok;
}

static bool
add_ext(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	bool ok = e && X509_add_ext(x, e, -1) == 1;

	X509_EXTENSION_free(e);
	return ok;
}

/* "DNS:a,IP:b"; what is no name would be syntax to OpenSSL. */
static int
alt_names(struct buf *out, struct str names, struct err *err)
{
	struct str one;
	char text[256];
	unsigned char addr[16];
	const char *kind;
	size_t i;

	while (str_token(&names, " \t", &one)) {
		kind = str_copy(text, sizeof(text), one) &&
				       (inet_pton(AF_INET, text, addr) == 1 ||
					inet_pton(AF_INET6, text, addr) == 1)
			       ? "IP"
			       : "DNS";
		for (i = 0; i < one.n && *kind == 'D'; i++)
			if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_*",
				    one.p[i]))
				return err_set(err, ERR_PERM, EINVAL,
					       "\"%.*s\": want a host name or "
					       "an address",
					       STR_FMT(str_head(one, 60)));
		if (buf_addf(out, "%s%s:%.*s", out->n ? "," : "", kind,
			     STR_FMT(one)) < 0)
			return err_set(err, ERR_PERM, E2BIG, "too many names");
	}
	return 0;
}

static bool
add_exts(X509 *x, const struct cert_wish *w, const char *san, bool rsa)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, w->issuer ? (X509 *)(uintptr_t)w->issuer : x, x,
		       NULL, NULL, 0);
	return add_ext(x, &ctx, NID_basic_constraints,
		       w->ca ? "critical,CA:TRUE,pathlen:0"
			     : "critical,CA:FALSE") &&
	       add_ext(x, &ctx, NID_key_usage,
		       w->ca ? "critical,keyCertSign,cRLSign"
		       : rsa ? "critical,digitalSignature,keyEncipherment"
			     : "critical,digitalSignature") &&
	       (w->ca || add_ext(x, &ctx, NID_ext_key_usage, "serverAuth")) &&
	       add_ext(x, &ctx, NID_subject_key_identifier, "hash") &&
	       add_ext(x, &ctx, NID_authority_key_identifier,
		       w->issuer ? "keyid:always" : "keyid") &&
	       (!*san || add_ext(x, &ctx, NID_subject_alt_name, san));
}

static bool
fill(X509 *x, const struct cert_wish *w, EVP_PKEY *key, const char *san)
{
	X509_NAME *subject = X509_get_subject_name(x);
	const unsigned char *cn = (const unsigned char *)w->cn;
	int n = (int)strlen(w->cn);

	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	       ASN1_TIME_set(X509_getm_notBefore(x), (time_t)w->from) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)w->until) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, cn,
					  n > CN_MAX ? CN_MAX : n, -1,
					  0) == 1 &&
	       X509_set_issuer_name(x,
				    w->issuer ? X509_get_subject_name(w->issuer)
					      : subject) == 1 &&
	       X509_set_pubkey(x, key) == 1 &&
	       add_exts(x, w, san, EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA);
}

int
cert_make(const struct cert_wish *w, EVP_PKEY **key, X509 **cert,
	  struct err *err)
{
	struct buf san;
	int rc = -1;

	*key = NULL;
	*cert = NULL;
	buf_init(&san, NAMES_MAX);
	if (alt_names(&san, w->names, err) < 0)
		goto out;
	*key = make_key(w->kind);
	*cert = X509_new();
	if (!*key || !*cert || !fill(*cert, w, *key, buf_cstr(&san)) ||
	    X509_sign(*cert, w->issuer ? w->issuer_key : *key, EVP_sha256()) <=
		    0) {
		(void)failed(err);
		goto out;
	}
	rc = 0;
out:
	if (rc < 0) {
		EVP_PKEY_free(*key);
		X509_free(*cert);
		*key = NULL;
		*cert = NULL;
	}
	buf_fini(&san);
	return rc;
}

static int
put_bio(struct buf *out, BIO *bio, bool ok, struct err *err)
{
	char *p = NULL;
	long n = ok ? BIO_get_mem_data(bio, &p) : 0;
	int rc = n > 0 && buf_add(out, p, (size_t)n) == 0 ? 0 : failed(err);

	BIO_free(bio);
	return rc;
}

int
cert_put_key(struct buf *out, EVP_PKEY *key, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_secmem());

	return put_bio(out, bio,
		       bio && PEM_write_bio_PKCS8PrivateKey(
				      bio, key, NULL, NULL, 0, NULL, NULL) == 1,
		       err);
}

int
cert_put(struct buf *out, X509 *cert, struct err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return put_bio(out, bio, bio && PEM_write_bio_X509(bio, cert) == 1,
		       err);
}
