/* SPDX-License-Identifier: ISC */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "facts.h"

/* RFC 9266 4.1. */
#define EXPORTER_LABEL "EXPORTER-Channel-Binding"

void
facts_text(char *to, size_t size, struct str s)
{
	size_t i, n = s.n < size - 1 ? s.n : size - 1;

	for (i = 0; i < n; i++)
		to[i] = s.p[i] < ' ' || s.p[i] > '~' || strchr("\"\\()", s.p[i])
				? '?'
				: s.p[i];
	to[n] = '\0';
}

/* --- how it was agreed -----------------------------------------------------
 */

/* "P-256" for the curve that the rest of OpenSSL calls prime256v1. */
static const char *
group_name(const EVP_PKEY *key, char name[40])
{
	const char *nist;

	if (EVP_PKEY_get_group_name(key, name, 40, NULL) != 1)
		return "";
	nist = EC_curve_nid2nist(OBJ_sn2nid(name));
	return nist ? nist : name;
}

static void
kex(SSL *ssl, char out[33])
{
	EVP_PKEY *key = NULL;
	char name[40];

	if (SSL_get_peer_tmp_key(ssl, &key) != 1)
		return;
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		(void)snprintf(out, 33, "ECDHE (%.23s)", group_name(key, name));
		break;
	case EVP_PKEY_DH:
		(void)snprintf(out, 33, "DHE (%d bits)",
			       EVP_PKEY_get_bits(key));
		break;
	default:
		(void)snprintf(out, 33, "%s",
			       OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
	}
	EVP_PKEY_free(key);
}

/* The server's, whichever side that is. */
static X509 *
server_cert(SSL *ssl)
{
	return SSL_is_server(ssl) ? SSL_get_certificate(ssl)
				  : SSL_get0_peer_certificate(ssl);
}

static void
auth(SSL *ssl, char out[33])
{
	X509 *cert = server_cert(ssl);
	const EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;
	char name[40];

	if (!key)
		return;
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
		(void)snprintf(out, 33, "ECDSA (%.23s)", group_name(key, name));
	else /* TLS 1.3 signs with RSA by PSS only */
		(void)snprintf(out, 33, "RSA-PSS (%d bits)",
			       EVP_PKEY_get_bits(key));
}

/* TLS 1.3 alone: there the cipher's name says none of it. */
static void
signatures(struct msg_tls_up *m, struct facts *f, SSL *ssl)
{
	int nid = NID_undef, rc;

	if (SSL_version(ssl) < TLS1_3_VERSION)
		return;
	kex(ssl, f->kex);
	m->kex = str_of(f->kex);
	if (m->resumed) /* nothing was signed */
		return;
	auth(ssl, f->auth);
	m->auth = str_of(f->auth);
	rc = SSL_is_server(ssl) ? SSL_get_signature_nid(ssl, &nid)
				: SSL_get_peer_signature_nid(ssl, &nid);
	if (rc == 1 && nid != NID_undef)
		m->hash = str_of(OBJ_nid2sn(nid));
}

/* --- the peer's certificate ------------------------------------------------
 */

bool
facts_name(const X509_NAME *name, int nid, char out[TLS_NAME_MAX + 1])
{
	int at = X509_NAME_get_index_by_NID(name, nid, -1), n;
	unsigned char *utf8 = NULL;

	if (at < 0)
		return false;
	n = ASN1_STRING_to_UTF8(
		&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n < 0)
		return false;
	facts_text(out, TLS_NAME_MAX + 1, str_mem(utf8, (size_t)n));
	OPENSSL_free(utf8);
	return true;
}

void
facts_issuer(const X509 *cert, char out[TLS_NAME_MAX + 1])
{
	const X509_NAME *issuer = X509_get_issuer_name(cert);

	if (!facts_name(issuer, NID_commonName, out))
		(void)facts_name(issuer, NID_organizationName, out);
}

void
facts_hex(char out[TLS_FINGERPRINT_MAX + 1], const unsigned char *d, unsigned n)
{
	unsigned i;

	out[0] = '\0';
	for (i = 0; i < n; i++)
		(void)snprintf(out + (size_t)3 * i, 4, "%02X%s", d[i],
			       i + 1 < n ? ":" : "");
}

