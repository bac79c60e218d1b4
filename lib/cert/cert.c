/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "cert/cert.h"

enum { POOL_MAX = 4 * 1024 * 1024, STRENGTH_MIN = 112 /* bits */ };

/* The certificates behind one key, while they are read. */
struct draft {
	EVP_PKEY *key;
	X509 *v[CERT_CHAIN_MAX];
	size_t n;
};

struct reader {
	struct cert_file *f;
	int64_t now;
	struct draft d[CERT_KEYS_MAX];
	size_t n; /* keys so far */
};

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

const char *
cert_date(int64_t when, char out[CERT_DATE])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    !strftime(out, CERT_DATE, "%Y-%m-%d %H:%M:%S UTC", &tm))
		out[0] = '\0';
	return out;
}

static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : -1;
}

/* --- reading ------------------------------------------------------------- */

static struct draft *
last_draft(struct reader *r)
{
	return r->n ? &r->d[r->n - 1] : NULL;
}

static int
check_key(const EVP_PKEY *key, char *kind, size_t size, struct err *err)
{
	int bits = EVP_PKEY_get_bits(key), id = EVP_PKEY_get_base_id(key);
	char group[64] = "";

	if (id == EVP_PKEY_RSA) {
		if (bits < 2048 || bits > 8192)
			return err_set(err, ERR_PERM, EINVAL,
				       "an RSA key of %d bits; want 2048 to "
				       "8192",
				       bits);
		(void)snprintf(kind, size, "RSA %d", bits);
		return 0;
	}
	if (id != EVP_PKEY_EC)
		return err_set(err, ERR_PERM, EINVAL,
			       "a key of type %s cannot be used; want ECDSA "
			       "(P-256, P-384, P-521) or RSA",
			       id == EVP_PKEY_ED25519	? "Ed25519"
			       : id == EVP_PKEY_ED448	? "Ed448"
			       : id == EVP_PKEY_RSA_PSS ? "RSA-PSS"
							: OBJ_nid2sn(id));
	(void)EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
	if (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0)
		(void)snprintf(kind, size, "ECDSA P-256");
	else if (strcmp(group, "secp384r1") == 0)
		(void)snprintf(kind, size, "ECDSA P-384");
	else if (strcmp(group, "secp521r1") == 0)
		(void)snprintf(kind, size, "ECDSA P-521");
	else
		return err_set(err, ERR_PERM, EINVAL,
			       "an ECDSA key of the curve %s; want P-256, "
			       "P-384 or P-521",
			       group[0] ? group : "without a name");
	return 0;
}

static int
add_key(struct reader *r, const unsigned char *der, long len, struct err *err)
{
	struct draft *d = last_draft(r);

	if (d && d->n == 0)
		return err_set(err, ERR_PERM, EINVAL,
			       "key %zu has no certificate behind it; want "
			       "each key followed by its certificates",
			       r->n);
	if (r->n == CERT_KEYS_MAX)
		return err_set(err, ERR_PERM, E2BIG, "more than %d keys",
			       CERT_KEYS_MAX);
	d = &r->d[r->n];
	d->key = d2i_AutoPrivateKey(NULL, &der, len);
	if (!d->key)
		return err_set(err, ERR_PERM, EINVAL,
			       "private key %zu cannot be read: is the file "
			       "damaged?",
			       r->n + 1);
	r->n++;
	return 0;
}

static int
add_cert(struct reader *r, const unsigned char *der, long len, struct err *err)
{
	struct draft *d = last_draft(r);

	if (!d)
		return err_set(err, ERR_PERM, EINVAL,
			       "a certificate stands before the first private "
			       "key; want each key followed by its "
			       "certificates");
	if (d->n == CERT_CHAIN_MAX)
		return err_set(err, ERR_PERM, E2BIG,
			       "more than %d certificates behind one key",
			       CERT_CHAIN_MAX);
	d->v[d->n] = d2i_X509(NULL, &der, len);
	if (!d->v[d->n])
		return err_set(err, ERR_PERM, EINVAL,
			       "certificate %zu of key %zu cannot be read: is "
			       "the file damaged?",
			       d->n + 1, r->n);
	d->n++;
	return 0;
}

enum want { WANT_KEYS = 1, WANT_CERTS = 2 };

