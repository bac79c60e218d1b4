/* SPDX-License-Identifier: ISC */
#ifndef KEYD_SIGN_H
#define KEYD_SIGN_H

#include <openssl/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Sign what a side of TLS signs, and nothing else.  Raw RSA is its own
 * decryption, so that a block is signed only if it is whole and well-formed
 * padding of a digest; what an asker chose freely never is.
 *
 * scheme: enum key_scheme (frame/msg_keyd.h).  The signature is appended to
 * out.  -1 with err: PERM for data that is not its scheme's or its key's.
 */
ERR_WARN_UNUSED int sign_data(EVP_PKEY *key, unsigned scheme, struct str data,
			      struct buf *out, struct err *err);

/* EMSA-PSS (RFC 8017 9.1.2) of a SHA-2 digest with a salt as long as the
 * digest (RFC 8446 4.2.3), for a modulus of that many bits? */
bool sign_is_pss(struct str block, unsigned bits);

/* A DigestInfo (RFC 8017 9.2) of SHA-2? */
bool sign_is_digest_info(struct str data);

#endif
