/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "facts.h"
#include "peer_check.h"

enum { NAMES_TEXT_MAX = 100 };

/* --- names -----------------------------------------------------------------
 */

static bool
has_name(X509 *cert, struct str want)
{
	char name[TLS_NAME_MAX + 1];
	int rc;

	if (want.n == 0 || !str_copy(name, sizeof(name), want))
		return false;
	rc = X509_check_ip_asc(cert, name, 0);
	if (rc == -2) /* no address */
		rc = X509_check_host(cert, name, want.n,
				     X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
				     NULL);
	return rc == 1;
}

bool
peer_has_name(X509 *cert, struct msg_list match)
{
	struct msg_tls_match m;
	struct str it = match.raw;

	while (msg_list_next(&it, match.elem, &m))
		if (has_name(cert, m.text))
			return true;
	return false;
}

/* "mx.example.com, *.example.org, ...", for people. */
static void
names_text(X509 *cert, char out[NAMES_TEXT_MAX])
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	char one[TLS_NAME_MAX + 1];
	size_t n = 0;
	int i;

	out[0] = '\0';
	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type != GEN_DNS)
			continue;
		facts_text(one, sizeof(one),
			   str_mem(ASN1_STRING_get0_data(g->d.dNSName),
				   (size_t)ASN1_STRING_length(g->d.dNSName)));
		if (n + strlen(one) + sizeof(", ...") > NAMES_TEXT_MAX) {
			(void)snprintf(out + n, NAMES_TEXT_MAX - n, "%s...",
				       n ? ", " : "");
			break;
		}
		n += (size_t)snprintf(out + n, NAMES_TEXT_MAX - n, "%s%s",
				      n ? ", " : "", one);
	}
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	ERR_clear_error();
	if (!out[0] &&
	    facts_name(X509_get_subject_name(cert), NID_commonName, one))
		(void)snprintf(out, NAMES_TEXT_MAX, "%.90s", one);
}

static int
check_names(X509 *cert, struct msg_list match, struct err *err)
{
	char names[NAMES_TEXT_MAX];
	struct msg_tls_match want = { STR("") };
	struct str it = match.raw;

	if (peer_has_name(cert, match))
		return 0;
	(void)msg_list_next(&it, match.elem, &want);
	names_text(cert, names);
	return err_set(err, ERR_PERM, EPERM,
		       "Server certificate not verified: subject mismatch, "
		       "it is for \"%s\", not for \"%.*s\"",
		       names, STR_FMT(str_head(want.text, 60)));
}

/* --- fingerprints ----------------------------------------------------------
 */

static bool
in_list(const unsigned char *d, unsigned n, struct msg_list match)
{
	char hex[TLS_FINGERPRINT_MAX + 1];
	struct msg_tls_match m;
	struct str it = match.raw;
	bool found = false;

	facts_hex(hex, d, n);
	while (msg_list_next(&it, match.elem, &m))
		found |= str_ieq(m.text, str_of(hex));
	return found;
}

bool
peer_has_fingerprint(X509 *cert, const EVP_MD *md, struct msg_list match)
{
	unsigned char d[EVP_MAX_MD_SIZE], *key = NULL;
	unsigned n = 0;
	bool found = false;
	int len;

	if (!md)
		return false;
	if (X509_digest(cert, md, d, &n) == 1)
		found = in_list(d, n, match);
	/* As Postfix: of SubjectPublicKeyInfo as a whole. */
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &key);
	if (len > 0 && EVP_Digest(key, (size_t)len, d, &n, md, NULL) == 1)
		found |= in_list(d, n, match);
	OPENSSL_free(key);
	return found;
}

static int
check_fingerprint(X509 *cert, struct msg_list match, const char *digest,
		  struct err *err)
{
	const EVP_MD *md = EVP_get_digestbyname(digest);
	unsigned char d[EVP_MAX_MD_SIZE];
	char hex[TLS_FINGERPRINT_MAX + 1] = "";
	unsigned n = 0;

	if (peer_has_fingerprint(cert, md, match))
		return 0;
	if (md && X509_digest(cert, md, d, &n) == 1)
		facts_hex(hex, d, n);
	return err_set(err, ERR_PERM, EPERM,
		       "Server certificate not verified: no fingerprint "
		       "match, its %s is %.120s",
		       digest, hex);
}

/* --- trust -----------------------------------------------------------------
 */

static int
check_trust(const X509 *cert, long why, struct err *err)
{
	char issuer[TLS_NAME_MAX + 1] = "";

	/* A resumed session brings the result of its beginning. */
	if (why == X509_V_OK &&
	    X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		why = X509_V_ERR_CERT_HAS_EXPIRED;
	if (why == X509_V_OK)
		return 0;
	if (why != X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY &&
	    why != X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE)
		return err_set(err, ERR_PERM, EPERM,
			       "Server certificate not trusted: %s",
			       X509_verify_cert_error_string(why));
	facts_issuer(cert, issuer);
	return err_set(err, ERR_PERM, EPERM,
		       "Server certificate not trusted: untrusted issuer "
		       "\"%.100s\"",
		       issuer);
}

int
peer_check(X509 *cert, long verified, enum tls_level level,
	   struct msg_list match, const char *digest, enum tls_peer_cert *peer,
	   struct err *err)
{
	int rc;

	*peer = TLS_PEER_NONE;
	if (!cert)
		return level < TLS_FINGERPRINT
			       ? 0
			       : err_set(err, ERR_PERM, EPERM,
					 "Server certificate not verified: "
					 "there is none");
	if (level == TLS_FINGERPRINT) {
		rc = check_fingerprint(cert, match, digest, err);
		*peer = TLS_PEER_VERIFIED;
		return rc;
	}
	rc = check_trust(cert, verified, err);
	*peer = rc < 0 ? TLS_PEER_UNTRUSTED : TLS_PEER_TRUSTED;
	if (level < TLS_FINGERPRINT)
		return 0;
	if (rc == 0)
		rc = check_names(cert, match, err);
	*peer = TLS_PEER_VERIFIED;
	return rc;
}
