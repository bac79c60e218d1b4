/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "resolve.h"
#include "testbed_defaults.h"

/* The editions of main.cf that the rows below ask. */
static const char base[] = SENDING_DEFAULTS
	"myorigin = host.test\n"
	"recipient_delimiter = +\n"
	"mydestination = host.test, localhost\n"
	"local_recipient_maps = unix:passwd.byname inline:{"
	"root=x postmaster=x list=x self=x loop1=x both=x cmd=x file=x "
	"ghost=x mixed=x out=x virt=x tag+x=x empty=x include=x nobody=x}\n"
	"alias_maps = inline:{root=alice, {both=alice, bob}, "
	"{self=\\self alice}, {loop1=loop2}, {loop2=loop1}, "
	"{postmaster=root}, {cmd=|/bin/x}, {file=/var/x}, "
	"{include=:include:/x}, {mixed=alice, |/bin/x}, {ghost=nobody.here}, "
	"{out=a@elsewhere.test}, {virt=v@box.test}, {tag+x=bob}, "
	"{empty=,}, {list=alice@host.test, Bob <bob@host.test>, alice}}\n"
	"virtual_alias_maps = inline:{info@alias.test=alice@host.test, "
	"{team@alias.test=alice@host.test, v@box.test, alice@HOST.test}, "
	"@catch.test=v@box.test, @moved.test=@box.test, "
	"{keep@box.test=keep@box.test, v@box.test}, "
	"{a@loop.test=b@loop.test}, {b@loop.test=a@loop.test}, "
	"plain=bob, bare@alias.test=bob, dead@alias.test=none@box.test, "
	"{half@alias.test=none@box.test, alice}, far@alias.test=x@far.test, "
	"{\"a b\"@alias.test=alice}, {quoted@alias.test=\"bob\"}, "
	"\"b|c\"@alias.test=bob}\n"
	"virtual_alias_domains = alias.test catch.test moved.test loop.test\n"
	"virtual_alias_expansion_limit = 20\n"
	"virtual_alias_recursion_limit = 5\n"
	"first_valid_uid = 1000\nlast_valid_uid = 59999\n"
	"virtual_mailbox_domains = box.test, inline:{other.test=1}\n"
	"virtual_mailbox_maps = inline:{v@box.test=box/v/, "
	"keep@box.test=box/keep/, v+x@box.test=box/vx/, "
	"mbox@box.test=box/mbox, {slash@box.test=/box/slash/}, "
	"bad1@box.test=../x/, bad2@box.test=a//b/, bad3@box.test=/, "
	"@other.test=other/all/}\n"
	"smtpd_sender_login_maps =\n";

static const char passwd[] = "root:x:0:0::/root:/bin/sh\n"
			     "alice:x:1000:1000::/home/alice:/bin/sh\n"
			     "bob:x:1001:1001::/home/bob:/bin/sh\n"
			     "self:x:1002:1002::/home/self:/bin/sh\n"
			     "loop1:x:1003:1003::/home/l:/bin/sh\n"
			     "nobody:x:65534:65534::/:/bin/false\n"
			     "hidden:x:1004:1004::/:/bin/false\n";

static void
open_routes(struct routes *r, const char *text)
{
	struct params p;
	struct err err;

	if (params_load(&p, str_of(text), &err) < 0 ||
	    routes_open(r, &p, NULL, &err) < 0 ||
	    table_set_passwd(r->set, str_of(passwd), &err) < 0)
		fail_msg("%s", err.text);
	params_fini(&p);
}

/* "L:user", "V:path", "R:transport nexthop", "E:dsn text", separated by ";";
 * "T" and "T loop". */
