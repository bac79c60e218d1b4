/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#include "dns_bed.h"
#include "hosts.h"

static const char zone[] = "a.test MX 20 backup.a.test\n"
			   "a.test MX 10 mx.a.test\n"
			   "mx.a.test A 192.0.2.1\n"
			   "mx.a.test AAAA 2001:db8::1\n"
			   "backup.a.test A 192.0.2.2\n"
			   "plain.test A 192.0.2.9\n"
			   "plain6.test AAAA 2001:db8::9\n"
			   "null.test MX 0 .\n"
			   "temp.test MX temp SERVFAIL from the resolver\n"
			   "bad.test MX bad label too long\n"
			   "halftemp.test MX 10 lost.test\n"
			   "halftemp.test MX 20 mx.a.test\n"
			   "lost.test A temp timeout\n"
			   "lost.test AAAA temp timeout\n"
			   "onlytemp.test MX 10 lost.test\n"
			   "onlytemp.test MX 20 nowhere.test\n"
			   "noaddress.test MX 10 nowhere.test\n"
			   "textonly.test TXT x\n"
			   "dots.test MX 5 .\n"
			   "dots.test MX 7 192.0.2.77\n"
			   "dots.test MX 9 mx.a.test\n"
			   "onlydots.test MX 5 192.0.2.77\n"
			   "same.test MX 10 mx.a.test\n"
			   "same.test MX 10 twin.a.test\n"
			   "twin.a.test A 192.0.2.1\n"
			   "loop.test MX 10 mx.a.test\n"
			   "loop.test MX 20 self.test\n"
			   "loop.test MX 20 backup.a.test\n"
			   "loop.test MX 30 plain.test\n"
			   "self.test A 192.0.2.100\n"
			   "best.test MX 10 self.test\n"
			   "best.test MX 20 mx.a.test\n"
			   "nobetter.test MX 10 nowhere.test\n"
			   "nobetter.test MX 20 self.test\n"
			   "proxy.test A 192.0.2.200\n"
			   "xn--bcher-kva.test MX 10 mx.a.test\n";

struct world {
	struct loop loop;
	struct dns_bed dns;
	struct settings set;
	struct own own;
	bool changed;
	char got[2048];
};

static void
on_changed(void *arg)
{
	((struct world *)arg)->changed = true;
}

static void
open_world(struct world *w, const char *records)
{
	struct err err;

	*w = (struct world){ .set = { .ipv4 = true,
				      .ipv6 = true,
				      .port = 25,
				      .dns_level = DNS_LEVEL_ENABLED } };
	assert_int_equal(own_load(&w->own, STR("192.0.2.100:25"),
				  STR("192.0.2.200"), &err),
			 0);
	assert_int_equal(loop_init(&w->loop, &err), 0);
	dns_bed_init(&w->dns, &w->loop, records);
}

static void
close_world(struct world *w)
{
	dns_bed_fini(&w->dns);
	loop_fini(&w->loop);
}

/* Walk over all: "host[addr]:port ...", or "CLASS DSN text". */
static const char *
walk(struct world *w, const char *nexthop, bool lmtp)
{
	char text[ADDR_TEXT_MAX];
	const struct fault *f;
	struct hosts *h;
	struct server s;
	struct nexthop n;
	struct err err;
	size_t used = 0;
	unsigned i;

	w->got[0] = '\0';
	if (nexthop_parse(str_of(nexthop), lmtp, w->set.port, &n, &err) < 0)
		return err.text[0] ? "faulty" : "faulty, unsaid";
	h = hosts_new(w->dns.client, &w->own, &w->set, &n, on_changed, w);
	assert_non_null(h);
	for (;;) {
		enum hosts_next next = hosts_next(h, &s);

		if (next == HOSTS_END)
			break;
		if (next == HOSTS_WAIT) {
			w->changed = false;
			for (i = 0; !w->changed && i < 1000; i++)
				loop_turn(&w->loop, false);
			continue;
		}
		used += (size_t)snprintf(w->got + used, sizeof(w->got) - used,
					 "%s%s[%s]:%u", used ? " " : "", s.host,
					 addr_text(&s.addr, text),
					 addr_port(&s.addr));
	}
	f = hosts_fault(h);
	if (f)
		(void)snprintf(w->got, sizeof(w->got), "%s %.*s %.*s",
			       f->class == DELIVER_TEMP ? "TEMP" : "PERM",
			       STR_FMT(f->dsn), STR_FMT(f->text));
	hosts_free(h);
	return w->got;
}

