/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "answer.h"
#include "hosts.h"
#include "name.h"
#include "resolver.h"

#define ROWS(a) (sizeof(a) / sizeof((a)[0]))

static void
test_names(void **state)
{
	char label[70], name[300], out[DNS_NAME_MAX + 1];
	static const struct {
		const char *in, *want; /* NULL: not a name */
	} rows[] = {
		{ "Example.ORG", "example.org" },
		{ "example.org.", "example.org" },
		{ ".", "." },
		{ "_25._tcp.mx", "_25._tcp.mx" },
		{ "1/25.2.0.192.in-addr.arpa", "1/25.2.0.192.in-addr.arpa" },
		{ "", NULL },
		{ "..", NULL },
		{ ".a", NULL },
		{ "a..b", NULL },
		{ "a..", NULL },
		{ "a b", NULL },
		{ "a\\.b", NULL },
		{ "a\tb", NULL },
		{ "a\177", NULL },
		{ "f\303\274r", NULL },
	};
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		int rc = name_normal(str_of(rows[i].in), out, &err);

		assert_int_equal(rc, rows[i].want ? 0 : -1);
		if (rows[i].want)
			assert_string_equal(out, rows[i].want);
	}
	/* RFC 1035 2.3.4 */
	memset(label, 'a', sizeof(label));
	assert_int_equal(name_normal(str_mem(label, 63), out, &err), 0);
	assert_int_equal(name_normal(str_mem(label, 64), out, &err), -1);
	for (i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '.' : 'a';
	assert_int_equal(name_normal(str_mem(name, 253), out, &err), 0);
	assert_int_equal(name_normal(str_mem(name, 254), out, &err), 0);
	assert_int_equal(name_normal(str_mem(name, 255), out, &err), -1);
}

static const char *
text_of(const struct resolv *r, char text[512])
{
	char one[ADDR_TEXT_MAX];
	size_t n = 0;
	unsigned i;

	text[0] = '\0';
	for (i = 0; i < r->n; i++)
		n += (size_t)snprintf(text + n, 512 - n, "%s%s", n ? " " : "",
				      addr_text_port(&r->v[i], one));
	return text;
}

static void
test_resolv_conf(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" },
		{ "nameserver 192.0.2.1", "192.0.2.1:53" },
		{ "search example.org\nnameserver\t::1 \r\noptions edns0\n"
		  " nameserver 192.0.2.2 # more\n",
		  "[::1]:53 192.0.2.2:53" },
		{ "nameserver 192.0.2.1:5300\nnameserver [2001:db8::1]:54\n",
		  "192.0.2.1:5300 [2001:db8::1]:54" },
		{ "#nameserver 192.0.2.1\n;nameserver 192.0.2.1\n"
		  "nameserver\nnameserver x\nnameserver 192.0.2.1:0\n"
		  "nameservers 192.0.2.1\nnameserver 192.0.2.256\n"
		  "nameserver fe80::1%eth0\nnameserver 192.0.2.9",
		  "192.0.2.9:53" },
		{ "nameserver 10.0.0.1\nnameserver 10.0.0.2\n"
		  "nameserver 10.0.0.3\nnameserver 10.0.0.4\n"
		  "nameserver 10.0.0.5\nnameserver 10.0.0.6\n"
		  "nameserver 10.0.0.7\nnameserver 10.0.0.8\n"
		  "nameserver 10.0.0.9\n",
		  "10.0.0.1:53 10.0.0.2:53 10.0.0.3:53 10.0.0.4:53 "
		  "10.0.0.5:53 10.0.0.6:53 10.0.0.7:53 10.0.0.8:53" },
	};
	char text[512];
	struct resolv r;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		resolv_parse(str_of(rows[i].in), &r);
		assert_string_equal(text_of(&r, text), rows[i].want);
	}
}

