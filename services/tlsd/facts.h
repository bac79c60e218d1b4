/* SPDX-License-Identifier: ISC */
#ifndef TLSD_FACTS_H
#define TLSD_FACTS_H

#include <openssl/ssl.h>

#include "frame/msg_tlsd.h"

/*
 * What is known of a connection whose handshake is done, in the words of
 * Postfix's Received header field.  The slices of m point into f.
 */
struct facts {
	char kex[33], auth[33];
	char cn[TLS_NAME_MAX + 1], issuer[TLS_NAME_MAX + 1];
	char fingerprint[TLS_FINGERPRINT_MAX + 1];
	uint8_t exporter[32], endpoint[TLS_BINDING_MAX],
		unique[TLS_BINDING_MAX];
};

/* digest: of the fingerprint, as in smtpd_tls_fingerprint_digest.  Where we are
 * the client, the signature and the end point are the other side's. */
void facts_fill(struct msg_tls_up *m, struct facts *f, SSL *ssl,
		const char *digest);

/*
 * tls-server-end-point (RFC 5929 4.1): the digest of our certificate, which
 * travels in the ticket, for a resumed session is bound to the certificate it
 * began with.  These are the two callbacks that see to it.
 */
int facts_ticket_made(SSL *ssl, void *arg);
SSL_TICKET_RETURN facts_ticket_opened(SSL *ssl, SSL_SESSION *session,
				      const unsigned char *name, size_t n,
				      SSL_TICKET_STATUS status, void *arg);

/* The first common name of a subject, or whichever attribute it is; false:
 * there is none. */
bool facts_name(const X509_NAME *name, int nid, char out[TLS_NAME_MAX + 1]);
/* The common name of the issuer, or its organization, or "". */
void facts_issuer(const X509 *cert, char out[TLS_NAME_MAX + 1]);
/* "AB:CD:..."; n is at most 64. */
void facts_hex(char out[TLS_FINGERPRINT_MAX + 1], const unsigned char *d,
	       unsigned n);

/* A peer's text for a header field and the log: what is not printable ASCII,
 * and what has a meaning in a comment or a quoted string (RFC 5322 3.2), is
 * "?"; cut to fit. */
void facts_text(char *to, size_t size, struct str s);

#endif
