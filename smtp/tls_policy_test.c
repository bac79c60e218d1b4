/* SPDX-License-Identifier: ISC */
/* How TLS is to be used with a destination, as text: "level protocols grade
 * host=... exclude=... match=a match=b". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "frame/tls_protocols.h"
#include "tls_policy.h"

static const char defaults[] =
	"smtp_starttls_timeout = 300\n"
	"smtp_tls_policy_maps = inline:{}\n"
	"smtp_tls_wrappermode = 0\n"
	"smtp_tls_protocols = >=TLSv1.2\n"
	"smtp_tls_mandatory_protocols = TLSv1.3\n"
	"smtp_tls_ciphers = medium\n"
	"smtp_tls_mandatory_ciphers = high\n"
	"smtp_tls_exclude_ciphers = RC4\n"
	"smtp_tls_mandatory_exclude_ciphers = SHA1 DHE\n"
	"smtp_tls_verify_cert_match = hostname\n"
	"smtp_tls_secure_cert_match = nexthop, dot-nexthop\n"
	"smtp_tls_fingerprint_cert_match = AB:CD, EF:01\n"
	"smtp_tls_fingerprint_digest = sha256\n"
	"smtp_tls_servername = hostname\n"
	"smtp_tls_loglevel = 1\n"
	"smtp_tls_note_starttls_offer = 0\n";

static void
load(struct params *p, struct tls_settings *t, const char *more)
{
	struct buf text;
	struct err err;

	buf_init(&text, 8192);
	assert_int_equal(buf_addf(&text, "%s%s", defaults, more), 0);
	assert_int_equal(params_load(p, buf_str(&text), &err), 0);
	buf_fini(&text);
	if (tls_settings_load(t, p, "smtp", &err) < 0)
		fail_msg("%s: %s", more, err.text);
}

static void
render(const struct tls_plan *p, struct buf *out)
{
	struct msg_tls_match m;
	struct msg_tls_client ask;
	struct str it;

	tls_plan_ask(p, &ask);
	buf_reset(out);
	(void)buf_addf(out, "%u", ask.level);
	if (ask.level == TLS_PLAN_NONE)
		return;
	(void)buf_addf(out, "%s%s %s %.*s [%.*s]",
		       ask.protocols & TLS_V1_2 ? " 1.2" : "",
		       ask.protocols & TLS_V1_3 ? " 1.3" : "",
		       ask.grade == TLS_GRADE_HIGH ? "high" : "medium",
		       STR_FMT(ask.host), STR_FMT(str_trim(ask.exclude)));
	for (it = ask.match.raw; msg_list_next(&it, ask.match.elem, &m);)
		(void)buf_addf(out, " %.*s", STR_FMT(m.text));
}

static void
check(const char *more, const char *policy, const char *nexthop,
      const char *host, bool literal, const char *want)
{
	struct msg_sited site = { .verdict = ROUTE_OK,
				  .has_tls = policy != NULL,
				  .tls = str_of(policy ? policy : "") };
	struct tls_settings t;
	struct tls_plan plan, copy;
	struct params p;
	struct buf got;
	struct err err;

	load(&p, &t, more);
	buf_init(&got, 8192);
	if (tls_policy(&t, &site, str_of(nexthop), str_of(host), literal, &plan,
		       &err) < 0) {
		assert_int_equal(err.class, ERR_TEMP);
		(void)buf_addf(&got, "%s", err.text);
	} else {
		copy = plan;
		memset(&plan, 0xff, sizeof(plan));
		render(&copy, &got);
	}
	if (!str_eq(buf_str(&got), str_of(want)))
		fail_msg("%s \"%s\" %s %s:\n%.*s\nwant\n%s", more,
			 policy ? policy : "(none)", nexthop, host,
			 STR_FMT(buf_str(&got)), want);
	buf_fini(&got);
	params_fini(&p);
}

static void
test_levels(void **state)
{
	static const struct {
		const char *level, *want;
	} rows[] = {
		{ "", "0" },
		{ "none", "0" },
		{ "may", "1 1.2 1.3 medium mx.a.test [RC4]" },
		{ "encrypt", "2 1.3 high mx.a.test [RC4 SHA1 DHE]" },
		{ "fingerprint",
		  "3 1.3 high mx.a.test [RC4 SHA1 DHE] AB:CD EF:01" },
		{ "verify", "4 1.3 high mx.a.test [RC4 SHA1 DHE] mx.a.test" },
		{ "secure",
		  "5 1.3 high mx.a.test [RC4 SHA1 DHE] a.test .a.test" },
	};
	char more[100];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(more, sizeof(more),
			       "smtp_tls_security_level = %s\n", rows[i].level);
		check(more, NULL, "a.test", "mx.a.test", false, rows[i].want);
		/* The policy map says the same instead. */
		if (rows[i].level[0])
			check("smtp_tls_security_level = may\n", rows[i].level,
			      "a.test", "mx.a.test", false, rows[i].want);
	}
}