static const char *
results(const struct routes *r, const char *address, bool at_rcpt, char *out,
	size_t size)
{
	struct msg_rcpt_in in = { .address = str_of(address),
				  .orcpt = STR("rfc822;o"),
				  .notify = NOTIFY_NEVER };
	struct resolved res;
	struct pool pool;
	struct err err;
	size_t i, n = 0;

	pool_init(&pool, 1 << 24);
	resolved_init(&res, &pool);
	out[0] = '\0';
	if (resolve(r, STR(""), &in, at_rcpt, &res, &err) < 0) {
		assert_int_equal(err.class, ERR_TEMP);
		snprintf(out, size, err.code == ELOOP ? "T loop" : "T");
	} else {
		for (i = 0; i < res.n; i++) {
			const struct msg_rcpt *m = &res.v[i];

			assert_true(str_eq(m->original, in.address));
			assert_true(str_eq(m->orcpt, in.orcpt));
			assert_int_equal(m->notify, in.notify);
			if (m->type == RCPT_ERROR)
				n += (size_t)snprintf(
					out + n, size - n, "%sE:%.*s %.*s",
					i ? ";" : "", STR_FMT(m->dsn),
					STR_FMT(m->text));
			else if (m->type == RCPT_REMOTE)
				n += (size_t)snprintf(
					out + n, size - n, "%sR:%.*s %.*s",
					i ? ";" : "", STR_FMT(m->transport),
					STR_FMT(m->where));
			else
				n += (size_t)snprintf(
					out + n, size - n, "%s%c:%.*s",
					i ? ";" : "",
					m->type == RCPT_LOCAL ? 'L' : 'V',
					STR_FMT(m->where));
		}
	}
	resolved_fini(&res);
	pool_fini(&pool);
	return out;
}

#define UNKNOWN_LOCAL "E:5.1.1 User unknown in local recipient table"
#define UNKNOWN_ALIAS "E:5.1.1 User unknown in virtual alias table"
#define UNKNOWN_BOX "E:5.1.1 User unknown in virtual mailbox table"

