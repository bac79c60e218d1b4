/* SPDX-License-Identifier: ISC */
/* What is asked of a server's certificate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>

#include "frame/tls_protocols.h"
#include "outgoing.h"
#include "testbed_out.h"

static void
test_levels(void **state)
{
	const struct house *h = *state;
	const struct {
		const char *name;
		const struct cert *cert, *middle;
		enum tls_level level;
		const char *match;
		enum tls_peer_cert peer; /* if it is good */
		const char *text;	 /* if it is not: "T" and why it is not
					    trusted, "M" and what does not match */
	} rows[] = {
		{ "may, trusted", &h->good, NULL, TLS_MAY, "", TLS_PEER_TRUSTED,
		  NULL },
		{ "may, unknown CA", &h->unknown, NULL, TLS_MAY, "",
		  TLS_PEER_UNTRUSTED, NULL },
		{ "may, self-signed", &h->self, NULL, TLS_MAY, "",
		  TLS_PEER_UNTRUSTED, NULL },
		{ "may, expired", &h->expired, NULL, TLS_MAY, "",
		  TLS_PEER_UNTRUSTED, NULL },
		{ "encrypt, self-signed", &h->self, NULL, TLS_ENCRYPT, "",
		  TLS_PEER_UNTRUSTED, NULL },
		{ "verify", &h->good, NULL, TLS_VERIFY, "mx.a.test",
		  TLS_PEER_VERIFIED, NULL },
		{ "verify, case", &h->good, NULL, TLS_VERIFY, "MX2.A.test",
		  TLS_PEER_VERIFIED, NULL },
		{ "verify, RSA", &h->rsa, NULL, TLS_VERIFY, "mx.a.test",
		  TLS_PEER_VERIFIED, NULL },
		{ "second of the list", &h->good, NULL, TLS_SECURE,
		  "a.test .a.test", TLS_PEER_VERIFIED, NULL },
		{ "through a middle one", &h->deep, &h->middle, TLS_VERIFY,
		  "mx.a.test", TLS_PEER_VERIFIED, NULL },
		{ "wildcard", &h->wild, NULL, TLS_VERIFY, "mx.a.test",
		  TLS_PEER_VERIFIED, NULL },
		{ "wildcard is below", &h->wild, NULL, TLS_SECURE, ".a.test",
		  TLS_PEER_VERIFIED, NULL },
		{ "common name", &h->cn_only, NULL, TLS_VERIFY, "mx.a.test",
		  TLS_PEER_VERIFIED, NULL },
		{ "address", &h->ip, NULL, TLS_VERIFY, "192.0.2.1",
		  TLS_PEER_VERIFIED, NULL },
		{ "below means below", &h->good, NULL, TLS_SECURE, ".mx.a.test",
		  TLS_PEER_NONE,
		  "M\"mx.a.test, mx2.a.test\", not for \".mx.a.test\"" },
		{ "the middle one is missing", &h->deep, NULL, TLS_VERIFY,
		  "mx.a.test", TLS_PEER_NONE, "Tuntrusted issuer \"Middle\"" },
		{ "wildcard is one label", &h->wild, NULL, TLS_VERIFY,
		  "x.mx.a.test", TLS_PEER_NONE,
		  "M\"*.a.test\", not for \"x.mx.a.test\"" },
		{ "wildcard is not none", &h->wild, NULL, TLS_VERIFY, "a.test",
		  TLS_PEER_NONE, "M\"*.a.test\", not for \"a.test\"" },
		{ "common name beside others", &h->good, NULL, TLS_VERIFY, "x",
		  TLS_PEER_NONE, "M\"mx.a.test, mx2.a.test\", not for \"x\"" },
		{ "another address", &h->ip, NULL, TLS_VERIFY, "192.0.2.2",
		  TLS_PEER_NONE, "M\"x\", not for \"192.0.2.2\"" },
		{ "a name is no address", &h->good, NULL, TLS_VERIFY,
		  "192.0.2.1", TLS_PEER_NONE,
		  "M\"mx.a.test, mx2.a.test\", not for \"192.0.2.1\"" },
		{ "wrong name", &h->good, NULL, TLS_VERIFY, "mx.b.test",
		  TLS_PEER_NONE,
		  "M\"mx.a.test, mx2.a.test\", not for \"mx.b.test\"" },
		{ "no name", &h->good, NULL, TLS_VERIFY, "", TLS_PEER_NONE,
		  "M\"mx.a.test, mx2.a.test\", not for \"\"" },
		{ "expired", &h->expired, NULL, TLS_VERIFY, "mx.a.test",
		  TLS_PEER_NONE, "Tcertificate has expired" },
		{ "early", &h->early, NULL, TLS_SECURE, "mx.a.test",
		  TLS_PEER_NONE, "Tcertificate is not yet valid" },
		{ "self-signed", &h->self, NULL, TLS_VERIFY, "mx.a.test",
		  TLS_PEER_NONE, "Tself-signed certificate" },
		{ "unknown CA", &h->unknown, NULL, TLS_VERIFY, "mx.a.test",
		  TLS_PEER_NONE, "Tuntrusted issuer \"Their CA\"" },
	};
	char want[300];
	struct out o;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct want w = { .level = rows[i].level,
					.host = "mx.a.test",
					.match = rows[i].match };
		bool good;

		out_open(&o, rows[i].cert, rows[i].middle);
		out_trust(&o, &h->ca);
		good = out_run(&o, &w);
		if (rows[i].text) {
			(void)snprintf(
				want, sizeof(want), "%s%s",
				rows[i].text[0] == 'T'
					? "Server certificate not trusted: "
					: "Server certificate not verified: "
					  "subject mismatch, it is for ",
				rows[i].text + 1);
			if (good || o.class != TLS_FAIL_PEER ||
			    strcmp(o.text, want) != 0)
				fail_msg("%s: %d %u %s", rows[i].name, good,
					 o.class, o.text);
		} else if (!good || o.facts.peer != rows[i].peer) {
			fail_msg("%s: %d %u %s", rows[i].name, good,
				 o.facts.peer, o.text);
		} else {
			assert_string_equal(o.sni, "mx.a.test");
			out_echo(&o);
		}
		out_close(&o);
	}
}