static void
test_maps(void **state)
{
	static const struct {
		const char *policy, *want;
	} rows[] = {
		{ "encrypt protocols=TLSv1.2 ciphers=medium",
		  "2 1.2 medium mx.a.test [RC4 SHA1 DHE]" },
		{ "encrypt,ciphers=low , exclude=aRSA:AES128",
		  "2 1.3 medium mx.a.test [aRSA:AES128]" },
		{ "ENCRYPT { exclude = aRSA  AES128 } Ciphers=HIGH",
		  "2 1.3 high mx.a.test [aRSA  AES128]" },
		{ "encrypt exclude=", "2 1.3 high mx.a.test []" },
		{ "may protocols=!SSLv3,ciphers=high",
		  "1 1.2 1.3 high mx.a.test [RC4]" },
		{ "secure match=mx.b.test:nexthop:.c.test match=hostname",
		  "5 1.3 high mx.a.test [RC4 SHA1 DHE] mx.b.test a.test "
		  ".c.test mx.a.test" },
		{ "verify match=dot-nexthop",
		  "4 1.3 high mx.a.test [RC4 SHA1 DHE] .a.test" },
		{ "fingerprint match=12:34|56:78 match=9A",
		  "3 1.3 high mx.a.test [RC4 SHA1 DHE] 12:34 56:78 9A" },
		{ "encrypt servername=other.test connection_reuse=yes",
		  "2 1.3 high other.test [RC4 SHA1 DHE]" },
		{ "encrypt servername=nexthop",
		  "2 1.3 high a.test [RC4 SHA1 DHE]" },
		{ "encrypt servername=", "2 1.3 high  [RC4 SHA1 DHE]" },
		{ "none match=x", "0" },
		{ "encrypt servername=192.0.2.1",
		  "TLS policy of a.test: servername \"192.0.2.1\" is no host "
		  "name" },
		{ "", "TLS policy of a.test: the policy is empty" },
		{ "sure", "TLS policy of a.test: there is no security level "
			  "\"sure\"" },
		{ "dane", "TLS policy of a.test: not available yet is "
			  "\"dane\"" },
		{ "dane-only", "TLS policy of a.test: not available yet is "
			       "\"dane-only\"" },
		{ "encrypt match=a.test",
		  "TLS policy of a.test: nothing is matched at this level, "
		  "but there is \"match=a.test\"" },
		{ "verify match=", "4 1.3 high mx.a.test [RC4 SHA1 DHE] "
				   "mx.a.test" },
		{ "verify tafile=/etc/ca.pem",
		  "TLS policy of a.test: smtp_tls_CAfile must hold the "
		  "authorities of \"tafile=/etc/ca.pem\"" },
		{ "verify ciphers=high ciphers=high",
		  "TLS policy of a.test: there is more than one \"ciphers\"" },
		{ "verify ciphers=null",
		  "TLS policy of a.test: there is no grade of ciphers "
		  "\"null\"" },
		{ "encrypt protocols=TLSv1",
		  "TLS policy of a.test: TLS 1.2 and 1.3 are spoken, nothing "
		  "older" },
		{ "encrypt color=red",
		  "TLS policy of a.test: there is no attribute \"color\"" },
		{ "encrypt high", "TLS policy of a.test: want NAME=VALUE "
				  "instead of \"high\"" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check("smtp_tls_security_level = may\n", rows[i].policy,
		      "a.test", "mx.a.test", false, rows[i].want);
}

static void
test_destinations(void **state)
{
	static const struct {
		const char *nexthop, *host;
		bool literal;
		const char *want;
	} rows[] = {
		{ "[relay.a.test]:587", "relay.a.test", false,
		  "5 1.3 high relay.a.test [RC4 SHA1 DHE] relay.a.test "
		  ".relay.a.test" },
		{ "a.test:26", "mx.a.test", false,
		  "5 1.3 high mx.a.test [RC4 SHA1 DHE] a.test .a.test" },
		{ "inet:a.test:24", "a.test", false,
		  "5 1.3 high a.test [RC4 SHA1 DHE] a.test .a.test" },
		{ "b\xc3\xbc.test", "mx.a.test", false,
		  "5 1.3 high mx.a.test [RC4 SHA1 DHE] xn--b-eha.test "
		  ".xn--b-eha.test" },
		{ "unix:/run/lmtp", "", false, "0" },
		{ "[a.test", "a.test", false,
		  "TLS policy of [a.test: bad destination: \"[a.test\"" },
		{ "[192.0.2.1]:25", "192.0.2.1", true,
		  "5 1.3 high  [RC4 SHA1 DHE] 192.0.2.1 .192.0.2.1" },
		{ "[IPv6:2001:db8::1]", "2001:db8::1", true,
		  "5 1.3 high  [RC4 SHA1 DHE] 2001:db8::1 .2001:db8::1" },
		{ "[2001:db8::1]:25", "2001:db8::1", true,
		  "5 1.3 high  [RC4 SHA1 DHE] 2001:db8::1 .2001:db8::1" },
		/* What is no name is not sent. */
		{ "a.test", "mx a.test", false,
		  "5 1.3 high  [RC4 SHA1 DHE] a.test .a.test" },
		{ "a.test", "192.0.2.1", false,
		  "5 1.3 high  [RC4 SHA1 DHE] a.test .a.test" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check("smtp_tls_security_level = secure\n", NULL,
		      rows[i].nexthop, rows[i].host, rows[i].literal,
		      rows[i].want);
}

static void
test_wrapper(void **state)
{
	(void)state;
	check("smtp_tls_security_level = may\nsmtp_tls_wrappermode = 1\n", NULL,
	      "a.test", "mx.a.test", false,
	      "2 1.3 high mx.a.test [RC4 SHA1 DHE]");
	check("smtp_tls_security_level = may\nsmtp_tls_wrappermode = 1\n",
	      "none", "a.test", "mx.a.test", false,
	      "TLS policy of a.test: smtp_tls_wrappermode wants TLS, the "
	      "policy does not");
}

/* What would not fit into the question is refused. */
static void
test_limits(void **state)
{
	char policy[9000];
	size_t i, n;

	(void)state;
	n = (size_t)snprintf(policy, sizeof(policy), "verify");
	for (i = 0; i <= TLS_MATCH_MAX; i++)
		n += (size_t)snprintf(policy + n, sizeof(policy) - n,
				      " match=h%zu.test", i);
	check("smtp_tls_security_level = may\n", policy, "a.test", "mx.a.test",
	      false,
	      "TLS policy of a.test: too much that the certificate may match");
	n = (size_t)snprintf(policy, sizeof(policy), "fingerprint");
	for (i = 0; i < 30; i++)
		n += (size_t)snprintf(policy + n, sizeof(policy) - n,
				      " match=%0191zu", i);
	check("smtp_tls_security_level = may\n", policy, "a.test", "mx.a.test",
	      false,
	      "TLS policy of a.test: too much that the certificate may match");
	(void)snprintf(policy, sizeof(policy), "verify match=%0300d", 1);
	check("smtp_tls_security_level = may\n", policy, "a.test", "mx.a.test",
	      false,
	      "TLS policy of a.test: too much that the certificate may match");
	(void)snprintf(policy, sizeof(policy), "encrypt exclude=%0600d", 1);
	check("smtp_tls_security_level = may\n", policy, "a.test", "mx.a.test",
	      false,
	      "TLS policy of a.test: the list of excluded ciphers is too "
	      "long");
}

static void
test_transports(void **state)
{
	struct tls_settings t;
	struct params p;
	struct err err;

	(void)state;
	load(&p, &t,
	     "smtp_tls_security_level = may\n"
	     "slow_tls_security_level = verify\n"
	     "slow_tls_protocols = SSLv3\n"
	     "old_tls_protocols = TLSv1\n"
	     "odd_tls_security_level = dane\n");
	assert_int_equal(t.level, TLS_MAY);
	assert_int_equal(t.timeout_ms, 300000);
	assert_true(t.has_maps);
	assert_int_equal(tls_settings_load(&t, &p, "none", &err), 0);
	assert_int_equal(t.level, TLS_MAY);
	assert_int_equal(tls_settings_load(&t, &p, "slow", &err), -1);
	assert_string_equal(err.text,
			    "slow_tls_protocols: TLS 1.2 and 1.3 are spoken, "
			    "nothing older");
	assert_int_equal(tls_settings_load(&t, &p, "old", &err), -1);
	assert_int_equal(tls_settings_load(&t, &p, "odd", &err), -1);
	params_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_wrapper),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_transports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