static void
test_dns_servers(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: refused */
	} rows[] = {
		{ "", "" },
		{ " 192.0.2.1, ::1\t[::1] [::1]:5300,",
		  "192.0.2.1:53 [::1]:53 [::1]:53 [::1]:5300" },
		{ "ns.example.org", NULL },
		{ "192.0.2.1:0", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 1.1.1.1 "
		  "1.1.1.1 1.1.1.1",
		  NULL },
	};
	char text[512];
	struct resolv r;
	struct err err;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		assert_int_equal(
			resolv_parse_list(str_of(rows[i].in), &r, &err),
			rows[i].want ? 0 : -1);
		if (rows[i].want)
			assert_string_equal(text_of(&r, text), rows[i].want);
	}
}

static void
test_hosts(void **state)
{
	static const char text[] = "127.0.0.1\tlocalhost\n"
				   "# 192.0.2.9 comment\n"
				   "::1 LocalHost ip6-localhost#no more\n"
				   "host 192.0.2.1\n"
				   "192.0.2.1 a..b -ok-\r\n"
				   "192.0.2.1:25 port\n"
				   "192.0.2.2 last";
	static const char *const absent[] = { "comment", "no",	 "more",
					      "a..b",	 "host", "port" };
	char addr[ADDR_TEXT_MAX];
	const struct host *h;
	struct hosts hosts;
	size_t i;

	(void)state;
	assert_int_equal(hosts_parse(&hosts, str_of(text)), 0);
	h = hosts_find(&hosts, STR("localhost"));
	assert_non_null(h);
	assert_int_equal(h->n, 2);
	assert_string_equal(addr_text(&h->first->addr, addr), "127.0.0.1");
	assert_string_equal(addr_text(&h->last->addr, addr), "::1");
	assert_non_null(hosts_find(&hosts, STR("ip6-localhost")));
	assert_non_null(hosts_find(&hosts, STR("-ok-")));
	assert_non_null(hosts_find(&hosts, STR("last")));
	for (i = 0; i < ROWS(absent); i++)
		assert_null(hosts_find(&hosts, str_of(absent[i])));
	hosts_fini(&hosts);
}

static void
test_hosts_are_bounded(void **state)
{
	enum { LINES = 400000 };
	struct hosts hosts;
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 64 << 20);
	for (i = 0; i < 2 * HOSTS_ADDRS_MAX; i++)
		assert_int_equal(buf_addf(&b, "10.0.0.%d many\n", i), 0);
	assert_int_equal(hosts_parse(&hosts, buf_str(&b)), 0);
	assert_int_equal(hosts_find(&hosts, STR("many"))->n, HOSTS_ADDRS_MAX);
	hosts_fini(&hosts);
	for (i = 0; i < LINES; i++)
		assert_int_equal(buf_addf(&b, "10.0.0.1 h%d\n", i), 0);
	assert_int_equal(hosts_parse(&hosts, buf_str(&b)), -1);
	assert_non_null(hosts_find(&hosts, STR("h1")));
	hosts_fini(&hosts);
	buf_fini(&b);
}

/* --- messages of the DNS -------------------------------------------------- */

/* Counts of questions, answers and authorities after id and flags. */
#define HEAD(flags, an, ns)                     \
	"\0\1" flags "\0\1\0" an "\0" ns "\0\0" \
	"\1a\2ex\0\0\1\0\1"
#define OK "\204\0"
#define NXDOMAIN "\204\3"
#define A_OF(name) name "\0\1\0\1\0\0\1\0\0\4\1\2\3\4"
#define SELF "\300\14"
#define SOA                                \
	"\2ex\0\0\6\0\1\0\0\0\40\0\26\0\0" \
	"\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"

