/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "resolve.h"
#include "testbed_defaults.h"

#define TRANSPORT(name)                                                 \
	name "_tls_policy_maps =\n" name "_sasl_password_maps =\n" name \
	     "_sender_dependent_authentication = 0\n"

static const char base[] = SENDING_DEFAULTS TRANSPORT("slow") TRANSPORT("fast")
	TRANSPORT("bulk") "myorigin = host.test\nrecipient_delimiter = +\n"
			  "mydestination = host.test\n"
			  "first_valid_uid = 1000\nlast_valid_uid = 59999\n"
			  "local_recipient_maps = unix:passwd.byname "
			  "inline:{ext=x, away=x}\n"
			  "alias_maps = inline:{{out=x@far.test}, "
			  "{self=\\self, y@far.test}}\n"
			  "virtual_alias_maps = "
			  "inline:{a@alias.test=a@far.test}\n"
			  "virtual_alias_domains = alias.test\n"
			  "virtual_alias_expansion_limit = 100\n"
			  "virtual_alias_recursion_limit = 100\n"
			  "virtual_mailbox_domains = box.test\n"
			  "virtual_mailbox_maps = inline:{v@box.test=box/v/}\n"
			  "smtpd_sender_login_maps =\n";

static const char passwd[] = "alice:x:1000:1000::/:/\nself:x:1001:1001::/:/\n";

/* The parameters of a test, behind the base. */
static const char relayhost[] = "relayhost = [relay.test]:587\n";
static const char relayed[] =
	"relay_domains = in.test, !not.in.test, .dot.test, "
	"inline:{tab.test=x}\n"
	"relay_recipient_maps = inline:{u@in.test=x, @sub.in.test=x, "
	"@dot.test=x, @a.dot.test=x, @tab.test=x, @x.tab.test=x}\n";
static const char table[] =
	"transports = slow fast\n"
	"transport_maps = inline:{u@far.test=slow:, u+x@far.test=fast:[f], "
	"far.test=relay:[hub.test], .far.test=lmtp:inet:[l]:24, "
	"sub.two.test=:, {host.test=smtp:[mx.test]}, alice@host.test=local:, "
	"next.test=:[n.test]:26, box.test=lmtp:unix:/run/l, "
	"v@box.test=virtual, both.test=:, {bad.test=error:5.7.1 not today}, "
	"{bad2.test=error:no more, ever}, {bad3.test=error: 4.7.0 x}, "
	"bad4.test=error:, {later.test=retry:4.2.1 soon}, "
	"later2.test=retry:, gone.test=discard:, none.test=uucp:x, "
	"in.test=slow:[slow.test], [192.0.2.1]=fast:, "
	"{spaces.test=  slow : [s.test] }, word.test=relay}\n";
static const char star[] = "relayhost = [relay.test]\n"
			   "transport_maps = inline:{*=relay:, one.test=:}\n";
static const char star_next[] = "transport_maps = inline:{*=:[all.test]}\n";
static const char parents[] =
	"transport_maps = inline:{far.test=lmtp:x, .dot.test=relay:x}\n"
	"parent_domain_matches_subdomains = transport_maps\n"
	"relay_domains = in.test, .dot.test\n";
static const char by_sender[] =
	"transports = bulk\n"
	"relayhost = [relay.test]\n"
	"sender_dependent_relayhost_maps = inline:{a@s.test=[a.relay]:587, "
	"@t.test=[t.relay], n@t.test=DUNNO, <>=[null.relay], "
	"alice=[alice.relay]}\n"
	"sender_dependent_default_transport_maps = inline:{@bulk.test=bulk, "
	"b@bulk.test=bulk:[b.test], d@bulk.test=dunno}\n";
static const char keys[] =
	"empty_address_relayhost_maps_lookup_key = nobody\n"
	"sender_dependent_relayhost_maps = inline:{nobody=[n.relay]}\n"
	"empty_address_default_transport_maps_lookup_key = nil\n"
	"sender_dependent_default_transport_maps = inline:{nil=lmtp}\n";
