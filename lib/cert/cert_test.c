/* SPDX-License-Identifier: ISC */
#include "base/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "cert/cert.h"
#include "cert/make.h"

enum { NOW = 1800000000, DAY = 86400 };

/* Pieces of PEM by name, made once. */
static struct piece {
	const char *name;
	char *text;
} pieces[64];
static size_t npieces;

static void
keep(const char *name, struct buf *b)
{
	assert_true(npieces < sizeof(pieces) / sizeof(pieces[0]));
	pieces[npieces].name = name;
	pieces[npieces++].text = strdup(buf_cstr(b));
	buf_fini(b);
}

static const char *
piece(struct str name)
{
	size_t i;

	for (i = 0; i < npieces; i++)
		if (str_eq(str_of(pieces[i].name), name))
			return pieces[i].text;
	fail_msg("no piece %.*s", STR_FMT(name));
	return NULL;
}

static void
keep_key(const char *name, EVP_PKEY *key)
{
	struct buf b;
	struct err err;

	buf_init(&b, 65536);
	assert_int_equal(cert_put_key(&b, key, &err), 0);
	keep(name, &b);
}

static void
keep_cert(const char *name, X509 *x)
{
	struct buf b;
	struct err err;

	buf_init(&b, 65536);
	assert_int_equal(cert_put(&b, x, &err), 0);
	keep(name, &b);
}

struct pair {
	EVP_PKEY *key;
	X509 *cert;
};

static struct pair
make(const char *key_name, const char *cert_name, struct cert_wish w,
     const struct pair *by)
{
	struct pair p;
	struct err err;

	if (!w.from)
		w.from = NOW - DAY;
	if (!w.until)
		w.until = NOW + 100 * DAY;
	w.issuer = by ? by->cert : NULL;
	w.issuer_key = by ? by->key : NULL;
	if (cert_make(&w, &p.key, &p.cert, &err) < 0)
		fail_msg("%s: %s", cert_name, err.text);
	keep_key(key_name, p.key);
	keep_cert(cert_name, p.cert);
	return p;
}

static void
drop(struct pair p)
{
	EVP_PKEY_free(p.key);
	X509_free(p.cert);
}

/* Keys that cannot serve, and other forms of one that can. */
static void
make_odd(const struct pair *leaf)
{
	EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, NULL);
	EVP_PKEY *pss = NULL;
	BIO *bio;
	char *p;
	struct buf b;
	long n;
	int i;

	keep_key("ed25519", ed);
	EVP_PKEY_free(ed);
	EVP_PKEY_keygen_init(ctx);
	EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048);
	assert_int_equal(EVP_PKEY_keygen(ctx, &pss), 1);
	keep_key("rsa-pss", pss);
	EVP_PKEY_free(pss);
	EVP_PKEY_CTX_free(ctx);
	for (i = 0; i < 3; i++) {
		bio = BIO_new(BIO_s_mem());
		if (i == 0)
			PEM_write_bio_PKCS8PrivateKey(bio, leaf->key,
						      EVP_aes_128_cbc(), "pw",
						      2, NULL, NULL);
		else
			PEM_write_bio_PrivateKey_traditional(
				bio, leaf->key,
				i == 1 ? EVP_aes_128_cbc() : NULL,
				(unsigned char *)(uintptr_t) "pw", 2, NULL,
				NULL);
		buf_init(&b, 65536);
		n = BIO_get_mem_data(bio, &p);
		buf_add(&b, p, (size_t)n);
		keep(i == 0   ? "encrypted8"
		     : i == 1 ? "encrypted1"
			      : "key1",
		     &b);
		BIO_free(bio);
	}
}

static void
keep_text(const char *name, const char *text)
{
	struct buf b;

	buf_init(&b, 65536);
	buf_add_c(&b, text);
	keep(name, &b);
}

