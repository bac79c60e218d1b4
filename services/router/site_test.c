/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "site.h"
#include "testbed_defaults.h"

static const char conf[] = SENDING_DEFAULTS
	"myorigin = host.test\nrecipient_delimiter = +\n"
	"mydestination =\nfirst_valid_uid = 1000\nlast_valid_uid = 59999\n"
	"local_recipient_maps =\nalias_maps =\nvirtual_alias_maps =\n"
	"virtual_alias_domains =\nvirtual_alias_expansion_limit = 100\n"
	"virtual_alias_recursion_limit = 100\nvirtual_mailbox_domains =\n"
	"virtual_mailbox_maps =\nsmtpd_sender_login_maps =\n"
	"transports = slow down by\n"
	"smtp_tls_policy_maps = inline:{ {[mx.test]:587=secure match=x}, "
	"far.test=encrypt, .far.test=verify, {a.far.test= none }}\n"
	"smtp_sasl_password_maps = inline:{ [mx.test]:587=u1:p:1, "
	"mx2.test=u2:p2, {[mx2.test]=u3:p3}, alone.test=user, "
	"a@s.test=sender:x, {blank.test= u : p }, nobody.test=:x}\n"
	"slow_tls_policy_maps = inline:{mx.test=may}\n"
	"slow_sasl_password_maps =\nslow_sender_dependent_authentication = 0\n"
	"down_tls_policy_maps = hash:/nowhere/x\n"
	"down_sasl_password_maps = hash:/nowhere/y\n"
	"down_sender_dependent_authentication = 1\n"
	"by_tls_policy_maps =\n"
	"by_sasl_password_maps = inline:{a@s.test=sender:x, @t.test=t:y, "
	"mx2.test=u2:p2}\n"
	"by_sender_dependent_authentication = 1\n";

static const struct row {
	const char *transport, *nexthop, *host, *sender;
	int want;
	const char *answer; /* "tls|user|password"; "T text" */
} rows[] = {
	/* TLS: the next hop as it is written, a domain's parents */
	{ "smtp", "[mx.test]:587", "mx.test", "", SITE_TLS,
	  "secure match=x||" },
	{ "smtp", "[mx.test]", "mx.test", "", SITE_TLS, "-||" },
	{ "smtp", "[MX.test]:587", "mx.test", "", SITE_TLS,
	  "secure match=x||" },
	{ "smtp", "far.test", "mx.far.test", "", SITE_TLS, "encrypt||" },
	{ "smtp", "b.far.test", "mx", "", SITE_TLS, "verify||" },
	{ "smtp", "c.b.far.test", "mx", "", SITE_TLS, "verify||" },
	{ "smtp", "a.far.test", "mx", "", SITE_TLS, "none||" },
	{ "smtp", "b.a.far.test", "mx", "", SITE_TLS, "verify||" },
	{ "smtp", "[b.far.test]", "mx", "", SITE_TLS, "-||" },
	{ "smtp", "b.far.test:26", "mx", "", SITE_TLS, "-||" },
	{ "smtp", "other.test", "mx.far.test", "", SITE_TLS, "-||" },
	{ "smtp", "", "", "", SITE_TLS, "-||" },
	/* not asked for */
	{ "smtp", "far.test", "mx.far.test", "", SITE_AUTH, "-||" },
	{ "smtp", "[mx.test]:587", "mx.test", "", SITE_TLS | SITE_AUTH,
	  "secure match=x|u1|p:1" },
	/* passwords: host, then the next hop */
	{ "smtp", "[mx.test]:587", "mx.test", "a@s.test", SITE_AUTH,
	  "-|u1|p:1" },
	{ "smtp", "[mx2.test]", "mx2.test", "", SITE_AUTH, "-|u2|p2" },
	{ "smtp", "[mx2.test]", "192.0.2.1", "", SITE_AUTH, "-|u3|p3" },
	{ "smtp", "alone.test", "mx", "", SITE_AUTH, "-|user|" },
	{ "smtp", "blank.test", "mx", "", SITE_AUTH, "-|u | p" },
	{ "smtp", "nobody.test", "mx", "", SITE_AUTH, "-||" },
	{ "smtp", "other.test", "mx", "a@s.test", SITE_AUTH, "-||" },
	/* by the sender */
	{ "by", "[mx2.test]", "mx2.test", "a@s.test", SITE_AUTH, "-|sender|x" },
	{ "by", "[mx2.test]", "mx2.test", "A+z@S.TEST", SITE_AUTH,
	  "-|sender|x" },
	{ "by", "[mx2.test]", "mx2.test", "z@t.test", SITE_AUTH, "-|t|y" },
	{ "by", "[mx2.test]", "mx2.test", "z@s.test", SITE_AUTH, "-|u2|p2" },
	{ "by", "[mx2.test]", "mx2.test", "", SITE_AUTH, "-|u2|p2" },
	/* other transports */
	{ "slow", "mx.test", "mx.test", "", SITE_TLS, "may||" },
	{ "slow", "far.test", "mx2.test", "", SITE_TLS | SITE_AUTH, "-||" },
	{ "lmtp", "far.test", "mx2.test", "", SITE_TLS | SITE_AUTH, "-||" },
	{ "down", "far.test", "mx2.test", "", SITE_TLS,
	  "T Temporary lookup failure" },
	{ "down", "far.test", "mx2.test", "", SITE_AUTH,
	  "T Temporary lookup failure" },
	{ "down", "far.test", "mx2.test", "x@y.test", SITE_AUTH,
	  "T Temporary lookup failure" },
	{ "none", "far.test", "mx2.test", "", SITE_TLS,
	  "T mail transport unavailable" },
};

