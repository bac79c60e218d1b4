/* SPDX-License-Identifier: ISC */
/* What main.cf's lists mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "conf.h"

static bool
has_cipher(const char *list, const char *name)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	STACK_OF(SSL_CIPHER) * v;
	bool has = false;
	int i;

	SSL_CTX_set_security_level(ctx, 0);
	assert_int_equal(SSL_CTX_set_cipher_list(ctx, list), 1);
	v = SSL_CTX_get_ciphers(ctx);
	for (i = 0; i < sk_SSL_CIPHER_num(v); i++)
		if (strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(v, i)),
			   name) == 0)
			has = true;
	SSL_CTX_free(ctx);
	return has;
}

/* What must never be used stays out, whatever the lists ask for. */
static void
test_ciphers(void **state)
{
	static const char *const never[] = {
		"ADH-AES256-GCM-SHA384", "AECDH-AES256-SHA",
		"ECDHE-RSA-NULL-SHA",	 "NULL-SHA256",
		"AES256-GCM-SHA384",	 "PSK-AES256-CBC-SHA",
		"SRP-AES-256-CBC-SHA",
	};
	char list[CONF_CIPHERS_MAX];
	char big[CONF_CIPHERS_MAX];
	size_t i;

	(void)state;
	assert_int_equal(
		conf_ciphers(list, STR("ALL:eNULL:aNULL"), STR(""), STR("")),
		0);
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (has_cipher(list, never[i]))
			fail_msg("%s", never[i]);
	assert_true(has_cipher(list, "ECDHE-RSA-AES128-SHA"));
	assert_true(has_cipher(list, "ECDHE-ECDSA-AES256-GCM-SHA384"));
	/* Each word of a list is left out, none is added. */
	assert_int_equal(conf_out_ciphers(list, "HIGH", STR("aRSA:CAMELLIA")),
			 0);
	assert_false(has_cipher(list, "ECDHE-RSA-AES128-GCM-SHA256"));
	assert_false(has_cipher(list, "ECDHE-ECDSA-CAMELLIA256-SHA384"));
	/* A client has no key to be worn out. */
	assert_int_equal(conf_out_ciphers(list, "ALL:eNULL:aNULL", STR("")), 0);
	for (i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (has_cipher(list, never[i]) !=
		    (strcmp(never[i], "AES256-GCM-SHA384") == 0))
			fail_msg("%s", never[i]);
	assert_int_equal(conf_ciphers(list, STR("HIGH"), STR("SHA1, aRSA"),
				      STR("AESGCM")),
			 0);
	assert_false(has_cipher(list, "ECDHE-RSA-AES128-GCM-SHA256"));
	assert_false(has_cipher(list, "ECDHE-ECDSA-AES128-SHA"));
	assert_false(has_cipher(list, "ECDHE-ECDSA-AES256-GCM-SHA384"));
	assert_true(has_cipher(list, "ECDHE-ECDSA-CHACHA20-POLY1305"));
	memset(big, 'x', sizeof(big));
	assert_int_equal(
		conf_ciphers(list, str_mem(big, sizeof(big)), STR(""), STR("")),
		-1);
}

/* Which of the two sets of parameters counts. */
static void
test_load(void **state)
{
	static const struct {
		bool mx;
		const char *level;
		unsigned protocols;
		bool mandatory;
	} rows[] = {
		/* What is older is nothing keyd signs for. */
		{ true, "may", TLS_V_SPOKEN, false },
		{ true, "", TLS_V_SPOKEN, false },
		{ true, "encrypt", TLS_V1_3, true },
		{ false, "may", TLS_V1_3, true },
		{ false, "none", TLS_V1_3, true },
	};
	struct tls_conf conf;
	struct params p;
	char text[2000];
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(
			text, sizeof(text),
			"smtpd_tls_security_level = %s\n"
			"smtpd_tls_protocols = >=TLSv1\n"
			"smtpd_tls_mandatory_protocols = >=TLSv1.3\n"
			"smtpd_tls_ciphers = medium\n"
			"smtpd_tls_mandatory_ciphers = high\n"
			"smtpd_tls_exclude_ciphers = aDSS\n"
			"smtpd_tls_mandatory_exclude_ciphers = CAMELLIA\n"
			"tls_high_cipherlist = HIGH\n"
			"tls_medium_cipherlist = MEDIUM\n"
			"tls_preempt_cipherlist = 1\n"
			"tls_eecdh_auto_curves = X25519\n"
			"smtpd_tls_ccert_verifydepth = 3\n"
			"smtpd_tls_fingerprint_digest = sha512\n"
			"smtpd_tls_session_cache_timeout = 60\n"
			"smtp_tls_scert_verifydepth = 9\n"
			"smtp_tls_session_cache_timeout = 60\n"
			"tls_drain_time = 5\n",
			rows[i].level);
		assert_int_equal(params_load(&p, str_of(text), &err), 0);
		conf_load(&conf, &p, rows[i].mx);
		assert_int_equal(conf.protocols, rows[i].protocols);
		assert_int_equal(conf.mandatory, rows[i].mandatory);
		assert_true(str_starts(str_of(conf.ciphers),
				       rows[i].mandatory
					       ? STR("HIGH:!aDSS:!CAMELLIA:")
					       : STR("MEDIUM:!aDSS:!aNULL:")));
		assert_true(conf.preempt);
		assert_string_equal(conf.groups, "X25519");
		assert_string_equal(conf.digest, "sha512");
		assert_int_equal(conf.verify_depth, 3);
		assert_int_equal(conf.session_s, 60);
		assert_int_equal(conf.drain_s, 5);
		params_fini(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ciphers),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