static int
make_pieces(void **state)
{
	static const struct cert_wish ca = { .kind = "P-256",
					     .cn = "CA",
					     .ca = true };
	struct cert_wish w = { .kind = "P-256",
			       .cn = "mail.x.test",
			       .names = STR("mail.x.test *.y.test 192.0.2.1") };
	struct pair root, inter, leaf, p;
	struct buf b;

	(void)state;
	root = make("rootkey", "root", ca, NULL);
	inter = make("interkey", "inter", ca, &root);
	leaf = make("key", "leaf", w, &inter);
	make_odd(&leaf);
	drop(make("otherkey", "other", w, &inter));
	w.kind = "RSA-2048";
	drop(make("rsakey", "rsa", w, &inter));
	w.kind = "P-384";
	drop(make("p384key", "p384", w, &inter));
	w.kind = "P-521";
	drop(make("p521key", "p521", w, &inter));
	w.kind = "RSA-1024";
	drop(make("weakkey", "weak", w, &inter));
	w.kind = "secp256k1";
	drop(make("k1key", "k1", w, &inter));
	w.kind = "P-256";
	w.names = STR("");
	drop(make("cnkey", "cn", w, &inter));
	w.names = STR("mail.x.test");
	w.from = NOW - 9 * DAY;
	w.until = NOW - 1;
	drop(make("oldkey", "old", w, &inter));
	w.from = NOW + 1;
	w.until = NOW + DAY;
	drop(make("newkey", "new", w, &inter));
	w = ca;
	w.from = NOW - 9 * DAY;
	w.until = NOW - 1;
	p = make("oldcakey", "oldca", w, &root);
	w = (struct cert_wish){ .kind = "P-256", .cn = "a", .names = STR("a") };
	drop(make("byoldkey", "byold", w, &p));
	drop(p);
	keep_text("junk", "# a comment\nand a line\n\n");
	keep_text("crl", "-----BEGIN X509 CRL-----\nAAAA\n"
			 "-----END X509 CRL-----\n");
	keep_text("params", "-----BEGIN EC PARAMETERS-----\n"
			    "BggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n");
	keep_text("badkey", "-----BEGIN PRIVATE KEY-----\nAAAA\n"
			    "-----END PRIVATE KEY-----\n");
	keep_text("badcert", "-----BEGIN CERTIFICATE-----\nAAAA\n"
			     "-----END CERTIFICATE-----\n");
	buf_init(&b, 65536);
	buf_add_c(&b, piece(STR("leaf")));
	b.n -= 40;
	keep("cut", &b);
	drop(root);
	drop(inter);
	drop(leaf);
	return 0;
}

static int
free_pieces(void **state)
{
	(void)state;
	while (npieces)
		free(pieces[--npieces].text);
	return 0;
}

static void
compose(struct buf *out, const char *recipe)
{
	struct str rest = str_of(recipe), one;

	buf_init(out, 1 << 20);
	while (str_token(&rest, " ", &one))
		buf_add_c(out, piece(one));
}