static const char own_hop[] = "relayhost = [relay.test]\n"
			      "default_transport = smtp:[default.test]\n"
			      "relay_transport = relay:[inside.test]\n"
			      "relay_domains = in.test\n";
static const char lmtp[] = "virtual_transport = lmtp:unix:/run/lmtp\n"
			   "mailbox_transport = lmtp:inet:127.0.0.1:24\n"
			   "mailbox_transport_maps = inline:{self=local}\n";
static const char free_names[] =
	"virtual_transport = lmtp:unix:/run/lmtp\nvirtual_mailbox_maps =\n"
	"fallback_transport = smtp:[fall.test]\nlocal_recipient_maps =\n";
static const char down[] = "transport_maps = hash:/nowhere/x\n";
static const char down_sender[] =
	"sender_dependent_relayhost_maps = hash:/nowhere/x\n";
static const char wrong[] = "default_transport = uucp\n"
			    "local_transport = smtp:[mx.test]\n";

#define UNKNOWN_RELAY "E:5.1.1 User unknown in relay recipient table"
#define UNKNOWN_BOX "E:5.1.1 User unknown in virtual mailbox table"
#define UNKNOWN_LOCAL "E:5.1.1 User unknown in local recipient table"

static const struct row {
	const char *lines, *sender, *rcpt, *want;
} rows[] = {
	/* without anything */
	{ "", "s@s.test", "x@far.test", "R:smtp far.test" },
	{ "", "s@s.test", "x@FAR.test", "R:smtp far.test" },
	{ "", "s@s.test", "x@[192.0.2.1]", "R:smtp [192.0.2.1]" },
	{ "", "s@s.test", "a@alias.test", "R:smtp far.test" },
	{ "", "s@s.test", "b@alias.test",
	  "E:5.1.1 User unknown in virtual alias table" },
	{ "", "s@s.test", "out@host.test", UNKNOWN_LOCAL },
	{ "", "s@s.test", "self@host.test", "L:self;R:smtp far.test" },
	/* relayhost */
	{ relayhost, "s@s.test", "x@far.test", "R:smtp [relay.test]:587" },
	{ relayhost, "s@s.test", "v@box.test", "V:box/v/" },
	{ relayhost, "s@s.test", "alice@host.test", "L:alice" },
	/* relay_domains */
	{ relayed, "s@s.test", "u@in.test", "R:relay in.test" },
	{ relayed, "s@s.test", "u+x@in.test", "R:relay in.test" },
	{ relayed, "s@s.test", "w@in.test", UNKNOWN_RELAY },
	{ relayed, "s@s.test", "w@sub.in.test", "R:relay sub.in.test" },
	{ relayed, "s@s.test", "w@not.in.test", UNKNOWN_RELAY },
	{ relayed, "s@s.test", "w@xin.test", "R:smtp xin.test" },
	{ relayed, "s@s.test", "w@dot.test", "R:smtp dot.test" },
	{ relayed, "s@s.test", "w@tab.test", "R:relay tab.test" },
	{ relayed, "s@s.test", "w@x.tab.test", "R:relay x.tab.test" },
	/* transport_maps */
	{ table, "s@s.test", "u@far.test", "R:slow far.test" },
	{ table, "s@s.test", "u+y@far.test", "R:slow far.test" },
	{ table, "s@s.test", "u+x@far.test", "R:fast [f]" },
	{ table, "s@s.test", "U@FAR.test", "R:slow far.test" },
	{ table, "s@s.test", "w@far.test", "R:relay [hub.test]" },
	{ table, "s@s.test", "w@a.b.far.test", "R:lmtp inet:[l]:24" },
	{ table, "s@s.test", "w@xfar.test", "R:smtp xfar.test" },
	{ table, "s@s.test", "w@next.test", "R:smtp [n.test]:26" },
	{ table, "s@s.test", "w@both.test", "R:smtp both.test" },
	{ table, "s@s.test", "w@spaces.test", "R:slow [s.test]" },
	{ table, "s@s.test", "w@word.test", "R:relay word.test" },
	{ table, "s@s.test", "w@[192.0.2.1]", "R:fast [192.0.2.1]" },
	{ table, "s@s.test", "w@[192.0.2.2]", "R:smtp [192.0.2.2]" },
	/* our own domains in it */
	{ table, "s@s.test", "alice@host.test", "L:alice" },
	{ table, "s@s.test", "self@host.test", "R:smtp [mx.test]" },
	{ table, "s@s.test", "nobody@host.test", UNKNOWN_LOCAL },
	{ table, "s@s.test", "v@box.test", "V:box/v/" },
	{ table, "s@s.test", "v+x@box.test", "V:box/v/" },
	{ table, "s@s.test", "w@box.test", UNKNOWN_BOX },
	/* what is not sent */
	{ table, "s@s.test", "x@bad.test", "E:5.7.1 not today" },
	{ table, "s@s.test", "x@bad2.test", "E:5.1.1 no more, ever" },
	{ table, "s@s.test", "x@bad3.test", "E:5.7.0 x" },
	{ table, "s@s.test", "x@bad4.test",
	  "E:5.1.1 mail for this address is not taken" },
	{ table, "s@s.test", "x@later.test", "E:4.2.1 soon" },
	{ table, "s@s.test", "x@later2.test",
	  "E:4.3.0 mail for this address is not taken" },
	{ table, "s@s.test", "x@gone.test", "D" },
	{ table, "s@s.test", "x@none.test", "T transport" },
	/* "*" */
	{ star, "s@s.test", "x@far.test", "R:relay far.test" },
	{ star, "s@s.test", "x@one.test", "R:smtp [relay.test]" },
	{ star, "s@s.test", "alice@host.test", "R:relay host.test" },
	{ star_next, "s@s.test", "x@far.test", "R:smtp [all.test]" },
	{ star_next, "s@s.test", "alice@host.test", "L:alice" },
	/* parent_domain_matches_subdomains */
	{ parents, "s@s.test", "x@a.far.test", "R:lmtp x" },
	{ parents, "s@s.test", "x@a.dot.test", "R:relay a.dot.test" },
	{ parents, "s@s.test", "x@a.in.test", "R:smtp a.in.test" },
	{ parents, "s@s.test", "x@in.test", "R:relay in.test" },
	/* by the sender */
	{ by_sender, "s@s.test", "x@far.test", "R:smtp [relay.test]" },
	{ by_sender, "a@s.test", "x@far.test", "R:smtp [a.relay]:587" },
	{ by_sender, "A+x@S.test", "x@far.test", "R:smtp [a.relay]:587" },
	{ by_sender, "x@t.test", "x@far.test", "R:smtp [t.relay]" },
	{ by_sender, "n@t.test", "x@far.test", "R:smtp [relay.test]" },
	{ by_sender, "", "x@far.test", "R:smtp [null.relay]" },
	{ by_sender, "alice", "x@far.test", "R:smtp [alice.relay]" },
	{ by_sender, "a@bulk.test", "x@far.test", "R:bulk [relay.test]" },
	{ by_sender, "b@bulk.test", "x@far.test", "R:bulk [b.test]" },
	{ by_sender, "d@bulk.test", "x@far.test", "R:smtp [relay.test]" },
	{ by_sender, "a@bulk.test", "alice@host.test", "L:alice" },
	{ keys, "", "x@far.test", "R:lmtp [n.relay]" },
	/* a transport's own next hop comes first */
	{ own_hop, "s@s.test", "x@far.test", "R:smtp [default.test]" },
	{ own_hop, "s@s.test", "x@in.test", "R:relay [inside.test]" },
	/* LMTP in the house */
	{ lmtp, "s@s.test", "v@box.test", "R:lmtp unix:/run/lmtp" },
	{ lmtp, "s@s.test", "w@box.test", UNKNOWN_BOX },
	{ lmtp, "s@s.test", "alice@host.test", "R:lmtp inet:127.0.0.1:24" },
	{ lmtp, "s@s.test", "ext@host.test", "R:lmtp inet:127.0.0.1:24" },
	{ lmtp, "s@s.test", "nobody@host.test", UNKNOWN_LOCAL },
	{ lmtp, "s@s.test", "self@host.test", "L:self;R:smtp far.test" },
	{ free_names, "s@s.test", "w@box.test", "R:lmtp unix:/run/lmtp" },
	{ free_names, "s@s.test", "alice@host.test", "L:alice" },
	{ free_names, "s@s.test", "who@host.test", "R:smtp [fall.test]" },
	{ free_names, "s@s.test", "out@host.test", "R:smtp far.test" },
	/* faults */
	{ down, "s@s.test", "x@far.test", "T" },
	{ down, "s@s.test", "alice@host.test", "T" },
	{ down_sender, "s@s.test", "x@far.test", "T" },
	{ down_sender, "s@s.test", "alice@host.test", "L:alice" },
	{ wrong, "s@s.test", "x@far.test", "T transport" },
	{ wrong, "s@s.test", "alice@host.test", "R:smtp [mx.test]" },
};