static void
test_answers(void **state)
{
	static const struct {
		struct str packet;
		enum dns_status status;
		uint32_t n, ttl;
		const char *canonical;
		bool unproved;
	} rows[] = {
		{ STR(HEAD(OK, "\1", "\0") A_OF(SELF)), DNS_OK, 1, 256, "" },
		{ STR(HEAD(OK, "\2", "\0") A_OF(SELF) A_OF(SELF)), DNS_OK, 2,
		  256, "" },
		/* Other names, types and classes do not count. */
		{ STR(HEAD(OK, "\2", "\0") A_OF("\1b\2ex\0") A_OF("\1A\2EX\0")),
		  DNS_OK, 1, 256, "" },
		{ STR(HEAD(OK, "\2", "\0") A_OF(SELF) SELF
		      "\0\1\0\3\0\0\0\1\0\4\1\2\3\4"),
		  DNS_OK, 1, 256, "" },
		/* a.ex -> B.ex; ttl: the least of both */
		{ STR(HEAD(OK, "\2", "\0") SELF
		      "\0\5\0\1\0\0\0\7\0\4\1B\300\16" A_OF("\300\42")),
		  DNS_OK, 1, 7, "b.ex" },
		{ STR(HEAD(OK, "\1", "\1") SELF
		      "\0\5\0\1\0\0\0\7\0\4\1B\300\16" SOA),
		  DNS_NODATA, 0, 5, "b.ex" },
		{ STR(HEAD(NXDOMAIN, "\0", "\1") SOA), DNS_NXDOMAIN, 0, 5, "" },
		{ STR(HEAD(OK, "\0", "\1") SOA), DNS_NODATA, 0, 5, "" },
		{ STR(HEAD(OK, "\0", "\0")), DNS_NODATA, 0, 60, "", true },
		{ STR(HEAD(NXDOMAIN, "\0", "\0")), DNS_NXDOMAIN, 0, 60, "" },
		/* A referral says nothing: RFC 2308 2.2. */
		{ STR(HEAD(OK, "\0", "\1") "\2ex\0\0\2\0\1\0\0\0\7\0\4\1n"
					   "\300\16"),
		  DNS_TEMP, 0, 0, "" },
		{ STR(HEAD("\204\2", "\0", "\0")), DNS_TEMP, 0, 0, "" },
		{ STR(HEAD("\204\5", "\0", "\0")), DNS_TEMP, 0, 0, "" },
		/* a question; two questions; it is there and is not */
		{ STR(HEAD("\4\0", "\1", "\0") A_OF(SELF)), DNS_TEMP, 0, 0,
		  "" },
		{ STR("\0\1" OK "\0\2\0\0\0\0\0\0\0\0\1\0\1\0\0\1\0\1"),
		  DNS_TEMP, 0, 0, "" },
		{ STR(HEAD(NXDOMAIN, "\1", "\0") A_OF(SELF)), DNS_TEMP, 0, 0,
		  "" },
		/* cut off, five bytes of address, pointers that go ahead, to
		 * themselves */
		{ STR(HEAD(OK, "\2", "\0") A_OF(SELF)), DNS_TEMP, 0, 0, "" },
		{ STR(HEAD(OK, "\1", "\0") SELF
		      "\0\1\0\1\0\0\1\0\0\5\1\2\3\4\5"),
		  DNS_TEMP, 0, 0, "" },
		{ STR(HEAD(OK, "\1", "\0") A_OF("\300\26")), DNS_TEMP, 0, 0,
		  "" },
		{ STR(HEAD(OK, "\1", "\0") A_OF("\300\30")), DNS_TEMP, 0, 0,
		  "" },
		{ STR(HEAD(OK, "\1", "\0") A_OF("\100a")), DNS_TEMP, 0, 0, "" },
		/* a CNAME with something behind its name */
		{ STR(HEAD(OK, "\1", "\0") SELF
		      "\0\5\0\1\0\0\0\7\0\5\1B\300\16x"),
		  DNS_TEMP, 0, 0, "" },
		{ STR(""), DNS_TEMP, 0, 0, "" },
		{ STR("\0\1" OK "\0\1\0\0\0\0\0"), DNS_TEMP, 0, 0, "" },
	};
	struct answer a;
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		answer_init(&a);
		answer_read(&a, rows[i].packet, DNS_A);
		if (a.status != rows[i].status)
			print_message("row %zu: %s\n", i, a.text);
		assert_int_equal(a.status, rows[i].status);
		assert_int_equal(a.n, rows[i].n);
		assert_int_equal(a.ttl, rows[i].ttl);
		assert_string_equal(a.canonical, rows[i].canonical);
		assert_int_equal(a.unproved, rows[i].unproved);
		answer_fini(&a);
	}
}

