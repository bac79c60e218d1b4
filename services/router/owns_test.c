/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <setjmp.h>

#include <cmocka.h>

#include "owns.h"
#include "testbed_defaults.h"

static const char base[] = SENDING_DEFAULTS
	"myorigin = host.test\n"
	"recipient_delimiter = +\n"
	"mydestination = host.test, localhost\n"
	"local_recipient_maps =\n"
	"alias_maps = inline:{root=alice, {both=alice, bob}, "
	"{postmaster=root}, {copy=alice, |/bin/x}, {twice=alice, alice}, "
	"{loop1=loop2}, {loop2=loop1}, {remote=x@far.test}, "
	"alice+team=bob, alice+same=alice}\n"
	"virtual_alias_maps = inline:{info@alias.test=v@box.test, "
	"@moved.test=@box.test, @all.test=v@box.test, "
	"{pair@alias.test=v@box.test, w@box.test}, "
	"{twins@alias.test=t1@same.test, t2@same.test}, "
	"sys@alias.test=alice, v+w@box.test=w@box.test, "
	"alice+virt=bob@host.test}\n"
	"virtual_alias_domains = alias.test moved.test all.test\n"
	"virtual_alias_expansion_limit = 20\n"
	"virtual_alias_recursion_limit = 5\n"
	"first_valid_uid = 1000\nlast_valid_uid = 59999\n"
	"virtual_mailbox_domains = box.test same.test\n"
	"virtual_mailbox_maps = inline:{v@box.test=v/, w@box.test=w/, "
	"v+boss@box.test=boss/, @same.test=all/}\n"
	"smtpd_sender_login_maps =";

static const char passwd[] = "alice:x:1000:1000::/:/\nbob:x:1001:1001::/:/\n"
			     "loop1:x:1002:1002::/:/\n";

static void
open_routes(struct routes *r, const char *rest)
{
	struct params p;
	struct err err;
	struct buf b;

	buf_init(&b, 20000);
	if (buf_addf(&b, "%s%s\n", base, rest) < 0 ||
	    params_load(&p, buf_str(&b), &err) < 0 ||
	    routes_open(r, &p, NULL, &err) < 0 ||
	    table_set_passwd(r->set, str_of(passwd), &err) < 0)
		fail_msg("%s", err.text);
	params_fini(&p);
	buf_fini(&b);
}

struct row {
	const char *login, *sender;
	int want;
};

static void
check_rows(const struct routes *r, const struct row *row, size_t n)
{
	struct err err;
	int got;

	for (; n; n--, row++) {
		got = owns(r, str_of(row->login), str_of(row->sender), &err);
		if (got != row->want)
			fail_msg("%s as <%s>: %d", row->login, row->sender,
				 got);
	}
}

#define CHECK(r, rows) check_rows(r, rows, sizeof(rows) / sizeof((rows)[0]))

