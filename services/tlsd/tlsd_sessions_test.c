/* SPDX-License-Identifier: ISC */
/* Sessions with servers that are resumed, or must not be. */
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

/* --- sessions --------------------------------------------------------------
 */

static void
test_resumption(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	const struct house *h = *state;
	const struct want w = { .level = TLS_VERIFY,
				.host = "mx.a.test",
				.match = "mx.a.test" };
	unsigned char theirs[64];
	struct out o;
	size_t i, n, k;

	for (i = 0; i < 2; i++) {
		bool is13 = versions[i] == TLS1_3_VERSION;

		out_open(&o, &h->good, NULL);
		out_trust(&o, &h->ca);
		SSL_CTX_set_max_proto_version(o.ctx, versions[i]);
		assert_true(out_run(&o, &w));
		assert_false(o.facts.resumed);
		out_echo(&o); /* tickets come with it */
		for (k = 0; k < 4; k++) {
			assert_true(out_run(&o, &w));
			assert_true(o.facts.resumed);
			assert_int_equal(o.facts.peer, TLS_PEER_VERIFIED);
			assert_string_equal(o.facts.peer_issuer, "CA");
			assert_int_equal(o.facts.endpoint_n, 32);
			out_echo(&o);
		}
		n = SSL_get_finished(o.ssl, theirs, sizeof(theirs));
		assert_int_equal(o.facts.unique_n, is13 ? 0 : n);
		if (!is13)
			assert_memory_equal(o.facts.unique, theirs, n);
		out_close(&o);
	}
}

/* Anything else that is asked is another key, and so is what is trusted. */
static void
test_resumption_policy(void **state)
{
	const struct house *h = *state;
	const struct want first = { .level = TLS_MAY, .host = "mx.a.test" };
	const struct want others[] = {
		{ .level = TLS_ENCRYPT, .host = "mx.a.test" },
		{ .level = TLS_MAY, .host = "mx2.a.test" },
		{ .level = TLS_MAY, .host = "mx.a.test", .exclude = "RC4" },
		{ .level = TLS_MAY,
		  .host = "mx.a.test",
		  .grade = TLS_GRADE_HIGH },
		{ .level = TLS_MAY, .host = "mx.a.test", .digest = "sha1" },
		{ .level = TLS_VERIFY,
		  .host = "mx.a.test",
		  .match = "mx.a.test" },
		{ .level = TLS_VERIFY,
		  .host = "mx.a.test",
		  .match = "mx2.a.test" },
		{ .level = TLS_SECURE,
		  .host = "mx.a.test",
		  .match = "mx.a.test" },
	};
	struct out o;
	size_t i;

	out_open(&o, &h->good, NULL);
	out_trust(&o, &h->ca);
	assert_true(out_run(&o, &first));
	out_echo(&o);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_true(out_run(&o, &others[i]));
		assert_false(o.facts.resumed);
		out_echo(&o);
	}
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_true(out_run(&o, &others[i]));
		assert_true(o.facts.resumed);
		out_echo(&o);
	}
	assert_true(out_run(&o, &first));
	assert_true(o.facts.resumed);
	out_echo(&o);
	out_trust(&o, NULL);
	assert_true(out_run(&o, &first));
	assert_false(o.facts.resumed);
	assert_int_equal(o.facts.peer, TLS_PEER_UNTRUSTED);
	out_close(&o);
}

/* A session of a server that was not the right one does not become it. */
static void
test_resumption_refused(void **state)
{
	const struct house *h = *state;
	const struct want w = { .level = TLS_VERIFY,
				.host = "mx.b.test",
				.match = "mx.b.test" };
	struct out o;
	int k;

	out_open(&o, &h->good, NULL);
	out_trust(&o, &h->ca);
	SSL_CTX_set_max_proto_version(o.ctx, TLS1_2_VERSION);
	for (k = 0; k < 3; k++) {
		assert_false(out_run(&o, &w));
		assert_int_equal(o.class, TLS_FAIL_PEER);
	}
	out_close(&o);
}