/* want: "" for one that is taken, else a part of what is said. */
static void
test_files(void **state)
{
	static const struct {
		const char *name, *chain, *key, *want;
	} rows[] = {
		{ "a chain", "key leaf inter root", NULL, "" },
		{ "without the root", "key leaf inter", NULL, "" },
		{ "leaf alone", "key leaf", NULL, "" },
		{ "two keys", "key leaf inter rsakey rsa inter", NULL, "" },
		{ "P-384", "p384key p384", NULL, "" },
		{ "P-521", "p521key p521", NULL, "" },
		{ "traditional form", "params key1 leaf", NULL, "" },
		{ "text between", "junk key junk leaf junk", NULL, "" },
		{ "pair", "leaf inter", "key", "" },
		{ "pair in one, any order", "leaf key", "leaf key", "" },
		{ "only a CN", "cnkey cn inter", NULL, "" },
		{ "an old issuer", "byoldkey byold oldca", NULL, "" },
		{ "certificate first", "leaf key", NULL,
		  "before the first private key" },
		{ "empty", "", NULL, "is empty" },
		{ "junk", "junk", NULL, "no private key" },
		{ "key alone", "key", NULL, "no certificate behind" },
		{ "second alone", "key leaf rsakey", NULL,
		  "key 2 has no certificate behind" },
		{ "first alone", "key rsakey rsa", NULL,
		  "key 1 has no certificate behind" },
		{ "another's", "otherkey leaf inter", NULL, "does not fit" },
		{ "another's, second", "key leaf rsakey leaf", NULL,
		  "key 2: the private key does not fit" },
		{ "wrong order", "key inter leaf", NULL, "as number 2" },
		{ "gap", "key leaf root", NULL,
		  "certificate 1 (mail.x.test) is not issued by the next "
		  "one, certificate 2 (CA)" },
		{ "cut", "key cut", NULL, "cut off" },
		{ "damaged key", "badkey leaf", NULL,
		  "private key 1 cannot be read" },
		{ "damaged certificate", "key badcert", NULL,
		  "certificate 1 of key 1 cannot be read" },
		{ "something else", "key leaf crl", NULL, "\"X509 CRL\"" },
		{ "encrypted", "encrypted8 leaf", NULL, "is encrypted" },
		{ "encrypted, old form", "encrypted1 leaf", NULL,
		  "is encrypted" },
		{ "expired", "oldkey old inter", NULL,
		  "expired on 2027-01-15 07:59:59 UTC" },
		{ "not yet", "newkey new inter", NULL,
		  "not valid before 2027-01-15 08:00:01 UTC" },
		{ "Ed25519", "ed25519 leaf", NULL, "type Ed25519" },
		{ "RSA-PSS", "rsa-pss leaf", NULL, "type RSA-PSS" },
		{ "curve", "k1key k1", NULL, "curve secp256k1" },
		{ "1024 bits", "weakkey weak", NULL, "1024 bits" },
		{ "pair, no key", "leaf", "leaf", "key file: no private key" },
		{ "pair, no certificate", "key", "key", "no certificate" },
		{ "pair, encrypted", "leaf", "encrypted8",
		  "key file: the private key is encrypted" },
	};
	struct buf chain, key;
	struct cert_file f;
	struct str text;
	struct err err;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		compose(&chain, rows[i].chain);
		compose(&key, rows[i].key ? rows[i].key : "");
		text = buf_str(&key);
		err.text[0] = '\0';
		rc = cert_file_load(&f, buf_str(&chain),
				    rows[i].key ? &text : NULL, NOW, &err);
		if ((rc == 0) != !rows[i].want[0] ||
		    !strstr(err.text, rows[i].want))
			fail_msg("%s: %d %s", rows[i].name, rc, err.text);
		if (rc < 0)
			assert_int_equal(err.class,
					 strcmp(rows[i].name, "not yet")
						 ? ERR_PERM
						 : ERR_TEMP);
		cert_file_free(&f);
		buf_fini(&chain);
		buf_fini(&key);
	}
}

static void
load(struct cert_file *f, const char *recipe)
{
	struct buf b;
	struct err err;

	compose(&b, recipe);
	if (cert_file_load(f, buf_str(&b), NULL, NOW, &err) < 0)
		fail_msg("%s: %s", recipe, err.text);
	buf_fini(&b);
}