static void
test_own_addresses(void **state)
{
	static const struct row rows[] = {
		/* notifications */
		{ "alice", "", 1 },
		{ "v@box.test", "", 1 },
		{ "", "alice@host.test", 0 },
		/* users of this machine */
		{ "alice", "alice@host.test", 1 },
		{ "alice", "alice", 1 },
		{ "alice", "ALICE@LocalHost", 1 },
		{ "Alice", "alice@host.test", 1 },
		{ "alice", "alice@host.test.", 1 },
		{ "alice", "alice+x@host.test", 1 },
		{ "alice", "\"alice\"@host.test", 1 },
		{ "alice", "bob@host.test", 0 },
		{ "alice", "alic@host.test", 0 },
		{ "alice", "alicee@host.test", 0 },
		{ "alice", "+alice@host.test", 0 },
		{ "alice", "bob+alice@host.test", 0 },
		{ "alice", "alice@box.test", 0 },
		{ "alice", "alice@far.test", 0 },
		{ "alice", "alice@alias.test", 0 },
		{ "alice", "@host.test", 0 },
		{ "alice", "@", 0 },
		{ "alice", "alice@", 0 },
		{ "alice", "alice@host.test@far.test", 0 },
		{ "alice", "\"alice@host.test\"@host.test", 0 },
		/* who has the address as a name */
		{ "v@box.test", "v@box.test", 1 },
		{ "v@box.test", "V@BOX.test", 1 },
		{ "v@box.test", "v+tag@box.test", 1 },
		{ "v+tag@box.test", "v+tag@box.test", 1 },
		{ "v+tag@box.test", "v@box.test", 0 },
		{ "v@box.test", "w@box.test", 0 },
		{ "v@box.test", "v@same.test", 0 },
		{ "v@box.test", "v", 0 },
		{ "u@far.test", "u@far.test", 1 },
		/* an extension that is somebody else */
		{ "v@box.test", "v+boss@box.test", 0 },
		{ "v@box.test", "\"v+boss\"@box.test", 0 },
		{ "v+boss@box.test", "v+boss@box.test", 1 },
		{ "v@box.test", "v+w@box.test", 0 },
		{ "w@box.test", "v+w@box.test", 1 },
		{ "t1@same.test", "t1+x@same.test", 1 },
		{ "alice", "alice+team@host.test", 0 },
		{ "alice", "ALICE+Team@host.test", 0 },
		{ "bob", "alice+team@host.test", 1 },
		{ "alice", "alice+virt@host.test", 0 },
		{ "alice", "alice+same@host.test", 1 },
		{ "alice@host.test", "alice@host.test", 1 },
		{ "alice@host.test", "alice", 1 },
		{ "alice@host.test", "alice@localhost", 0 },
		/* aliases with one target */
		{ "alice", "root@host.test", 1 },
		{ "alice", "postmaster@localhost", 1 },
		{ "alice", "twice@host.test", 1 },
		{ "bob", "root@host.test", 0 },
		{ "alice", "both@host.test", 0 },
		{ "bob", "both@host.test", 0 },
		{ "alice", "copy@host.test", 0 },
		{ "alice", "sys@alias.test", 1 },
		{ "x@far.test", "remote@host.test", 0 },
		{ "v@box.test", "info@alias.test", 1 },
		{ "v@box.test", "info+t@alias.test", 1 },
		{ "v@box.test", "v@moved.test", 1 },
		{ "v@box.test", "w@moved.test", 0 },
		{ "v@box.test", "anything@all.test", 1 },
		{ "w@box.test", "anything@all.test", 0 },
		{ "v@box.test", "pair@alias.test", 0 },
		/* a common mailbox makes nobody another's owner */
		{ "t1@same.test", "t2@same.test", 0 },
		{ "t1@same.test", "twins@alias.test", 0 },
		/* a loop ends where it closes, at nobody here */
		{ "loop1", "loop2@host.test", 0 },
	};
	struct routes r;

	(void)state;
	open_routes(&r, "");
	CHECK(&r, rows);
	routes_close(&r);
}

static void
test_table(void **state)
{
	static const struct row rows[] = {
		{ "alice", "sales@shop.test", 1 },
		{ "BOB", "Sales+x@shop.test", 1 },
		{ "carol", "sales@shop.test", 0 },
		{ "alice", "sales+eu@shop.test", 0 },
		{ "carol", "sales+eu@shop.test", 1 },
		{ "boss@box.test", "whoever@shop.test", 1 },
		{ "boss", "whoever@shop.test", 0 },
		/* an entry decides alone */
		{ "v@box.test", "v@box.test", 0 },
		{ "alice", "v@box.test", 1 },
		{ "alice", "bob@host.test", 1 },
		{ "bob", "bob@host.test", 0 },
		/* no entry */
		{ "alice", "alice@host.test", 1 },
		{ "w@box.test", "w@box.test", 1 },
		{ "alice", "w@box.test", 0 },
	};
	static const struct row down[] = {
		{ "alice", "", 1 },
		{ "alice", "alice@host.test", -1 },
	};
	struct routes r;

	(void)state;
	open_routes(&r, "inline:{{sales@shop.test=alice, bob}, "
			"sales+eu@shop.test=carol, @shop.test=boss@box.test, "
			"v@box.test=alice, bob=alice}");
	CHECK(&r, rows);
	routes_close(&r);
	open_routes(&r, "hash:/nowhere/x");
	CHECK(&r, down);
	routes_close(&r);
}

/* A name in myorigin is not a user of this machine where that domain has
 * mailboxes of its own. */
static void
test_origin(void **state)
{
	static const struct row null_client[] = {
		{ "alice", "alice@hub.test", 1 },
		{ "alice", "alice", 1 },
		{ "bob", "alice@hub.test", 0 },
	};
	static const struct row virtual[] = {
		{ "v", "v@box.test", 0 },
		{ "v@box.test", "v", 1 },
	};
	struct routes r;

	(void)state;
	open_routes(&r, "\nmyorigin = hub.test\nmydestination =");
	CHECK(&r, null_client);
	routes_close(&r);
	open_routes(&r, "\nmyorigin = box.test");
	CHECK(&r, virtual);
	routes_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_addresses),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
