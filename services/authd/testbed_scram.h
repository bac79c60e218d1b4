/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_TESTBED_SCRAM_H
#define AUTHD_TESTBED_SCRAM_H

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/enc.h"
#include "mail/users_file.h"

/*
 * For tests: the client's side of SCRAM (RFC 5802), by hand, as wrong as the
 * test wants it.
 */
struct scram_client {
	enum users_scheme scheme;
	const char *gs2;    /* "n,,", "p=tls-exporter,," */
	struct str cb_data; /* bytes of the binding, for p= */
	const char *user, *password;
	const char *nonce;
	char first_bare[2500], server_first[3000], message[4000];
	char want_final[250]; /* "v=..." */
};

static inline void
scram_b64(char *out, size_t size, struct str in)
{
	struct buf b;

	buf_init(&b, size - 1);
	if (enc_base64(&b, in) < 0 || !str_copy(out, size, buf_str(&b)))
		abort();
	buf_fini(&b);
}

static inline struct str
scram_client_first(struct scram_client *c)
{
	snprintf(c->first_bare, sizeof(c->first_bare), "n=%s,r=%s", c->user,
		 c->nonce);
	snprintf(c->message, sizeof(c->message), "%s%s", c->gs2, c->first_bare);
	return str_of(c->message);
}

/* The value of "x=..." in a message. */
static inline struct str
scram_value(struct str message, const char *name)
{
	struct str item;

	while (message.n) {
		if (!str_cut(&message, ',', &item)) {
			item = message;
			message = STR_NULL;
		}
		if (str_starts(item, str_of(name)))
			return str_from(item, strlen(name));
	}
	return STR_NULL;
}

/* The client's proof for what the server said first. */
static inline struct str
scram_client_final(struct scram_client *c, struct str server_first)
{
	const EVP_MD *md =
		c->scheme == USERS_SCRAM_SHA_256 ? EVP_sha256() : EVP_sha1();
	int len = EVP_MD_size(md), i;
	uint8_t salted[32], key[32], stored[32], sig[32], server_key[32];
	char without[3500], text[12000], b64[200], cb[400], raw[300];
	struct str it = scram_value(server_first, "i=");
	struct buf salt;
	uint64_t n = 0;
	size_t g = strlen(c->gs2);

	(void)!str_copy(c->server_first, sizeof(c->server_first), server_first);
	(void)!str_u64(it, 1000000, &n);
	buf_init(&salt, 100);
	(void)!enc_unbase64(&salt, scram_value(server_first, "s="));
	PKCS5_PBKDF2_HMAC(c->password, (int)strlen(c->password),
			  (uint8_t *)salt.p, (int)salt.n, (int)n, md, len,
			  salted);
	buf_fini(&salt);
	HMAC(md, salted, len, (const uint8_t *)"Client Key", 10, key, NULL);
	EVP_Digest(key, (size_t)len, stored, NULL, md, NULL);
	memcpy(raw, c->gs2, g);
	if (c->cb_data.n)
		memcpy(raw + g, c->cb_data.p, c->cb_data.n);
	scram_b64(cb, sizeof(cb), str_mem(raw, g + c->cb_data.n));
	snprintf(without, sizeof(without), "c=%s,r=%.*s", cb,
		 STR_FMT(scram_value(server_first, "r=")));
	snprintf(text, sizeof(text), "%s,%s,%s", c->first_bare, c->server_first,
		 without);
	HMAC(md, stored, len, (uint8_t *)text, strlen(text), sig, NULL);
	for (i = 0; i < len; i++)
		key[i] ^= sig[i];
	scram_b64(b64, sizeof(b64), str_mem(key, (size_t)len));
	snprintf(c->message, sizeof(c->message), "%s,p=%s", without, b64);
	HMAC(md, salted, len, (const uint8_t *)"Server Key", 10, server_key,
	     NULL);
	HMAC(md, server_key, len, (uint8_t *)text, strlen(text), sig, NULL);
	scram_b64(b64, sizeof(b64), str_mem(sig, (size_t)len));
	snprintf(c->want_final, sizeof(c->want_final), "v=%s", b64);
	return str_of(c->message);
}

#endif