static void
test_facts(void **state)
{
	static const struct {
		const char *name;
		bool want;
	} names[] = {
		{ "mail.x.test", true }, { "MAIL.x.test", true },
		{ "x.test", false },	 { "a.y.test", true },
		{ "a.b.y.test", false }, { "y.test", false },
		{ "192.0.2.1", false },	 { "", false },
	};
	struct cert_file f, g;
	size_t i;

	(void)state;
	load(&f, "key leaf inter rsakey rsa inter root");
	assert_int_equal(f.n, 2);
	assert_int_equal(f.v[0].n, 2);
	assert_int_equal(f.v[1].n, 3);
	assert_string_equal(f.v[0].kind, "ECDSA P-256");
	assert_string_equal(f.v[1].kind, "RSA 2048");
	assert_true(str_eq(f.v[0].names, STR("mail.x.test, *.y.test")));
	assert_true(str_eq(f.v[0].issuer, STR("CA")));
	assert_true(f.v[0].has_dns);
	assert_int_equal(f.v[0].warning.n, 0);
	assert_int_equal(f.v[0].not_after, NOW + 100 * DAY);
	assert_int_not_equal(memcmp(f.v[0].spki, f.v[0].fingerprint, CERT_HASH),
			     0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (cert_covers(&f.v[0], str_of(names[i].name)) !=
		    names[i].want)
			fail_msg("%s", names[i].name);
	load(&g, "key leaf inter rsakey rsa inter root");
	assert_true(cert_file_same(&f, &g));
	cert_file_free(&g);
	load(&g, "key leaf inter");
	assert_false(cert_file_same(&f, &g));
	cert_file_free(&g);
	load(&g, "key leaf inter rsakey rsa inter");
	assert_false(cert_file_same(&f, &g));
	cert_file_free(&g);
	cert_file_free(&f);

	load(&f, "cnkey cn inter");
	assert_false(f.v[0].has_dns);
	assert_true(str_eq(f.v[0].names, STR("mail.x.test")));
	assert_true(f.v[0].server_warning.n > 0);
	assert_int_equal(f.v[0].warning.n, 0);
	cert_file_free(&f);
	load(&f, "byoldkey byold oldca");
	assert_true(str_ends(f.v[0].warning, STR("(CA) is expired")));
	cert_file_free(&f);
}

/* Beyond the limits: refused, not truncated. */
static void
test_limits(void **state)
{
	struct cert_file f;
	struct buf b;
	struct err err;
	int i;

	(void)state;
	compose(&b, "key leaf");
	for (i = 0; i < CERT_CHAIN_MAX; i++)
		buf_add_c(&b, piece(STR("inter")));
	assert_int_equal(cert_file_load(&f, buf_str(&b), NULL, NOW, &err), -1);
	assert_non_null(strstr(err.text, "more than 10 certificates"));
	cert_file_free(&f);
	buf_fini(&b);

	compose(&b, "");
	for (i = 0; i <= CERT_KEYS_MAX; i++) {
		buf_add_c(&b, piece(STR("key")));
		buf_add_c(&b, piece(STR("leaf")));
	}
	assert_int_equal(cert_file_load(&f, buf_str(&b), NULL, NOW, &err), -1);
	assert_non_null(strstr(err.text, "more than 8 keys"));
	cert_file_free(&f);
	while (b.n <= CERT_FILE_MAX)
		buf_add_c(&b, piece(STR("junk")));
	assert_int_equal(cert_file_load(&f, buf_str(&b), NULL, NOW, &err), -1);
	assert_non_null(strstr(err.text, "more than 65535 bytes"));
	cert_file_free(&f);
	buf_fini(&b);
}

/* What keyd loads stands in memory that is locked and left out of dumps. */
static void
test_secure_memory(void **state)
{
	size_t before = CRYPTO_secure_used();
	struct cert_file f;

	(void)state;
	assert_int_equal(CRYPTO_secure_malloc_initialized(), 1);
	load(&f, "key leaf rsakey rsa");
	assert_true(CRYPTO_secure_used() > before);
	cert_file_free(&f);
	assert_int_equal(CRYPTO_secure_used(), before);
}

static void
test_bad_names(void **state)
{
	static const char *const names[] = { "a,b", "a:b", "DNS:x", "a\"b",
					     "a;b" };
	struct cert_wish w = {
		.kind = "P-256", .cn = "x", .from = NOW, .until = NOW + DAY
	};
	EVP_PKEY *key;
	X509 *x;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		w.names = str_of(names[i]);
		assert_int_equal(cert_make(&w, &key, &x, &err), -1);
		assert_null(key);
		assert_int_equal(err.class, ERR_PERM);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_secure_memory),
		cmocka_unit_test(test_bad_names),
	};

	(void)CRYPTO_secure_malloc_init(1 << 20, 32);
	return cmocka_run_group_tests(tests, make_pieces, free_pieces);
}
