/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "frame/msg_keyd.h"
#include "sign.h"

enum { PSS_TRAILER = 0xbc, BLOCK_MAX = KEY_DATA_MAX, HASH_MAX = 64 };

bool
sign_is_digest_info(struct str data)
{
	/* SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.2.x, NULL }, OCTET
	 * STRING }: only three bytes differ. */
	static const struct {
		uint8_t len, oid;
	} hashes[] = { { 32, 1 }, { 48, 2 }, { 64, 3 }, { 28, 4 } };
	uint8_t head[] = { 0x30, 0,    0x30, 0x0d, 0x06, 0x09, 0x60,
			   0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
			   0,	 0x05, 0x00, 0x04, 0 };
	size_t i;

	for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		head[1] = (uint8_t)(sizeof(head) - 2 + hashes[i].len);
		head[14] = hashes[i].oid;
		head[18] = hashes[i].len;
		if (data.n == sizeof(head) + hashes[i].len &&
		    memcmp(data.p, head, sizeof(head)) == 0)
			return true;
	}
	return false;
}

/* mask ^= MGF1(seed), RFC 8017 B.2.1 */
static bool
unmask(uint8_t *mask, size_t n, const uint8_t *seed, size_t hlen,
       const EVP_MD *md)
{
	uint8_t in[HASH_MAX + 4] = { 0 }, out[HASH_MAX];
	size_t i;

	memcpy(in, seed, hlen);
	for (i = 0; i < n; i++) {
		if (i % hlen == 0) {
			in[hlen + 2] = (uint8_t)(i / hlen >> 8);
			in[hlen + 3] = (uint8_t)(i / hlen);
			if (EVP_Digest(in, hlen + 4, out, NULL, md, NULL) != 1)
				return false;
		}
		mask[i] ^= out[i % hlen];
	}
	return true;
}

/* em: the encoded message without an empty leading octet; top: which bits of
 * its first octet count. */
static bool
is_pss_of(struct str em, uint8_t top, const EVP_MD *md)
{
	size_t hlen = (size_t)EVP_MD_get_size(md), ndb, zeros, i;
	const uint8_t *p = (const uint8_t *)em.p;
	uint8_t db[BLOCK_MAX];

	/* 9.1.2, with a salt of hlen octets */
	if (em.n < 2 * hlen + 2 || em.n > sizeof(db) ||
	    p[em.n - 1] != PSS_TRAILER || p[0] & ~top)
		return false;
	ndb = em.n - hlen - 1;
	memcpy(db, p, ndb);
	if (!unmask(db, ndb, p + ndb, hlen, md))
		return false;
	db[0] &= top;
	zeros = ndb - hlen - 1;
	for (i = 0; i < zeros; i++)
		if (db[i])
			return false;
	return db[zeros] == 1;
}

bool
sign_is_pss(struct str block, unsigned bits)
{
	/* emBits is one less than the modulus has. */
	unsigned over = (bits - 1) % 8;
	uint8_t top = over ? (uint8_t)((1u << over) - 1) : 0xff;

	if (bits < 2048 || block.n != (bits + 7) / 8)
		return false;
	if (over == 0) {
		if (block.p[0])
			return false;
		block = str_from(block, 1);
	}
	return is_pss_of(block, top, EVP_sha256()) ||
	       is_pss_of(block, top, EVP_sha384()) ||
	       is_pss_of(block, top, EVP_sha512());
}

static int
refused(struct err *err, const char *why)
{
	return err_set(err, ERR_PERM, EINVAL, "%s", why);
}

/* What of this scheme may be signed with this key? */
static int
check(const EVP_PKEY *key, unsigned scheme, struct str data, struct err *err)
{
	int type = EVP_PKEY_get_base_id(key);

	switch (scheme) {
	case KEY_ECDSA:
		if (type != EVP_PKEY_EC)
			return refused(err, "not an ECDSA key");
		if (data.n != 28 && data.n != 32 && data.n != 48 &&
		    data.n != 64)
			return refused(err, "not a digest of SHA-2");
		return 0;
	case KEY_RSA_PKCS1:
		if (type != EVP_PKEY_RSA)
			return refused(err, "not an RSA key");
		if (!sign_is_digest_info(data))
			return refused(err, "not a DigestInfo of SHA-2");
		return 0;
	case KEY_RSA_RAW:
		if (type != EVP_PKEY_RSA)
			return refused(err, "not an RSA key");
		if (!sign_is_pss(data, (unsigned)EVP_PKEY_get_bits(key)))
			return refused(err, "not padded by PSS");
		return 0;
	default:
		return refused(err, "no such scheme");
	}
}

int
sign_data(EVP_PKEY *key, unsigned scheme, struct str data, struct buf *out,
	  struct err *err)
{
	size_t n = KEY_SIGNATURE_MAX;
	EVP_PKEY_CTX *ctx;
	char *to;
	int rc = -1;

	if (check(key, scheme, data, err) < 0)
		return -1;
	to = buf_reserve(out, n);
	ctx = EVP_PKEY_CTX_new(key, NULL);
	if (!to || !ctx || EVP_PKEY_sign_init(ctx) != 1)
		goto out;
	if (scheme != KEY_ECDSA &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, scheme == KEY_RSA_RAW
						      ? RSA_NO_PADDING
						      : RSA_PKCS1_PADDING) != 1)
		goto out;
	if (EVP_PKEY_sign(ctx, (unsigned char *)to, &n,
			  (const unsigned char *)data.p, data.n) != 1)
		goto out;
	out->n += n;
	rc = 0;
out:
	EVP_PKEY_CTX_free(ctx);
	if (rc < 0)
		(void)err_set(err, ERR_TEMP, 0, "signing failed");
	ERR_clear_error();
	return rc;
}