static void
test_rows(void **state)
{
	static const struct {
		const char *rcpt, *want;
	} rows[] = {
		/* users of this machine */
		{ "alice@host.test", "L:alice" },
		{ "ALICE@HOST.test", "L:alice" },
		{ "alice@localhost", "L:alice" },
		{ "alice@host.test.", "L:alice" },
		{ "alice+tag@host.test", "L:alice" },
		{ "alice+@host.test", "L:alice" },
		{ "+alice@host.test", UNKNOWN_LOCAL },
		{ "carol@host.test", UNKNOWN_LOCAL },
		{ "alice", "L:alice" },
		{ "\"alice\"@host.test", "L:alice" },
		{ "\"ali ce\"@host.test", UNKNOWN_LOCAL },
		{ "a/b@host.test", UNKNOWN_LOCAL },
		{ "nobody@host.test",
		  "E:5.1.1 mail for a system account needs an alias" },
		/* aliases(5); RFC 5321 4.5.1 */
		{ "postmaster", "L:alice" },
		{ "Postmaster@localhost", "L:alice" },
		{ "root@host.test", "L:alice" },
		{ "both@host.test", "L:alice;L:bob" },
		{ "both+x@host.test", "L:alice;L:bob" },
		{ "tag+x@host.test", "L:bob" },
		{ "list@host.test", "L:alice;L:bob" },
		{ "self@host.test", "L:self;L:alice" },
		{ "loop1@host.test", "L:loop1" },
		{ "ghost@host.test", "E:5.1.1 unknown user: \"nobody.here\"" },
		{ "out@host.test", "R:smtp elsewhere.test" },
		{ "virt@host.test", "V:box/v/" },
		{ "cmd@host.test",
		  "E:5.3.2 delivery to commands is not available yet" },
		{ "file@host.test",
		  "E:5.3.2 delivery to files is not available yet" },
		{ "include@host.test",
		  "E:5.3.2 :include: lists are not available yet" },
		{ "mixed@host.test",
		  "E:5.3.2 delivery to commands is not available yet;"
		  "L:alice" },
		{ "empty@host.test", "T loop" },
		/* virtual aliases */
		{ "info@alias.test", "L:alice" },
		{ "INFO@Alias.Test", "L:alice" },
		{ "info+tag@alias.test", "L:alice" },
		{ "team@alias.test", "L:alice;V:box/v/" },
		{ "nobody@alias.test", UNKNOWN_ALIAS },
		{ "bare@alias.test", "L:bob" },
		{ "plain@host.test", "L:bob" },
		{ "plain@box.test", UNKNOWN_BOX },
		{ "anyone@catch.test", "V:box/v/" },
		{ "v@moved.test", "V:box/v/" },
		{ "v+x@moved.test", "V:box/vx/" },
		{ "none@moved.test", UNKNOWN_BOX },
		{ "keep@box.test", "V:box/keep/;V:box/v/" },
		{ "a@loop.test", UNKNOWN_ALIAS },
		{ "dead@alias.test", UNKNOWN_BOX },
		{ "half@alias.test", UNKNOWN_BOX ";L:alice" },
		{ "far@alias.test", "R:smtp far.test" },
		{ "\"a b\"@alias.test", "L:alice" },
		{ "quoted@alias.test", "L:bob" },
		/* virtual mailboxes */
		{ "v@box.test", "V:box/v/" },
		{ "V@Box.Test", "V:box/v/" },
		{ "v+y@box.test", "V:box/v/" },
		{ "v+x@box.test", "V:box/vx/" },
		{ "mbox@box.test", "V:box/mbox" },
		{ "slash@box.test", "V:box/slash/" },
		{ "bad1@box.test", "T" },
		{ "bad2@box.test", "T" },
		{ "bad3@box.test", "T" },
		{ "any@other.test", "V:other/all/" },
		{ "none@box.test", UNKNOWN_BOX },
		/* everything else, and what only looks like ours */
		{ "x@far.test", "R:smtp far.test" },
		{ "x@sub.box.test", "R:smtp sub.box.test" },
		{ "x@far.test.", "R:smtp far.test" },
		{ "x@[192.0.2.1]", "R:smtp [192.0.2.1]" },
		{ "x%far.test@host.test", UNKNOWN_LOCAL },
		{ "far.test!x@host.test", UNKNOWN_LOCAL },
		{ "\"x@far.test\"@host.test", UNKNOWN_LOCAL },
		{ "\"x@far.test\"@box.test", UNKNOWN_BOX },
		{ "|/bin/x@host.test", UNKNOWN_LOCAL },
		{ "@host.test", "E:5.1.3 bad destination mailbox address" },
		{ "alice@", "E:5.1.3 bad destination mailbox address" },
	};
	struct routes r;
	char got[2000];
	size_t i;

	(void)state;
	open_routes(&r, base);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		results(&r, rows[i].rcpt, true, got, sizeof(got));
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].rcpt,
				 got, rows[i].want);
	}
	routes_close(&r);
}

/* One table asked for everything; the rest is empty. */
static void
open_with(struct routes *r, const char *lines)
{
	static const char *const names[] = {
		"myorigin",
		"recipient_delimiter",
		"mydestination",
		"local_recipient_maps",
		"alias_maps",
		"virtual_alias_maps",
		"virtual_alias_domains",
		"virtual_mailbox_domains",
		"virtual_mailbox_maps",
		"smtpd_sender_login_maps",
		"virtual_alias_expansion_limit",
		"virtual_alias_recursion_limit",
	};
	struct buf b;
	size_t i;

	/* A later line stands for an earlier one of the same name. */
	buf_init(&b, 1 << 20);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(buf_addf(&b, "%s = %s\n", names[i],
					  strstr(names[i], "_limit") ? "1000"
					  : i == 0 ? "host.test"
						   : ""),
				 0);
	assert_int_equal(buf_add_c(&b,
				   SENDING_DEFAULTS "first_valid_uid = 1000\n"
						    "last_valid_uid = 59999\n"),
			 0);
	assert_int_equal(buf_add_c(&b, lines), 0);
	open_routes(r, buf_cstr(&b));
	buf_fini(&b);
}

static void
ask(const struct routes *r, const char *rcpt, const char *want)
{
	char got[2000];

	results(r, rcpt, true, got, sizeof(got));
	if (strcmp(got, want) != 0)
		fail_msg("%s: got \"%s\", want \"%s\"", rcpt, got, want);
}