static void
test_rows(void **state)
{
	char tls[SITE_TLS_MAX + 1], got[500];
	struct msg_sited a;
	struct routes r;
	struct params p;
	struct err err;
	size_t i;

	(void)state;
	if (params_load(&p, str_of(conf), &err) < 0 ||
	    routes_open(&r, &p, NULL, &err) < 0)
		fail_msg("%s", err.text);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct msg_site q = {
			.transport = str_of(rows[i].transport),
			.nexthop = str_of(rows[i].nexthop),
			.host = str_of(rows[i].host),
			.sender = str_of(rows[i].sender),
			.want = (uint8_t)rows[i].want,
		};

		site_ask(&r, &q, &a, tls);
		if (a.verdict != ROUTE_OK)
			snprintf(got, sizeof(got), "T %.*s", STR_FMT(a.text));
		else
			snprintf(got, sizeof(got), "%.*s|%.*s|%.*s",
				 STR_FMT(a.has_tls ? a.tls : STR("-")),
				 STR_FMT(a.has_auth ? a.user : STR("")),
				 STR_FMT(a.has_auth ? a.password : STR("")));
		if (strcmp(got, rows[i].answer) != 0)
			fail_msg("%zu %s %s: %s, not %s", i, rows[i].transport,
				 rows[i].nexthop, got, rows[i].answer);
	}
	routes_close(&r);
	params_fini(&p);
}

/* What does not fit is no policy, and no password cut short. */
static void
test_too_long(void **state)
{
	static const char *const names[] = { "smtp_tls_policy_maps",
					     "smtp_sasl_password_maps" };
	char tls[SITE_TLS_MAX + 1];
	struct msg_site q = { .transport = STR("smtp"),
			      .nexthop = STR("far.test"),
			      .want = SITE_TLS | SITE_AUTH };
	struct msg_sited a;
	struct routes r;
	struct params p;
	struct err err;
	struct buf b;
	size_t i, k;

	(void)state;
	buf_init(&b, 20000);
	for (i = 0; i < 2; i++) {
		buf_reset(&b);
		assert_int_equal(
			buf_addf(&b, "%s%s = static:u:", conf, names[i]), 0);
		for (k = 0; k <= SITE_PASSWORD_MAX; k++)
			assert_int_equal(buf_add_byte(&b, 'x'), 0);
		assert_int_equal(buf_add_byte(&b, '\n'), 0);
		assert_int_equal(params_load(&p, buf_str(&b), &err), 0);
		assert_int_equal(routes_open(&r, &p, NULL, &err), 0);
		site_ask(&r, &q, &a, tls);
		assert_int_equal(a.verdict, ROUTE_TEMP);
		assert_false(a.has_tls || a.has_auth);
		assert_int_equal(a.password.n, 0);
		routes_close(&r);
		params_fini(&p);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
