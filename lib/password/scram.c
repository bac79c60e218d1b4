/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/enc.h"
#include "base/rand.h"
#include "password/prep.h"
#include "password/scram.h"

enum { PREPARED_MAX = 8192 };

void
password_preload(void)
{
	/* Not ASCII, for ICU's tables, which stay when the profile is closed.
	 */
	static const char word[] = "p\xc3\xa4ss";
	uint8_t stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	(void)!scram_keys(USERS_SCRAM_SHA_1, str_of(word), STR("salt"), 1,
			  stored, server);
	(void)!scram_keys(USERS_SCRAM_SHA_256, str_of(word), STR("salt"), 1,
			  stored, server);
}

size_t
scram_key_len(enum users_scheme scheme)
{
	return scheme == USERS_SCRAM_SHA_256 ? 32 : 20;
}

static const EVP_MD *
digest(enum users_scheme scheme)
{
	return scheme == USERS_SCRAM_SHA_256 ? EVP_sha256() : EVP_sha1();
}

static void
wipe(struct buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->size);
	buf_fini(b);
}

/* RFC 5802 3: SaltedPassword, ClientKey, StoredKey, ServerKey. */
static int
derive(enum users_scheme scheme, struct str password, struct str salt,
       uint32_t iterations, uint8_t *stored, uint8_t *server)
{
	uint8_t salted[SCRAM_KEY_MAX], client[SCRAM_KEY_MAX];
	const EVP_MD *md = digest(scheme);
	int len = (int)scram_key_len(scheme);
	bool ok;

	ok = PKCS5_PBKDF2_HMAC(password.p, (int)password.n,
			       (const uint8_t *)salt.p, (int)salt.n,
			       (int)iterations, md, len, salted) == 1 &&
	     HMAC(md, salted, len, (const uint8_t *)"Client Key", 10, client,
		  NULL) &&
	     HMAC(md, salted, len, (const uint8_t *)"Server Key", 10, server,
		  NULL) &&
	     EVP_Digest(client, (size_t)len, stored, NULL, md, NULL) == 1;
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	return ok ? 0 : -1;
}

int
scram_keys(enum users_scheme scheme, struct str password, struct str salt,
	   uint32_t iterations, uint8_t stored[SCRAM_KEY_MAX],
	   uint8_t server[SCRAM_KEY_MAX])
{
	struct buf prepared;
	struct err err;
	int rc = 0;

	buf_init(&prepared, PREPARED_MAX);
	if (password_prep(password, false, &prepared, &err) == 0)
		password = buf_str(&prepared);
	else if (err.class == ERR_TEMP)
		rc = -1;
	if (rc == 0)
		rc = derive(scheme, password, salt, iterations, stored, server);
	wipe(&prepared);
	return rc;
}

bool
scram_matches(enum users_scheme scheme, const struct users_scram *keys,
	      struct str password)
{
	uint8_t stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
	size_t len = scram_key_len(scheme);
	struct buf salt, want;
	bool same;

	buf_init(&salt, USERS_SCRAM_SALT_MAX);
	buf_init(&want, SCRAM_KEY_MAX);
	same = enc_unbase64(&salt, keys->salt) == 0 &&
	       enc_unbase64(&want, keys->stored) == 0 &&
	       scram_keys(scheme, password, buf_str(&salt), keys->iterations,
			  stored, server) == 0 &&
	       enc_equal_const_time(str_mem(stored, len), buf_str(&want));
	wipe(&salt);
	wipe(&want);
	return same;
}

int
scram_format(enum users_scheme scheme, struct str password, uint32_t iterations,
	     struct buf *out, struct err *err)
{
	uint8_t salt[SCRAM_SALT], stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
	size_t len = scram_key_len(scheme);
	struct buf prepared;
	int rc;

	buf_init(&prepared, PREPARED_MAX);
	rand_bytes(salt, sizeof(salt));
	rc = password_prep(password, true, &prepared, err);
	if (rc == 0 &&
	    derive(scheme, buf_str(&prepared), str_mem(salt, sizeof(salt)),
		   iterations, stored, server) < 0)
		rc = err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	wipe(&prepared);
	if (rc < 0)
		return -1;
	(void)!buf_addf(out, "%u,", (unsigned)iterations);
	(void)!enc_base64(out, str_mem(salt, sizeof(salt)));
	(void)!buf_add_byte(out, ',');
	(void)!enc_base64(out, str_mem(stored, len));
	(void)!buf_add_byte(out, ',');
	(void)!enc_base64(out, str_mem(server, len));
	explicit_bzero(stored, sizeof(stored));
	explicit_bzero(server, sizeof(server));
	if (buf_overflown(out))
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	return 0;
}