static void
open_routes(struct routes *r, const char *lines)
{
	struct params p;
	struct err err;
	struct buf b;

	buf_init(&b, 20000);
	if (buf_addf(&b, "%s%s", base, lines) < 0 ||
	    params_load(&p, buf_str(&b), &err) < 0 ||
	    routes_open(r, &p, NULL, &err) < 0 ||
	    table_set_passwd(r->set, str_of(passwd), &err) < 0)
		fail_msg("%s", err.text);
	params_fini(&p);
	buf_fini(&b);
}

static void
show(struct buf *b, const struct msg_rcpt *m)
{
	if (b->n)
		(void)buf_add_byte(b, ';');
	if (m->type == RCPT_ERROR)
		(void)buf_addf(b, "E:%.*s %.*s", STR_FMT(m->dsn),
			       STR_FMT(m->text));
	else if (m->type == RCPT_REMOTE)
		(void)buf_addf(b, "R:%.*s %.*s", STR_FMT(m->transport),
			       STR_FMT(m->where));
	else
		(void)buf_addf(b, "%s%.*s",
			       m->type == RCPT_LOCAL	 ? "L:"
			       : m->type == RCPT_VIRTUAL ? "V:"
							 : "D",
			       STR_FMT(m->where));
}

static void
test_rows(void **state)
{
	struct msg_rcpt_in in = { 0 };
	struct resolved res;
	struct routes r;
	struct pool pool;
	struct err err;
	struct buf got;
	size_t i, k;

	(void)state;
	buf_init(&got, 10000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_routes(&r, rows[i].lines);
		pool_init(&pool, 1 << 20);
		resolved_init(&res, &pool);
		buf_reset(&got);
		in.address = str_of(rows[i].rcpt);
		if (resolve(&r, str_of(rows[i].sender), &in, true, &res, &err) <
		    0) {
			assert_int_equal(err.class, ERR_TEMP);
			(void)buf_add_c(&got, err.code == ENXIO ? "T transport"
								: "T");
		}
		for (k = 0; k < res.n && !str_starts(buf_str(&got), STR("T"));
		     k++)
			show(&got, &res.v[k]);
		if (strcmp(buf_cstr(&got), rows[i].want) != 0)
			fail_msg("%s%s -> %s: %s, not %s", rows[i].lines,
				 rows[i].sender, rows[i].rcpt, buf_cstr(&got),
				 rows[i].want);
		resolved_fini(&res);
		pool_fini(&pool);
		routes_close(&r);
	}
	buf_fini(&got);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
