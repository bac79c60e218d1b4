/* SPDX-License-Identifier: ISC */
#ifndef TLSD_PEER_CHECK_H
#define TLSD_PEER_CHECK_H

#include <openssl/x509.h>

#include "base/err.h"
#include "frame/msg_tlsd.h"

/*
 * Is this the server we want?  After a handshake, full or resumed: cert is the
 * server's (NULL: it has none), verified what OpenSSL found about it (X509_V_OK
 * ...).  *peer says what is known of it.
 *
 * -1 with err: not what level asks for; the text says why, in words that a
 * report can show.  digest: of the fingerprints in match.
 */
ERR_WARN_UNUSED int peer_check(X509 *cert, long verified, enum tls_level level,
			       struct msg_list match, const char *digest,
			       enum tls_peer_cert *peer, struct err *err);

/* One of these names or addresses (RFC 6125; the common name counts only where
 * there is no DNS name)?  A "*" stands for one whole label, the first. */
bool peer_has_name(X509 *cert, struct msg_list match);
/* Is the digest of the certificate, or of its public key, in the list? */
bool peer_has_fingerprint(X509 *cert, const EVP_MD *md, struct msg_list match);

#endif