static void
test_order(void **state)
{
	struct routes r;

	(void)state;
	/* A domain in every list is local. */
	open_with(&r, "mydestination = d.test\nvirtual_alias_domains = d.test\n"
		      "virtual_mailbox_domains = d.test\n"
		      "virtual_mailbox_maps = static:x/\n");
	ask(&r, "alice@d.test", "L:alice");
	routes_close(&r);
	open_with(&r, "virtual_alias_domains = d.test\n"
		      "virtual_mailbox_domains = d.test\n"
		      "virtual_mailbox_maps = static:x/\n");
	ask(&r, "alice@d.test", UNKNOWN_ALIAS);
	routes_close(&r);
	/* Without local_recipient_maps the agent's words. */
	open_with(&r, "mydestination = host.test\n");
	ask(&r, "carol@host.test", "E:5.1.1 unknown user: \"carol\"");
	/* No delimiter: no extension. */
	ask(&r, "alice+x@host.test", "E:5.1.1 unknown user: \"alice+x\"");
	routes_close(&r);
	/* local_recipient_maps is asked at RCPT, not for aliases' results. */
	open_with(&r, "mydestination = host.test\n"
		      "local_recipient_maps = inline:{root=x}\n"
		      "alias_maps = inline:{root=alice}\n");
	ask(&r, "alice@host.test", UNKNOWN_LOCAL);
	ask(&r, "root@host.test", "L:alice");
	routes_close(&r);
	/* Several delimiters; names that are never split. */
	open_with(&r, "mydestination = host.test\nrecipient_delimiter = +-\n"
		      "alias_maps = inline:{owner-l=bob, l-request=bob}\n");
	ask(&r, "alice-x@host.test", "L:alice");
	ask(&r, "alice+x-y@host.test", "L:alice");
	ask(&r, "owner-l@host.test", "L:bob");
	ask(&r, "l-request@host.test", "L:bob");
	routes_close(&r);
}

static void
test_tables_down(void **state)
{
	static const char *const lines[] = {
		"mydestination = hash:/nowhere/x\n",
		"virtual_alias_domains = hash:/nowhere/x\n",
		"virtual_mailbox_domains = hash:/nowhere/x\n",
		"mydestination = d.test\n"
		"local_recipient_maps = hash:/nowhere/x\n",
		"mydestination = d.test\nalias_maps = btree:/nowhere/x\n",
		"virtual_alias_maps = texthash:/nowhere/x\n",
		"virtual_mailbox_domains = d.test\n"
		"virtual_mailbox_maps = hash:/nowhere/x\n",
	};
	struct routes r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		open_with(&r, lines[i]);
		ask(&r, "alice@d.test", "T");
		routes_close(&r);
	}
}