/* Names in records arrive uncompressed. */
static void
test_names_in_records(void **state)
{
	static const struct str packet =
		STR("\0\1" OK "\0\1\0\2\0\0\0\0\2ex\0\0\17\0\1" SELF
		    "\0\17\0\1\0\0\0\1\0\7\0\12\2MX\300\14" SELF
		    "\0\17\0\1\0\0\0\1\0\3\0\0\0");
	static const struct str want[] = { STR("\0\12\2mx\2ex\0"),
					   STR("\0\0\0") };
	struct msg_dns_record r;
	struct answer a;
	struct str it;
	size_t i = 0;

	(void)state;
	answer_init(&a);
	answer_read(&a, packet, DNS_MX);
	assert_int_equal(a.status, DNS_OK);
	it = buf_str(&a.records);
	while (msg_list_next(&it, &msg_dns_record_def, &r))
		assert_true(i < 2 && str_eq(r.rdata, want[i++]));
	assert_int_equal(i, 2);
	answer_fini(&a);
}

static void
test_answers_are_bounded(void **state)
{
	static char big[DNS_RDATA_MAX + 1];
	struct answer a;
	int i;

	(void)state;
	answer_init(&a);
	assert_int_equal(answer_add(&a, str_mem(big, sizeof(big))), -1);
	for (i = 0; i < DNS_RECORDS_MAX; i++)
		assert_int_equal(answer_add(&a, STR("x")), 0);
	assert_int_equal(answer_add(&a, STR("x")), -1);
	answer_fini(&a);
	answer_init(&a);
	assert_int_equal(answer_add(&a, str_mem(big, DNS_RDATA_MAX)), 0);
	assert_int_equal(answer_add(&a, str_mem(big, DNS_RDATA_MAX)), 0);
	/* Each has its length before it. */
	assert_int_equal(answer_add(&a, str_mem(big, DNS_RDATA_MAX)), -1);
	assert_int_equal(answer_add(&a, STR("x")), 0);
	answer_fail(&a, DNS_TEMP, "%s", "evil\n\033[1m\377");
	assert_string_equal(a.text, "evil??[1m?");
	assert_int_equal(a.n, 0);
	answer_fini(&a);
}

static void
test_anchors(void **state)
{
	static const struct {
		const char *in, *want; /* NULL: none */
	} rows[] = {
		{ ". IN DS 1 2 3 ab", "." },
		{ "; nothing\n\n  \nExample.ORG. IN DS 1 2 3 ab ; x\n. y",
		  "example.org" },
		{ "", NULL },
		{ "\n;\n ; . IN DS\n", NULL },
		{ "a..b IN DS", NULL },
	};
	char zone[DNS_NAME_MAX + 1];
	size_t i;

	(void)state;
	for (i = 0; i < ROWS(rows); i++) {
		bool is = resolver_anchor_zone(str_of(rows[i].in), zone,
					       sizeof(zone));

		assert_int_equal(is, rows[i].want != NULL);
		if (is)
			assert_string_equal(zone, rows[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_resolv_conf),
		cmocka_unit_test(test_dns_servers),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_hosts_are_bounded),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_names_in_records),
		cmocka_unit_test(test_answers_are_bounded),
		cmocka_unit_test(test_anchors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