static void
test_no_authorities(void **state)
{
	const struct house *h = *state;
	const struct want may = { .level = TLS_MAY };
	const struct want verify = { .level = TLS_VERIFY,
				     .match = "mx.a.test" };
	struct out o;

	out_open(&o, &h->good, NULL);
	assert_true(out_run(&o, &may));
	assert_int_equal(o.facts.peer, TLS_PEER_UNTRUSTED);
	assert_string_equal(o.sni, "");
	assert_false(out_run(&o, &verify));
	assert_string_equal(o.text, "Server certificate not trusted: "
				    "untrusted issuer \"CA\"");
	out_trust(&o, &h->ca);
	assert_true(out_run(&o, &verify));
	out_trust(&o, &h->other_ca);
	assert_false(out_run(&o, &verify));
	out_close(&o);
}

static void
hex(char *to, const unsigned char *d, unsigned n, bool lower)
{
	unsigned i;

	for (i = 0; i < n; i++)
		(void)snprintf(to + (size_t)3 * i, 4,
			       lower ? "%02x%s" : "%02X%s", d[i],
			       i + 1 < n ? ":" : "");
}

static void
test_fingerprints(void **state)
{
	const struct house *h = *state;
	unsigned char d[64], *spki = NULL;
	char cert[200], key[200], match[500];
	struct want w = { .level = TLS_FINGERPRINT, .match = match };
	struct out o;
	unsigned n;
	int len;

	out_open(&o, &h->self, NULL);
	X509_digest(h->self.cert, EVP_sha256(), d, &n);
	hex(cert, d, n, false);
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(h->self.cert), &spki);
	EVP_Digest(spki, (size_t)len, d, &n, EVP_sha256(), NULL);
	hex(key, d, n, true);
	OPENSSL_free(spki);

	(void)snprintf(match, sizeof(match), "AB:CD %s", cert);
	assert_true(out_run(&o, &w));
	assert_int_equal(o.facts.peer, TLS_PEER_VERIFIED);
	assert_string_equal(o.facts.peer_fingerprint, cert);
	(void)snprintf(match, sizeof(match), "%s", key);
	assert_true(out_run(&o, &w));
	w.digest = "sha1";
	assert_false(out_run(&o, &w));
	assert_int_equal(o.class, TLS_FAIL_PEER);
	X509_digest(h->self.cert, EVP_sha512(), d, &n);
	hex(match, d, n, true);
	w.digest = "sha512";
	assert_true(out_run(&o, &w));
	/* A part of one is none. */
	match[strlen(match) - 3] = '\0';
	assert_false(out_run(&o, &w));
	w.digest = "sha256";
	(void)snprintf(match, sizeof(match), "%.*s%s", 3, "AB:", cert + 3);
	assert_false(out_run(&o, &w));
	(void)snprintf(match, sizeof(match),
		       "Server certificate not verified: no fingerprint "
		       "match, its sha256 is %s",
		       cert);
	assert_string_equal(o.text, match);
	w.digest = "none";
	assert_false(out_run(&o, &w));
	out_close(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_no_authorities),
		cmocka_unit_test(test_fingerprints),
	};

	return cmocka_run_group_tests(tests, house_make, house_free);
}