#define NSE "Host or domain name not found. Name service error for name="

static const struct {
	const char *nexthop, *want;
	bool lmtp;
} rows[] = {
	/* RFC 5321 5.1 */
	{ "a.test", "mx.a.test[192.0.2.1]:25 mx.a.test[2001:db8::1]:25 "
		    "backup.a.test[192.0.2.2]:25" },
	{ "a.test:2525", "mx.a.test[192.0.2.1]:2525 "
			 "mx.a.test[2001:db8::1]:2525 "
			 "backup.a.test[192.0.2.2]:2525" },
	{ "plain.test", "plain.test[192.0.2.9]:25" },
	{ "plain6.test", "plain6.test[2001:db8::9]:25" },
	{ "[mx.a.test]", "mx.a.test[192.0.2.1]:25 mx.a.test[2001:db8::1]:25" },
	{ "[mx.a.test]:587", "mx.a.test[192.0.2.1]:587 "
			     "mx.a.test[2001:db8::1]:587" },
	{ "[a.test]", "PERM 5.4.4 " NSE "a.test type=AAAA: Host found but no "
		      "data record of requested type" },
	{ "[192.0.2.7]", "192.0.2.7[192.0.2.7]:25" },
	{ "192.0.2.7", "192.0.2.7[192.0.2.7]:25" },
	{ "[192.0.2.7]:26", "192.0.2.7[192.0.2.7]:26" },
	{ "[IPv6:2001:db8::7]", "2001:db8::7[2001:db8::7]:25" },
	{ "[ipv6:2001:db8::7]:26", "2001:db8::7[2001:db8::7]:26" },
	{ "[2001:db8::7]:26", "2001:db8::7[2001:db8::7]:26" },
	{ "bücher.test", "mx.a.test[192.0.2.1]:25 mx.a.test[2001:db8::1]:25" },
	/* RFC 7505 */
	{ "null.test",
	  "PERM 5.1.10 Domain null.test does not accept mail (nullMX)" },
	{ "nowhere.test",
	  "PERM 5.4.4 " NSE "nowhere.test type=MX: Host not found" },
	{ "textonly.test", "PERM 5.4.4 " NSE "textonly.test type=AAAA: Host "
			   "found but no data record of requested type" },
	{ "temp.test", "TEMP 4.4.3 " NSE "temp.test type=MX: Host not found, "
		       "try again (SERVFAIL from the resolver)" },
	{ "bad.test", "PERM 5.4.4 Name service error for bad.test: invalid "
		      "host or domain name" },
	{ "noaddress.test",
	  "PERM 5.4.4 " NSE "nowhere.test type=AAAA: Host not found" },
	/* What is known is used; what may come to be known is waited for. */
	{ "halftemp.test",
	  "mx.a.test[192.0.2.1]:25 mx.a.test[2001:db8::1]:25" },
	{ "onlytemp.test",
	  "TEMP 4.4.3 " NSE "lost.test type=A: Host not found, "
	  "try again (timeout)" },
	{ "dots.test", "mx.a.test[192.0.2.1]:25 mx.a.test[2001:db8::1]:25" },
	{ "onlydots.test", "PERM 5.4.4 Name service error for "
			   "name=onlydots.test type=MX: Malformed or "
			   "unexpected name server reply" },
	{ "same.test", "mx.a.test[192.0.2.1]:25 mx.a.test[2001:db8::1]:25" },
	/* RFC 5321 5.1: ourselves among them */
	{ "loop.test", "mx.a.test[192.0.2.1]:25 mx.a.test[2001:db8::1]:25" },
	{ "best.test", "PERM 5.4.6 mail for best.test loops back to myself" },
	{ "self.test", "PERM 5.4.6 mail for self.test loops back to myself" },
	{ "self.test:26", "self.test[192.0.2.100]:26" },
	{ "[192.0.2.100]", "PERM 5.4.6 mail for 192.0.2.100 loops back to "
			   "myself" },
	{ "proxy.test", "PERM 5.4.6 mail for proxy.test loops back to myself" },
	{ "nobetter.test",
	  "TEMP 4.4.4 unable to find primary relay for nobetter.test" },
	/* LMTP: never MX records */
	{ "mx.a.test:24", "mx.a.test[192.0.2.1]:24 mx.a.test[2001:db8::1]:24",
	  true },
	{ "inet:mx.a.test:24",
	  "mx.a.test[192.0.2.1]:24 mx.a.test[2001:db8::1]:24", true },
	{ "inet:192.0.2.7:24", "192.0.2.7[192.0.2.7]:24", true },
	/* Neither names nor addresses */
	{ "", "faulty" },
	{ "a.test:", "faulty" },
	{ "a.test:0", "faulty" },
	{ "a.test:65536", "faulty" },
	{ "a.test:smtp", "faulty" },
	{ "[a.test", "faulty" },
	{ "[]", "faulty" },
	{ "[a.test]x", "faulty" },
	{ "[a.test]:", "faulty" },
	{ "[IPv6:192.0.2.1]", "faulty" },
	{ "[IPv6:x]", "faulty" },
	{ "2001:db8::7", "faulty" },
	{ "a test", "faulty" },
	{ "a/b", "faulty" },
	{ "user@a.test", "faulty" },
	{ "\xff.test", "faulty" },
	{ "\xc2\xad", "faulty" }, /* U+00AD, which IDNA leaves out */
	{ "\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", "faulty" },
	{ "unix:/path", "faulty" }, /* LMTP's only */
};