static int
add_block(struct reader *r, unsigned want, const char *name, const char *header,
	  const unsigned char *der, long len, struct err *err)
{
	if (strcmp(name, "CERTIFICATE") == 0 ||
	    strcmp(name, "X509 CERTIFICATE") == 0)
		return want & WANT_CERTS ? add_cert(r, der, len, err) : 0;
	if (want & WANT_KEYS && (strcmp(name, "ENCRYPTED PRIVATE KEY") == 0 ||
				 strstr(header, "ENCRYPTED")))
		return err_set(err, ERR_PERM, EINVAL,
			       "the private key is encrypted, and nobody is "
			       "there to type its password; store it without "
			       "(openssl pkey -in FILE -out FILE)");
	if (str_ends(str_of(name), STR("PRIVATE KEY")))
		return want & WANT_KEYS ? add_key(r, der, len, err) : 0;
	if (strcmp(name, "EC PARAMETERS") == 0 ||
	    strcmp(name, "DH PARAMETERS") == 0)
		return 0; /* as "openssl ecparam -genkey" writes them */
	return err_set(err, ERR_PERM, EINVAL,
		       "a block \"%.60s\" is neither a private key nor a "
		       "certificate",
		       name);
}

/* Each block of a PEM file, in order. */
static int
read_pem(struct reader *r, struct str text, unsigned want, struct err *err)
{
	unsigned flags = PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE;
	char *name, *header;
	unsigned char *data;
	int rc = 0;
	BIO *bio;
	long len;

	if (text.n > CERT_FILE_MAX)
		return err_set(err, ERR_PERM, EFBIG, "more than %d bytes",
			       CERT_FILE_MAX);
	bio = BIO_new_mem_buf(text.n ? text.p : "", (int)text.n);
	if (!bio)
		return no_memory(err);
	while (rc == 0) {
		ERR_clear_error();
		if (!PEM_read_bio_ex(bio, &name, &header, &data, &len, flags)) {
			if (ERR_GET_REASON(ERR_peek_last_error()) !=
			    PEM_R_NO_START_LINE)
				rc = err_set(err, ERR_PERM, EINVAL,
					     "a PEM block is damaged or cut "
					     "off");
			break;
		}
		rc = add_block(r, want, name, header, data, len, err);
		OPENSSL_secure_clear_free(data, (size_t)len);
		OPENSSL_secure_free(header);
		OPENSSL_secure_free(name);
	}
	ERR_clear_error();
	BIO_free(bio);
	return rc;
}

static int
read_files(struct reader *r, struct str chain, const struct str *key,
	   struct err *err)
{
	unsigned want = WANT_KEYS | WANT_CERTS;

	if (key) {
		if (read_pem(r, *key, WANT_KEYS, err) < 0)
			return err_prefix(err, "key file");
		if (r->n == 0)
			return err_set(err, ERR_PERM, EINVAL,
				       "key file: no private key in it");
		want = WANT_CERTS;
	}
	if (read_pem(r, chain, want, err) < 0)
		return -1;
	if (r->n == 0)
		return err_set(err, ERR_PERM, EINVAL,
			       chain.n ? "no private key in it"
				       : "the file is empty");
	if (last_draft(r)->n == 0)
		return err_set(err, ERR_PERM, EINVAL,
			       key ? "no certificate in it"
				   : "key %zu has no certificate behind it",
			       r->n);
	return 0;
}

/* --- checks -------------------------------------------------------------- */

/* Whose certificate is this, for a message. */
static const char *
whose(X509 *x, size_t i, char *out, size_t size)
{
	char cn[64] = "";

	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(x),
					NID_commonName, cn, sizeof(cn));
	(void)snprintf(out, size, "certificate %zu%s%.60s%s", i + 1,
		       cn[0] ? " (" : "", cn, cn[0] ? ")" : "");
	return out;
}

static int
check_fit(const struct draft *d, struct err *err)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (X509_check_private_key(d->v[i], d->key) == 1)
			break;
	if (i == 0)
		return 0;
	if (i == d->n)
		return err_set(err, ERR_PERM, EINVAL,
			       "the private key does not fit the certificate");
	return err_set(err, ERR_PERM, EINVAL,
		       "the key's own certificate comes as number %zu; it must "
		       "come first",
		       i + 1);
}

/* A key whose halves disagree would pass check_fit(). */
static int
check_signs(const struct draft *d, struct err *err)
{
	static const unsigned char text[] = "posthouse";
	unsigned char sig[1100]; /* RSA 8192: 1024 */
	size_t n = sizeof(sig);
	EVP_MD_CTX *s = EVP_MD_CTX_new(), *v = EVP_MD_CTX_new();
	int ok = s && v &&
		 EVP_DigestSignInit(s, NULL, EVP_sha256(), NULL, d->key) == 1 &&
		 EVP_DigestSign(s, sig, &n, text, sizeof(text)) == 1 &&
		 EVP_DigestVerifyInit(v, NULL, EVP_sha256(), NULL,
				      X509_get0_pubkey(d->v[0])) == 1 &&
		 EVP_DigestVerify(v, sig, n, text, sizeof(text)) == 1;

	EVP_MD_CTX_free(s);
	EVP_MD_CTX_free(v);
	if (ok)
		return 0;
	return err_set(err, ERR_PERM, EINVAL,
		       "the private key is damaged: its signatures are wrong");
}

