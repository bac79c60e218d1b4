/* SPDX-License-Identifier: ISC */
#ifndef PASSWORD_SCRAM_H
#define PASSWORD_SCRAM_H

#include "base/buf.h"
#include "base/err.h"
#include "mail/users_file.h"

/*
 * The keys of SCRAM (RFC 5802 3), made of a password.  The password is
 * prepared (prep.h) as far as that is possible; what SASLprep refuses is taken
 * as it stands, as Dovecot does with every password.
 */
enum {
	SCRAM_KEY_MAX = 32,
	/* Of new passwords; about 3 ms of processor time. */
	SCRAM_ITERATIONS = 10000,
	SCRAM_SALT = 16,
};

/* Open what libcrypto and ICU open at first use: before a jail, where there is
 * nothing to open any more. */
void password_preload(void);

/* Length of the keys: 20 or 32. */
size_t scram_key_len(enum users_scheme scheme);

/* -1: no memory. */
ERR_WARN_UNUSED int scram_keys(enum users_scheme scheme, struct str password,
			       struct str salt, uint32_t iterations,
			       uint8_t stored[SCRAM_KEY_MAX],
			       uint8_t server[SCRAM_KEY_MAX]);

/* Is this the password of these keys?  Costs the iterations; comparison in
 * constant time. */
bool scram_matches(enum users_scheme scheme, const struct users_scram *keys,
		   struct str password);

/* Append "ITERATIONS,SALT,STOREDKEY,SERVERKEY" for a new password, with a
 * random salt.  -1 with err: SASLprep refuses it, or no memory. */
ERR_WARN_UNUSED int scram_format(enum users_scheme scheme, struct str password,
				 uint32_t iterations, struct buf *out,
				 struct err *err);

#endif