static void
test_walks(void **state)
{
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_world(&w, zone);
		assert_string_equal(walk(&w, rows[i].nexthop, rows[i].lmtp),
				    rows[i].want);
		close_world(&w);
	}
}

static void
test_settings(void **state)
{
	struct world w;

	(void)state;
	open_world(&w, zone);
	w.set.ipv6 = false;
	assert_string_equal(walk(&w, "a.test", false),
			    "mx.a.test[192.0.2.1]:25 "
			    "backup.a.test[192.0.2.2]:25");
	w.set.ipv6 = true;
	w.set.preference = PREFER_IPV6;
	assert_string_equal(walk(&w, "[mx.a.test]", false),
			    "mx.a.test[2001:db8::1]:25 "
			    "mx.a.test[192.0.2.1]:25");
	w.set.defer_if_no_mx = true;
	assert_string_equal(walk(&w, "noaddress.test", false),
			    "TEMP 4.4.4 " NSE
			    "nowhere.test type=A: Host not found");
	assert_string_equal(walk(&w, "nowhere.test", false),
			    "PERM 5.4.4 " NSE
			    "nowhere.test type=MX: Host not found");
	w.set.dns_level = DNS_LEVEL_DISABLED;
	assert_string_equal(walk(&w, "plain.test", false),
			    "plain.test[192.0.2.9]:25");
	close_world(&w);
}

/* A group is looked up when its turn comes. */
static void
test_no_question_too_many(void **state)
{
	struct nexthop n;
	struct hosts *h;
	struct server s;
	struct world w;
	struct err err;
	int i;

	(void)state;
	open_world(&w, zone);
	assert_int_equal(nexthop_parse(STR("a.test"), false, 25, &n, &err), 0);
	h = hosts_new(w.dns.client, &w.own, &w.set, &n, on_changed, &w);
	for (i = 0; hosts_next(h, &s) == HOSTS_WAIT && i < 100; i++)
		loop_turn(&w.loop, false);
	assert_string_equal(w.dns.log, "a.test/MX mx.a.test/A mx.a.test/AAAA");
	hosts_free(h);
	/* What is under way is cancelled. */
	h = hosts_new(w.dns.client, &w.own, &w.set, &n, on_changed, &w);
	w.changed = false;
	hosts_free(h);
	for (i = 0; i < 10; i++)
		loop_turn(&w.loop, false);
	assert_false(w.changed);
	close_world(&w);
}