static void
fingerprint(const X509 *cert, const EVP_MD *md,
	    char out[TLS_FINGERPRINT_MAX + 1])
{
	unsigned char d[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (md && X509_digest(cert, md, d, &n) == 1)
		facts_hex(out, d, n);
}

static void
peer(struct msg_tls_up *m, struct facts *f, SSL *ssl, const char *digest)
{
	const X509 *cert = SSL_get0_peer_certificate(ssl);

	if (!cert)
		return;
	m->peer = SSL_get_verify_result(ssl) == X509_V_OK ? TLS_PEER_TRUSTED
							  : TLS_PEER_UNTRUSTED;
	(void)facts_name(X509_get_subject_name(cert), NID_commonName, f->cn);
	facts_issuer(cert, f->issuer);
	fingerprint(cert, EVP_get_digestbyname(digest), f->fingerprint);
	m->peer_cn = str_of(f->cn);
	m->peer_issuer = str_of(f->issuer);
	m->peer_fingerprint = str_of(f->fingerprint);
}

/* --- channel bindings ------------------------------------------------------
 */

/* RFC 5929 4.1: the digest of the certificate's own signature, SHA-256 instead
 * of MD5 and SHA-1; none if the signature has no one digest (Ed25519). */
static size_t
endpoint_of(const X509 *cert, uint8_t out[TLS_BINDING_MAX])
{
	int md_nid = NID_undef;
	unsigned n = 0;

	if (!cert || X509_get_signature_info((X509 *)(uintptr_t)cert, &md_nid,
					     NULL, NULL, NULL) != 1)
		return 0;
	if (md_nid == NID_md5 || md_nid == NID_sha1 || md_nid == NID_md5_sha1)
		md_nid = NID_sha256;
	if (md_nid == NID_undef ||
	    X509_digest(cert, EVP_get_digestbynid(md_nid), out, &n) != 1)
		return 0;
	return n;
}

int
facts_ticket_made(SSL *ssl, void *arg)
{
	SSL_SESSION *s = SSL_get_session(ssl);
	uint8_t d[TLS_BINDING_MAX];
	size_t n;

	(void)arg;
	if (SSL_session_reused(ssl))
		return 1; /* it has what it began with */
	n = endpoint_of(SSL_get_certificate(ssl), d);
	return SSL_SESSION_set1_ticket_appdata(s, d, n);
}

SSL_TICKET_RETURN
facts_ticket_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
		    size_t n, SSL_TICKET_STATUS status, void *arg)
{
	(void)ssl;
	(void)session;
	(void)name;
	(void)n;
	(void)arg;
	switch (status) {
	case SSL_TICKET_EMPTY:
	case SSL_TICKET_NO_DECRYPT:
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	case SSL_TICKET_SUCCESS:
		return SSL_TICKET_RETURN_USE;
	case SSL_TICKET_SUCCESS_RENEW:
		return SSL_TICKET_RETURN_USE_RENEW;
	default:
		return SSL_TICKET_RETURN_IGNORE;
	}
}

static void
endpoint(struct msg_tls_up *m, struct facts *f, SSL *ssl)
{
	void *d = NULL;
	size_t n = 0;

	/* A client has the certificate of a resumed session, too. */
	if (!m->resumed || !SSL_is_server(ssl)) {
		n = endpoint_of(server_cert(ssl), f->endpoint);
	} else if (SSL_SESSION_get0_ticket_appdata(SSL_get_session(ssl), &d,
						   &n) != 1 ||
		   n > sizeof(f->endpoint)) {
		return;
	} else if (n) {
		memcpy(f->endpoint, d, n);
	}
	m->endpoint = str_mem(f->endpoint, n);
}

/*
 * RFC 5929 3.1: the first Finished of the handshake.  It binds a resumed
 * session only if the master secret is bound to its own handshake (RFC 7627):
 * otherwise one between could have two sessions with the same secret.
 */
static void
unique(struct msg_tls_up *m, struct facts *f, SSL *ssl)
{
	size_t n;

	if (SSL_version(ssl) >= TLS1_3_VERSION ||
	    (m->resumed && SSL_get_extms_support(ssl) != 1))
		return;
	/* The client's comes first in a full handshake, else the server's. */
	n = !m->resumed == !SSL_is_server(ssl)
		    ? SSL_get_finished(ssl, f->unique, sizeof(f->unique))
		    : SSL_get_peer_finished(ssl, f->unique, sizeof(f->unique));
	if (n <= sizeof(f->unique))
		m->unique = str_mem(f->unique, n);
}

/* RFC 9266 4: before TLS 1.3 only with the extended master secret. */
static void
exporter(struct msg_tls_up *m, struct facts *f, SSL *ssl)
{
	if (SSL_version(ssl) < TLS1_3_VERSION &&
	    SSL_get_extms_support(ssl) != 1)
		return;
	if (SSL_export_keying_material(ssl, f->exporter, sizeof(f->exporter),
				       EXPORTER_LABEL,
				       sizeof(EXPORTER_LABEL) - 1,
				       (const unsigned char *)"", 0, 1) == 1)
		m->exporter = str_mem(f->exporter, sizeof(f->exporter));
}

/* A name that is one, or nothing. */
static struct str
sni_of(SSL *ssl)
{
	struct str s =
		str_of(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
	size_t i;

	if (s.n > TLS_NAME_MAX)
		return STR("");
	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("\"\\()<>", s.p[i]))
			return STR("");
	return s;
}

void
facts_fill(struct msg_tls_up *m, struct facts *f, SSL *ssl, const char *digest)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
	int alg_bits = 0;

	*f = (struct facts){ .kex = "" };
	*m = (struct msg_tls_up){ .fd = -1 };
	m->protocol = str_of(SSL_get_version(ssl));
	m->cipher = str_of(SSL_CIPHER_get_name(cipher));
	m->bits = (uint16_t)SSL_CIPHER_get_bits(cipher, &alg_bits);
	m->alg_bits = (uint16_t)alg_bits;
	m->resumed = SSL_session_reused(ssl) ? 1 : 0;
	m->sni = sni_of(ssl);
	signatures(m, f, ssl);
	peer(m, f, ssl, digest);
	endpoint(m, f, ssl);
	unique(m, f, ssl);
	exporter(m, f, ssl);
	ERR_clear_error();
}