static int
check_link(const struct draft *d, size_t i, struct err *err)
{
	X509 *x = d->v[i], *by = d->v[i + 1];
	char a[160], b[160];

	if (X509_check_issued(by, x) == X509_V_OK &&
	    X509_verify(x, X509_get0_pubkey(by)) == 1)
		return 0;
	return err_set(
		err, ERR_PERM, EINVAL, "%s is not issued by the next one, %s",
		whose(x, i, a, sizeof(a)), whose(by, i + 1, b, sizeof(b)));
}

/* What libssl would refuse later at its security level 2. */
static int
check_strength(X509 *x, size_t i, struct err *err)
{
	EVP_PKEY *key = X509_get0_pubkey(x);
	char name[160];
	int md, bits;

	if (!key || EVP_PKEY_get_security_bits(key) < STRENGTH_MIN)
		return err_set(err, ERR_PERM, EINVAL, "%s has a weak key",
			       whose(x, i, name, sizeof(name)));
	if (X509_get_extension_flags(x) & EXFLAG_SS)
		return 0; /* nobody looks at a root's own signature */
	if (X509_get_signature_info(x, &md, NULL, &bits, NULL) != 1 ||
	    bits < STRENGTH_MIN)
		return err_set(err, ERR_PERM, EINVAL,
			       "%s is signed with a weak hash; want SHA-256",
			       whose(x, i, name, sizeof(name)));
	return 0;
}

/* The leaf's dates count; a chain with an old certificate behind it is for the
 * client to judge. */
static int
check_dates(const struct reader *r, struct cert_chain *c, const struct draft *d,
	    struct err *err)
{
	char date[CERT_DATE], name[160];
	int64_t from, until;
	size_t i;

	c->not_before = seconds_of(X509_get0_notBefore(d->v[0]));
	c->not_after = seconds_of(X509_get0_notAfter(d->v[0]));
	if (c->not_before < 0 || c->not_after < 0)
		return err_set(err, ERR_PERM, EINVAL,
			       "the certificate's dates cannot be read");
	if (r->now > c->not_after)
		return err_set(err, ERR_PERM, EINVAL,
			       "the certificate expired on %s; renew it",
			       cert_date(c->not_after, date));
	if (r->now < c->not_before)
		return err_set(err, ERR_TEMP, EAGAIN,
			       "the certificate is not valid before %s; is the "
			       "clock right?",
			       cert_date(c->not_before, date));
	for (i = 1; i < d->n; i++) {
		from = seconds_of(X509_get0_notBefore(d->v[i]));
		until = seconds_of(X509_get0_notAfter(d->v[i]));
		if (r->now >= from && r->now <= until)
			continue;
		c->warning =
			pool_strf(&r->f->pool, "%s is %s",
				  whose(d->v[i], i, name, sizeof(name)),
				  r->now < from ? "not valid yet" : "expired");
	}
	return 0;
}

/* --- facts --------------------------------------------------------------- */

/* A name is shown, and matched, only if nothing in it can be mistaken. */
static bool
is_plain(const unsigned char *p, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] >= 127 || p[i] == ',')
			return false;
	return n > 0 && n <= 255;
}

static int
read_names(struct reader *r, struct cert_chain *c, X509 *leaf, struct err *err)
{
	GENERAL_NAMES *all =
		X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	char cn[256] = "";
	struct buf b;
	int i, shown = 0;

	buf_init(&b, CERT_NAMES_MAX * 260);
	for (i = 0; i < sk_GENERAL_NAME_num(all) && shown < CERT_NAMES_MAX;
	     i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
		const unsigned char *p;
		int n;

		if (g->type != GEN_DNS)
			continue;
		p = ASN1_STRING_get0_data(g->d.dNSName);
		n = ASN1_STRING_length(g->d.dNSName);
		if (!is_plain(p, n))
			continue;
		if (shown++)
			(void)buf_add_c(&b, ", ");
		(void)buf_add(&b, p, (size_t)n);
	}
	GENERAL_NAMES_free(all);
	c->has_dns = shown > 0;
	if (!shown) {
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(leaf),
						NID_commonName, cn, sizeof(cn));
		if (is_plain((unsigned char *)cn, (int)strlen(cn)))
			(void)buf_add_c(&b, cn);
	}
	c->names = pool_str(&r->f->pool, buf_str(&b));
	i = buf_overflown(&b) || !c->names.p;
	buf_fini(&b);
	return i ? no_memory(err) : 0;
}

static int
read_issuer(struct reader *r, struct cert_chain *c, X509 *leaf, struct err *err)
{
	char text[256] = "";
	X509_NAME *n = X509_get_issuer_name(leaf);

	if (X509_NAME_get_text_by_NID(n, NID_commonName, text, sizeof(text)) <=
	    0)
		(void)X509_NAME_oneline(n, text, sizeof(text));
	c->issuer = pool_str(&r->f->pool, str_of(text));
	return c->issuer.p ? 0 : no_memory(err);
}