/* A domain with many servers leaves room for the questions of other letters. */
static void
test_many_questions(void **state)
{
	enum { HOSTS = 40 };
	struct str rest;
	struct nexthop n;
	struct hosts *h;
	struct server s;
	struct world w;
	struct err err;
	struct buf b;
	unsigned i, count = 0;

	(void)state;
	buf_init(&b, 65536);
	for (i = 0; i < HOSTS; i++)
		(void)!buf_addf(&b,
				"m.test MX 10 h%u.m.test\n"
				"h%u.m.test A 192.0.2.%u\n",
				i, i, i + 1);
	open_world(&w, buf_cstr(&b));
	assert_int_equal(nexthop_parse(STR("m.test"), false, 25, &n, &err), 0);
	w.dns.answers = 1 + 10;
	h = hosts_new(w.dns.client, &w.own, &w.set, &n, on_changed, &w);
	for (i = 0; hosts_next(h, &s) == HOSTS_WAIT && i < 100; i++)
		loop_turn(&w.loop, false);
	assert_int_equal(w.dns.asked, 1 + 10 + 8);
	hosts_free(h);
	w.dns.answers = 0;
	rest = str_of(walk(&w, "m.test", false));
	while (str_cut(&rest, ':', &(struct str){ 0 }))
		count++;
	assert_int_equal(count, HOSTS);
	assert_int_equal(w.dns.asked, 1 + 10 + 8 + 1 + 2 * HOSTS);
	buf_fini(&b);
	close_world(&w);
}

static void
test_balance(void **state)
{
	static const char many[] = "m.test MX 10 a.m.test\n"
				   "a.m.test AAAA 2001:db8::1\n"
				   "a.m.test AAAA 2001:db8::2\n"
				   "a.m.test AAAA 2001:db8::3\n"
				   "a.m.test AAAA 2001:db8::4\n"
				   "a.m.test AAAA 2001:db8::5\n"
				   "a.m.test A 192.0.2.1\n"
				   "a.m.test A 192.0.2.2\n"
				   "a.m.test A 192.0.2.3\n";
	struct str rest, item;
	unsigned i, v4;
	struct world w;

	(void)state;
	for (i = 0; i < 50; i++) {
		unsigned n = 0;

		open_world(&w, many);
		w.set.randomize_addresses = true;
		w.set.balance = true;
		w.set.mx_address_limit = 4;
		if (i & 1)
			w.set.preference = PREFER_IPV6;
		rest = str_of(walk(&w, "m.test", false));
		for (v4 = 0; str_token(&rest, " ", &item); n++)
			if (n < 4)
				v4 += str_search(item, STR("192.0.2.")) >= 0;
		assert_int_equal(n, 8);
		assert_in_range(v4, 2 - !(i & 1), 2 + !(i & 1));
		close_world(&w);
	}
}

static void
test_shuffle(void **state)
{
	static const char three[] = "s.test MX 10 a.s.test\n"
				    "s.test MX 10 b.s.test\n"
				    "s.test MX 20 c.s.test\n"
				    "a.s.test A 192.0.2.1\n"
				    "b.s.test A 192.0.2.2\n"
				    "c.s.test A 192.0.2.3\n";
	unsigned i, first[2] = { 0 };
	struct world w;

	(void)state;
	for (i = 0; i < 100; i++) {
		const char *got;

		open_world(&w, three);
		w.set.randomize_addresses = true;
		got = walk(&w, "s.test", false);
		first[got[0] - 'a']++;
		assert_true(
			str_ends(str_of(got), STR(" c.s.test[192.0.2.3]:25")));
		close_world(&w);
	}
	assert_in_range(first[0], 15, 85);
	assert_int_equal(first[0] + first[1], 100);
}

/* dnsd goes away: as if it had said that it does not know. */
static void
test_dnsd_dies(void **state)
{
	struct nexthop n;
	struct hosts *h;
	struct server s;
	struct world w;
	struct err err;
	int i;

	(void)state;
	open_world(&w, zone);
	assert_int_equal(nexthop_parse(STR("a.test"), false, 25, &n, &err), 0);
	h = hosts_new(w.dns.client, &w.own, &w.set, &n, on_changed, &w);
	chan_close(w.dns.chan);
	w.dns.chan = NULL;
	for (i = 0; hosts_next(h, &s) == HOSTS_WAIT && i < 100; i++)
		loop_turn(&w.loop, false);
	assert_int_equal(hosts_next(h, &s), HOSTS_END);
	assert_int_equal(hosts_fault(h)->class, DELIVER_TEMP);
	hosts_free(h);
	close_world(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_no_question_too_many),
		cmocka_unit_test(test_many_questions),
		cmocka_unit_test(test_balance),
		cmocka_unit_test(test_shuffle),
		cmocka_unit_test(test_dnsd_dies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