static void
test_limits(void **state)
{
	struct buf b;
	struct routes r;
	int i;

	(void)state;
	/* A chain of 5 is allowed, 6 are not (recursion limit 5). */
	open_with(&r, "virtual_alias_recursion_limit = 5\n"
		      "virtual_alias_maps = inline:{a0@d=a1@d a1@d=a2@d "
		      "a2@d=a3@d a3@d=a4@d a4@d=a5@d a5@d=a6@d}\n");
	ask(&r, "a1@d", "R:smtp d");
	ask(&r, "a0@d", "T loop");
	routes_close(&r);
	/* Many at once, all different. */
	buf_init(&b, 1 << 20);
	assert_int_equal(buf_add_c(&b, "virtual_alias_expansion_limit = 20\n"
				       "virtual_alias_maps = inline:{{l@d ="),
			 0);
	for (i = 0; i < 21; i++)
		assert_int_equal(buf_addf(&b, " x%d@d", i), 0);
	assert_int_equal(buf_add_c(&b, "}}\n"), 0);
	open_with(&r, buf_cstr(&b));
	ask(&r, "l@d", "T loop");
	routes_close(&r);
	/* Doubling at each step: 2^20 ways, 20 addresses. */
	buf_reset(&b);
	assert_int_equal(buf_add_c(&b, "virtual_alias_maps = inline:{"), 0);
	for (i = 0; i < 20; i++)
		assert_int_equal(buf_addf(&b,
					  "{a%d@d=a%d@d b%d@d} "
					  "{b%d@d=a%d@d b%d@d} ",
					  i, i + 1, i + 1, i, i + 1, i + 1),
				 0);
	assert_int_equal(buf_add_c(&b, "}\n"), 0);
	open_with(&r, buf_cstr(&b));
	ask(&r, "a0@d", "R:smtp d;R:smtp d");
	routes_close(&r);
	buf_fini(&b);
	/* A result too long to be an address. */
	buf_init(&b, 1 << 20);
	assert_int_equal(buf_add_c(&b, "virtual_alias_maps = inline:{l@d=x@"),
			 0);
	for (i = 0; i < ADDRESS_MAX; i++)
		assert_int_equal(buf_add_byte(&b, 'y'), 0);
	assert_int_equal(buf_add_c(&b, "}\n"), 0);
	open_with(&r, buf_cstr(&b));
	ask(&r, "l@d", "T loop");
	routes_close(&r);
	buf_fini(&b);
}

static void
test_merge(void **state)
{
	static const char *const rcpts[] = { "info@alias.test",
					     "alice@host.test",
					     "both@host.test", "x@far.test",
					     "x@far.test" };
	struct msg_rcpt_in in = { .notify = 0 };
	struct resolved res;
	struct routes r;
	struct pool pool;
	struct err err;
	size_t i;

	(void)state;
	open_routes(&r, base);
	pool_init(&pool, 1 << 20);
	resolved_init(&res, &pool);
	for (i = 0; i < sizeof(rcpts) / sizeof(rcpts[0]); i++) {
		in.address = str_of(rcpts[i]);
		assert_int_equal(resolve(&r, STR(""), &in, false, &res, &err),
				 0);
	}
	/* alice once, from her first name; bob; the remote one once. */
	assert_int_equal(res.n, 3);
	assert_true(str_eq(res.v[0].where, STR("alice")));
	assert_true(str_eq(res.v[0].original, STR("info@alias.test")));
	assert_true(str_eq(res.v[0].address, STR("alice@host.test")));
	assert_true(str_eq(res.v[1].where, STR("bob")));
	assert_true(str_eq(res.v[1].address, STR("bob@host.test")));
	assert_int_equal(res.v[2].type, RCPT_REMOTE);
	resolved_fini(&res);
	pool_fini(&pool);
	routes_close(&r);
}

static void
test_dirs(void **state)
{
	struct str dirs[8];
	struct params p;
	struct pool pool;
	struct err err;
	size_t n;

	(void)state;
	assert_int_equal(
		params_load(&p,
			    STR(SENDING_DEFAULTS
				"mydestination = a, !/etc/lists/no, "
				"hash:/etc/m/d\n"
				"virtual_alias_domains = static:x\n"
				"virtual_mailbox_domains =\n"
				"virtual_alias_maps = inline:{a=/x/y}, "
				"btree:/etc/m/v cidr:/c\n"
				"virtual_mailbox_maps =\n"
				"alias_maps = texthash:/etc/aliases\n"
				"local_recipient_maps = unix:passwd.byname\n"
				"smtpd_sender_login_maps =\n"),
			    &err),
		0);
	pool_init(&pool, 10000);
	n = router_table_dirs(&p, &pool, dirs, 8);
	assert_int_equal(n, 4);
	assert_string_equal(dirs[0].p, "/etc/lists");
	assert_string_equal(dirs[1].p, "/etc/m");
	assert_string_equal(dirs[2].p, "/");
	assert_string_equal(dirs[3].p, "/etc");
	assert_int_equal(router_table_dirs(&p, &pool, dirs, 2), 2);
	pool_fini(&pool);
	params_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_tables_down),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_dirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