static int
copy_der(struct reader *r, struct cert_chain *c, const struct draft *d,
	 struct err *err)
{
	unsigned char *at;
	size_t i, sum = 0;
	int n;

	for (i = 0; i < d->n; i++) {
		n = i2d_X509(d->v[i], NULL);
		if (n <= 0 || (sum += (size_t)n) > CERT_CHAIN_BYTES)
			return err_set(err, ERR_PERM, EFBIG,
				       "a chain of more than %d bytes",
				       CERT_CHAIN_BYTES);
		at = pool_alloc(&r->f->pool, (size_t)n);
		if (!at)
			return no_memory(err);
		c->der[i] = str_mem(at, (size_t)n);
		(void)i2d_X509(d->v[i], &at);
	}
	c->n = d->n;
	return 0;
}

static int
read_hashes(struct cert_chain *c, X509 *leaf, struct err *err)
{
	unsigned char *spki = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);

	if (n <= 0)
		return no_memory(err);
	SHA256(spki, (size_t)n, c->spki);
	OPENSSL_free(spki);
	SHA256((const unsigned char *)c->der[0].p, c->der[0].n, c->fingerprint);
	return 0;
}

static void
warn_purpose(struct reader *r, struct cert_chain *c, X509 *leaf)
{
	const char *why = NULL;

	if (!c->has_dns)
		why = "it has no DNS name (subjectAltName)";
	else if (X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0) != 1)
		why = "it is not meant for servers (extendedKeyUsage or "
		      "keyUsage)";
	if (why)
		c->server_warning = pool_str(&r->f->pool, str_of(why));
}

static int
finish_chain(struct reader *r, struct draft *d, struct err *err)
{
	struct cert_chain *c = &r->f->v[r->f->n];
	size_t i;

	c->warning = c->server_warning = STR("");
	if (check_key(d->key, c->kind, sizeof(c->kind), err) < 0 ||
	    check_fit(d, err) < 0 || check_signs(d, err) < 0)
		return -1;
	for (i = 0; i < d->n; i++)
		if ((i + 1 < d->n && check_link(d, i, err) < 0) ||
		    check_strength(d->v[i], i, err) < 0)
			return -1;
	if (check_dates(r, c, d, err) < 0 || copy_der(r, c, d, err) < 0 ||
	    read_names(r, c, d->v[0], err) < 0 ||
	    read_issuer(r, c, d->v[0], err) < 0 ||
	    read_hashes(c, d->v[0], err) < 0)
		return -1;
	warn_purpose(r, c, d->v[0]);
	if (!c->warning.p || !c->server_warning.p)
		return no_memory(err);
	c->key = d->key;
	d->key = NULL;
	r->f->n++;
	return 0;
}

/* --- the whole ----------------------------------------------------------- */

int
cert_file_load(struct cert_file *f, struct str chain, const struct str *key,
	       int64_t now, struct err *err)
{
	struct reader r = { .f = f, .now = now };
	size_t i, k;
	int rc;

	*f = (struct cert_file){ .n = 0 };
	pool_init(&f->pool, POOL_MAX);
	rc = read_files(&r, chain, key, err);
	for (i = 0; rc == 0 && i < r.n; i++) {
		rc = finish_chain(&r, &r.d[i], err);
		if (rc < 0 && r.n > 1)
			(void)err_prefix(err, "key %zu", i + 1);
	}
	for (i = 0; i < r.n; i++) {
		EVP_PKEY_free(r.d[i].key);
		for (k = 0; k < r.d[i].n; k++)
			X509_free(r.d[i].v[k]);
	}
	ERR_clear_error();
	return rc;
}

void
cert_file_free(struct cert_file *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		EVP_PKEY_free(f->v[i].key);
	pool_fini(&f->pool);
	*f = (struct cert_file){ .n = 0 };
}

bool
cert_file_same(const struct cert_file *a, const struct cert_file *b)
{
	size_t i, k;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++) {
		if (a->v[i].n != b->v[i].n)
			return false;
		for (k = 0; k < a->v[i].n; k++)
			if (!str_eq(a->v[i].der[k], b->v[i].der[k]))
				return false;
	}
	return true;
}

bool
cert_covers(const struct cert_chain *c, struct str name)
{
	const unsigned char *der = (const unsigned char *)c->der[0].p;
	X509 *leaf = d2i_X509(NULL, &der, (long)c->der[0].n);
	bool yes = leaf && name.n &&
		   X509_check_host(leaf, name.p, name.n, 0, NULL) == 1;

	X509_free(leaf);
	return yes;
}