static void
test_resumption_off(void **state)
{
	const struct house *h = *state;
	const struct want w = { .level = TLS_MAY };
	struct out o;

	out_open(&o, &h->good, NULL);
	o.b.conf.out_session_s = 0;
	tlsd_configure(&o.b.tlsd, &o.b.conf);
	assert_true(out_run(&o, &w));
	out_echo(&o);
	assert_true(out_run(&o, &w));
	assert_false(o.facts.resumed);
	assert_int_equal(o.b.tlsd.sessions.n, 0);
	out_close(&o);
}

/* --- the store of sessions -------------------------------------------------
 */

static SSL_SESSION *
a_session(int version, size_t host_n)
{
	static const unsigned char key[32] = "secret";
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	SSL *ssl = SSL_new(ctx);
	SSL_SESSION *s = SSL_SESSION_new();
	char *host = calloc(1, host_n + 1);

	SSL_SESSION_set_cipher(
		s, SSL_CIPHER_find(ssl, version == TLS1_3_VERSION
						? (const uint8_t *)"\x13\x02"
						: (const uint8_t *)"\xc0\x2c"));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	memset(host, 'x', host_n);
	SSL_SESSION_set_protocol_version(s, version);
	SSL_SESSION_set1_master_key(s, key, sizeof(key));
	SSL_SESSION_set1_id(s, key, sizeof(key));
	SSL_SESSION_set1_ticket_appdata(s, host, host_n);
	free(host);
	return s;
}

static bool
take(struct sessions *ss, const uint8_t key[SESSION_KEY], uint64_t now)
{
	SSL_SESSION *s = sessions_take(ss, key, now);

	SSL_SESSION_free(s);
	return s != NULL;
}

static void
test_store(void **state)
{
	SSL_SESSION *s13 = a_session(TLS1_3_VERSION, 10);
	SSL_SESSION *s12 = a_session(TLS1_2_VERSION, 10);
	SSL_SESSION *large = a_session(TLS1_3_VERSION, SESSION_BYTES_MAX);
	uint8_t key[SESSION_KEY] = "a";
	struct sessions ss;
	unsigned i;

	(void)state;
	sessions_init(&ss);
	assert_false(take(&ss, key, 0));
	/* Once each, or as often as wanted. */
	sessions_put(&ss, key, s13, 100);
	sessions_put(&ss, key, s13, 100);
	assert_true(take(&ss, key, 50));
	assert_true(take(&ss, key, 50));
	assert_false(take(&ss, key, 50));
	assert_int_equal(ss.n, 0);
	sessions_put(&ss, key, s12, 100);
	assert_true(take(&ss, key, 50));
	assert_true(take(&ss, key, 99));
	assert_false(take(&ss, key, 100));
	assert_int_equal(ss.n, 0);
	/* So many of a key. */
	for (i = 0; i < 10; i++)
		sessions_put(&ss, key, s13, 100 + i);
	for (i = 0; i < SESSION_EACH_MAX; i++)
		assert_true(take(&ss, key, 50));
	assert_false(take(&ss, key, 50));
	sessions_put(&ss, key, large, 100);
	assert_int_equal(ss.n, 0);
	/* So many keys; the one used last stays. */
	for (i = 0; i < SESSION_KEYS_MAX + 100; i++) {
		memcpy(key, &i, sizeof(i));
		sessions_put(&ss, key, s13, 100);
		key[0] = key[1] = key[2] = key[3] = 0;
		sessions_put(&ss, key, s12, 100);
	}
	assert_int_equal(ss.n, SESSION_KEYS_MAX);
	assert_true(take(&ss, key, 50));
	i = 50;
	memcpy(key, &i, sizeof(i));
	assert_false(take(&ss, key, 50));
	i = SESSION_KEYS_MAX;
	memcpy(key, &i, sizeof(i));
	assert_true(take(&ss, key, 50));
	sessions_flush(&ss);
	assert_int_equal(ss.n, 0);
	assert_false(take(&ss, key, 50));
	SSL_SESSION_free(s13);
	SSL_SESSION_free(s12);
	SSL_SESSION_free(large);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_resumption_policy),
		cmocka_unit_test(test_resumption_refused),
		cmocka_unit_test(test_resumption_off),
		cmocka_unit_test(test_store),
	};

	return cmocka_run_group_tests(tests, house_make, house_free);
}
