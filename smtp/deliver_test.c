/* SPDX-License-Identifier: ISC */
/* Deliveries over real connections, to servers on 127.0.0.x that do as a
 * table says; dnsd, router and tlsd are played here. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/clock.h"
#include "deliver.h"
#include "dns_bed.h"
#include "server_bed.h"
#include "session_bed.h"

enum { SERVERS = 4, PATIENCE_MS = 20000 };

/* --- the world -------------------------------------------------------------
 */

struct world {
	struct loop loop;
	struct dns_bed dns;
	struct hub hub;
	struct settings set;
	struct server_bed server[SERVERS]; /* on 127.0.0.11... */
	struct chan *router, *tlsd;
	struct msg_sited sited;
	unsigned sites; /* questions to router, and the last one's */
	char site_nexthop[64];
	struct delivery *delivery;
	/* what came of it */
	bool over;
	struct delivery_end end;
	char dialog[SEND_DIALOG_MAX + 1];
	char results[2048];
};

static void
on_router(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	  void *msg)
{
	const struct msg_site *m = msg;
	struct world *w = arg;

	(void)def;
	(void)str_copy(w->site_nexthop, sizeof(w->site_nexthop), m->nexthop);
	w->sites++;
	assert_int_equal(chan_send(c, tag, &msg_sited_def, &w->sited), 0);
}

static void
on_tlsd(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	void *msg)
{
	static const struct msg_tls_fail no = {
		.class = TLS_FAIL_HANDSHAKE,
		.text = { "no shared cipher", 16 },
	};

	(void)arg;
	(void)def;
	(void)msg;
	assert_int_equal(chan_send(c, tag, &msg_tls_fail_def, &no), 0);
}

static void
on_gone(struct chan *c, void *arg)
{
	(void)c;
	(void)arg;
}

static const struct chan_ops router_ops = { on_router, on_gone };
static const struct chan_ops tlsd_ops = { on_tlsd, on_gone };

static struct chan *
play(struct world *w, enum channel_id row, const struct chan_ops *ops,
     int *other)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	*other = fds[1];
	return chan_new(&w->loop, fds[0], &channels[row], CHAN_SERVICE, ops, w);
}

static int
setup(void **state)
{
	static const char zone[] = "a.test MX 10 mx1.test\n"
				   "a.test MX 20 mx2.test\n"
				   "a.test MX 30 mx3.test\n"
				   "mx1.test A 127.0.0.11\n"
				   "mx2.test A 127.0.0.12\n"
				   "mx3.test A 127.0.0.13\n"
				   "b.test MX 10 mx1.test\n"
				   "relay.test A 127.0.0.14\n"
				   "twin.test A 127.0.0.11\n"
				   "twin.test A 127.0.0.12\n"
				   "xn--b-eha.test A 127.0.0.11\n"
				   "lost.test MX temp SERVFAIL\n";
	struct world *w = calloc(1, sizeof(*w));
	unsigned i;
	struct err err;
	int fd;

	assert_int_equal(loop_init(&w->loop, &err), 0);
	dns_bed_init(&w->dns, &w->loop, zone);
	w->set = (struct settings){
		.transport = "smtp",
		.myhostname = STR("mail.test"),
		.helo_name = STR("mail.test"),
		.always_ehlo = true,
		.skip_5xx_greeting = true,
		.skip_quit_response = true,
		.connect_ms = 2000,
		.helo_ms = 2000,
		.mail_ms = 2000,
		.rcpt_ms = 2000,
		.data_init_ms = 2000,
		.data_xfer_ms = 2000,
		.data_done_ms = 2000,
		.rset_ms = 2000,
		.quit_ms = 2000,
		.line_length_limit = 998,
		.mx_address_limit = 5,
		.mx_session_limit = 2,
		.ipv4 = true,
		.dns_level = DNS_LEVEL_ENABLED,
		.cache_on_demand = true,
		.cache_ms = 2000,
		.reuse_ms = 300000,
		.fallback_relay = STR(""),
		.cache_destinations = STR(""),
	};
	for (i = 0; i < SERVERS; i++)
		server_bed_open(&w->server[i], &w->loop, 11 + i, &w->set.port);
	w->hub.loop = &w->loop;
	w->hub.dns = w->dns.client;
	w->router = play(w, CH_SMTP_ROUTER, &router_ops, &fd);
	w->hub.router =
		asker_new_fd(&w->loop, fd, &channels[CH_SMTP_ROUTER], NULL, w);
	w->tlsd = play(w, CH_SMTP_TLSD, &tlsd_ops, &fd);
	w->hub.tls = tls_client_new_fd(&w->loop, fd, &channels[CH_SMTP_TLSD]);
	assert_int_equal(kept_init(&w->hub.kept, &w->loop, &err), 0);
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	unsigned i;

	if (w->delivery)
		delivery_cancel(w->delivery);
	kept_fini(&w->hub.kept);
	for (i = 0; i < 5; i++)
		loop_turn(&w->loop, false);
	asker_free(w->hub.router);
	tls_client_free(w->hub.tls);
	for (i = 0; i < 5; i++) /* the services see it */
		loop_turn(&w->loop, false);
	dns_bed_fini(&w->dns);
	for (i = 0; i < SERVERS; i++)
		server_bed_close(&w->server[i]);
	loop_fini(&w->loop);
	free(w);
	return 0;
}

static void
on_delivered(void *arg, struct letter *l, const struct delivery_end *e)
{
	static const char *const classes[] = { "OK", "TEMP", "PERM" };
	struct world *w = arg;
	size_t used = 0;
	uint32_t i;

	w->over = true;
	w->delivery = NULL;
	w->end = *e;
	(void)str_copy(w->dialog, sizeof(w->dialog), e->dialog);
	for (i = 0; i < l->nrcpts; i++) {
		const struct letter_rcpt *r = &l->rcpts[i];

		used += (size_t)snprintf(
			w->results + used, sizeof(w->results) - used,
			"%s%s %.*s %.*s", i ? "\n" : "",
			classes[r->result.class], STR_FMT(r->result.dsn),
			STR_FMT(r->result.text));
	}
	letter_free(l);
}

static void
begin(struct world *w, const char *nexthop, const char *rcpt2)
{
	struct bed_letter from = {
		.sender = "s@b.test",
		.header = "Subject: x\n",
		.body = "text\n",
		.rcpts = { { .address = "r1@a.test" }, { .address = rcpt2 } },
	};
	struct letter *l = bed_letter(&from);

	assert_non_null(l);
	l->nexthop = str_of(nexthop);
	w->over = false;
	w->results[0] = '\0';
	w->delivery = delivery_new(&w->hub, l, &w->set, on_delivered, w);
	assert_non_null(w->delivery);
	delivery_start(w->delivery);
}

static void
turn(struct world *w)
{
	loop_turn(&w->loop, false);
	usleep(200);
}

static void
deliver(struct world *w, const char *nexthop, const char *rcpt2)
{
	uint64_t until = clock_mono_ms() + PATIENCE_MS;

	begin(w, nexthop, rcpt2);
	while (!w->over && clock_mono_ms() < until)
		turn(w);
	assert_true(w->over);
	for (int i = 0; i < 10; i++) /* QUIT */
		turn(w);
}

static void
assert_connections(struct world *w, unsigned a, unsigned b, unsigned c,
		   unsigned d)
{
	unsigned want[SERVERS] = { a, b, c, d }, i;

	for (i = 0; i < SERVERS; i++)
		if (w->server[i].nconns != want[i])
			fail_msg("server %u: %u connections instead of %u: %s",
				 i + 1, w->server[i].nconns, want[i],
				 w->results);
}

static void
assert_result(struct world *w, const char *text, enum send_site site)
{
	if (strncmp(w->results, text, strlen(text)) != 0)
		fail_msg("\"%s\" instead of \"%s\"", w->results, text);
	assert_int_equal(w->end.site, site);
}

/* --- tests -----------------------------------------------------------------
 */

static void
test_sent(void **state)
{
	struct world *w = *state;

	deliver(w, "a.test", "r2@a.test");
	assert_string_equal(w->results, "OK 2.0.0 250 2.0.0 taken\n"
					"OK 2.0.0 250 2.0.0 taken");
	assert_connections(w, 1, 0, 0, 0);
	assert_int_equal(w->end.site, SEND_SITE_OK);
	assert_true(w->end.kept);
	assert_true(w->end.began_us && w->end.up_us >= w->end.began_us);
	assert_string_equal(w->dialog, "");
	assert_int_equal(w->sites, 0);
}

/* Which answer of the first server leads to the second one, and what is left if
 * there is none. */
static void
test_next_server(void **state)
{
	static const struct {
		struct bed_reply reply;
		const char *alone; /* the result without a second server */
		enum send_site site;
		bool next; /* the second one takes it */
	} rows[] = {
		{ { "GREETING", "554 no" },
		  "TEMP 4.0.0 host mx1.test[127.0.0.11] refused to talk to "
		  "me: 554 no",
		  SEND_SITE_FAILED,
		  true },
		{ { "GREETING", "421 4.3.2 busy" },
		  "TEMP 4.3.2 host mx1.test[127.0.0.11] refused to talk to "
		  "me: 421 4.3.2 busy",
		  SEND_SITE_FAILED,
		  true },
		{ { "GREETING", "close" },
		  "TEMP 4.4.2 lost connection with mx1.test[127.0.0.11]",
		  SEND_SITE_FAILED,
		  true },
		{ { "MAIL", "451 4.3.0 no" },
		  "TEMP 4.3.0 host mx1.test[127.0.0.11] said: 451 4.3.0 no (in "
		  "reply to MAIL FROM command)",
		  SEND_SITE_OK,
		  true },
		{ { "MAIL", "550 5.7.1 no" },
		  "PERM 5.7.1 host mx1.test[127.0.0.11] said: 550 5.7.1 no (in "
		  "reply to MAIL FROM command)",
		  SEND_SITE_OK,
		  false },
		{ { "RCPT", "450 4.2.0 no" },
		  "TEMP 4.2.0 host mx1.test[127.0.0.11] said: 450 4.2.0 no (in "
		  "reply to RCPT TO command)",
		  SEND_SITE_OK,
		  true },
		{ { "RCPT", "550 5.1.1 no" },
		  "PERM 5.1.1 host mx1.test[127.0.0.11] said: 550 5.1.1 no (in "
		  "reply to RCPT TO command)",
		  SEND_SITE_OK,
		  false },
		{ { ".", "452 4.3.1 full" },
		  "TEMP 4.3.1 host mx1.test[127.0.0.11] said: 452 4.3.1 full "
		  "(in reply to end of DATA command)",
		  SEND_SITE_OK,
		  true },
		{ { ".", "554 5.6.0 bad" },
		  "PERM 5.6.0 host mx1.test[127.0.0.11] said: 554 5.6.0 bad "
		  "(in reply to end of DATA command)",
		  SEND_SITE_OK,
		  false },
	};
	struct world *w = *state;
	struct bed_reply replies[2] = { { 0 } };
	size_t i;

	w->set.cache_on_demand = false;
	w->server[0].replies = replies;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		replies[0] = rows[i].reply;
		w->server[0].nconns = w->server[1].nconns = 0;
		deliver(w, "b.test", NULL);
		assert_result(w, rows[i].alone, rows[i].site);
		if (strcmp(rows[i].reply.say, "close") != 0)
			assert_true(w->dialog[0]);
		assert_connections(w, 1, 0, 0, 0);
		w->server[0].nconns = 0;
		deliver(w, "a.test", NULL);
		assert_result(w, rows[i].next ? "OK" : "PERM", SEND_SITE_OK);
		assert_connections(w, 1, rows[i].next, 0, 0);
	}
	w->server[0].replies = NULL;
}

static void
test_limits(void **state)
{
	static const struct bed_reply later[] = { { "MAIL", "451 later" },
						  { 0 } };
	struct world *w = *state;

	/* Two sessions, then no more. */
	w->server[0].replies = w->server[1].replies = later;
	deliver(w, "a.test", NULL);
	assert_result(w, "TEMP", SEND_SITE_OK);
	assert_connections(w, 1, 1, 0, 0);
	/* Servers that cannot be reached do not count as sessions, but as
	 * addresses. */
	server_bed_close(&w->server[0]);
	server_bed_close(&w->server[1]);
	w->set.mx_address_limit = 2;
	deliver(w, "a.test", NULL);
	assert_result(w, "TEMP 4.4.1 connect to mx2.test[127.0.0.12]:",
		      SEND_SITE_FAILED);
	assert_connections(w, 1, 1, 0, 0);
	w->set.mx_address_limit = 3;
	deliver(w, "a.test", NULL);
	assert_result(w, "OK", SEND_SITE_OK);
}

static void
test_fallback(void **state)
{
	struct world *w = *state;
	char relay[64];

	w->set.fallback_relay = STR("[relay.test]");
	deliver(w, "lost.test", NULL);
	assert_result(w, "OK", SEND_SITE_OK);
	assert_false(w->end.kept);
	server_bed_close(&w->server[0]);
	deliver(w, "b.test", NULL);
	assert_result(w, "OK", SEND_SITE_OK);
	assert_connections(w, 0, 0, 0, 2);
	/* Not a reason to return mail. */
	w->set.fallback_relay = STR("nowhere.test");
	deliver(w, "lost.test", NULL);
	assert_result(w, "TEMP 4.3.5 Host or domain name not found.",
		      SEND_SITE_FAILED);
	w->set.fallback_relay = STR("");
	deliver(w, "nowhere.test", "r2@NoWhere.test");
	assert_result(w, "PERM 5.4.4 Host or domain name", SEND_SITE_UNKNOWN);
	/* Nor is what main.cf or a table says. */
	deliver(w, "nowhere.test", NULL);
	assert_result(w, "TEMP 4.3.5 Host or domain name", SEND_SITE_FAILED);
	/* A list is as good as a fallback. */
	(void)snprintf(relay, sizeof(relay), "lost.test, [relay.test]:%u",
		       w->set.port);
	deliver(w, relay, NULL);
	assert_result(w, "OK", SEND_SITE_OK);
}

static void
test_kept(void **state)
{
	struct world *w = *state;
	unsigned asked, i;

	deliver(w, "a.test", NULL);
	asked = w->dns.asked;
	for (i = 0; i < 5; i++) {
		deliver(w, "a.test", NULL);
		assert_result(w, "OK", SEND_SITE_OK);
		assert_int_equal(w->end.began_us, 0);
	}
	assert_int_equal(w->dns.asked, asked); /* nobody was asked */
	assert_connections(w, 1, 0, 0, 0);
	/* Another destination with the same server has its own. */
	deliver(w, "b.test", NULL);
	assert_connections(w, 2, 0, 0, 0);
	/* The server closes: nothing is lost, a new connection is made. */
	server_bed_hang_up(&w->server[0]);
	for (i = 0; i < 10; i++)
		turn(w);
	assert_int_equal(w->hub.kept.n, 0);
	deliver(w, "a.test", NULL);
	assert_result(w, "OK", SEND_SITE_OK);
	assert_connections(w, 3, 0, 0, 0);
	/* It closes just when the next letter is begun. */
	server_bed_hang_up(&w->server[0]);
	deliver(w, "a.test", NULL);
	assert_result(w, "OK", SEND_SITE_OK);
	assert_connections(w, 4, 0, 0, 0);
	assert_int_equal(w->server[0].mails, 9);
}

static void
test_kept_not(void **state)
{
	static const struct bed_reply last[] = { { ".", "421 4.3.2 no more" },
						 { 0 } };
	struct world *w = *state;

	w->set.reuse_count = 2;
	deliver(w, "a.test", NULL);
	assert_true(w->end.kept);
	deliver(w, "a.test", NULL);
	assert_false(w->end.kept);
	assert_connections(w, 1, 0, 0, 0);
	w->set.reuse_count = 0;
	w->set.cache_on_demand = false;
	deliver(w, "a.test", NULL);
	assert_false(w->end.kept);
	w->set.cache_destinations = STR("x.test, A.test");
	deliver(w, "a.test", NULL);
	assert_true(w->end.kept);
	w->set.reuse_ms = 1;
	deliver(w, "a.test", NULL);
	assert_false(w->end.kept);
	w->set.reuse_ms = 300000;
	w->set.cache_ms = 30;
	deliver(w, "a.test", NULL);
	assert_true(w->end.kept);
	usleep(50000);
	turn(w);
	turn(w);
	assert_int_equal(w->hub.kept.n, 0);
	/* 421: the connection is of no use any more. */
	w->server[0].replies = last;
	deliver(w, "b.test", NULL);
	assert_result(w, "TEMP 4.3.2", SEND_SITE_FAILED);
	assert_int_equal(w->hub.kept.n, 0);
}

/* A server that said "later" in a kept session is not asked the same again. */
static void
test_kept_then_next(void **state)
{
	static const struct bed_reply later[] = { { "RCPT", "450 4.2.0 later" },
						  { 0 } };
	struct world *w = *state;

	deliver(w, "a.test", NULL);
	w->server[0].replies = later;
	deliver(w, "a.test", NULL);
	assert_result(w, "OK", SEND_SITE_OK);
	assert_connections(w, 1, 1, 0, 0);
}

static void
test_tls_fails(void **state)
{
	static const struct bed_reply refused[] = {
		{ "EHLO", "250-mx.test\r\n250 STARTTLS" },
		{ "STARTTLS", "454 4.7.0 not now" },
		{ 0 },
	};
	static const struct bed_reply breaks[] = {
		{ "EHLO", "250-mx.test\r\n250 STARTTLS" },
		{ "STARTTLS", "220 go" },
		{ 0 },
	};
	struct world *w = *state;

	w->set.tls.level = TLS_MAY;
	w->set.tls.timeout_ms = 2000;
	w->server[0].replies = breaks;
	deliver(w, "b.test", NULL);
	assert_result(w, "OK", SEND_SITE_OK);
	assert_connections(w, 2, 0, 0, 0);
	w->server[0].replies = refused;
	w->set.cache_on_demand = false;
	kept_fini(&w->hub.kept);
	assert_int_equal(kept_init(&w->hub.kept, &w->loop, NULL), 0);
	deliver(w, "b.test", NULL);
	assert_result(w, "OK", SEND_SITE_OK);
	/* Where TLS is a must there is no such way out. */
	w->set.tls.level = TLS_ENCRYPT;
	w->server[0].nconns = 0;
	deliver(w, "b.test", NULL);
	assert_result(w, "TEMP 4.7", SEND_SITE_FAILED);
	assert_connections(w, 1, 0, 0, 0);
	/* Nor with a password to show. */
	w->set.tls.level = TLS_MAY;
	w->set.sasl.enable = true;
	w->sited = (struct msg_sited){ .has_auth = 1,
				       .user = STR("me"),
				       .password = STR("secret") };
	w->server[0].nconns = 0;
	deliver(w, "b.test", NULL);
	assert_result(w, "TEMP", SEND_SITE_FAILED);
	assert_connections(w, 1, 0, 0, 0);
	assert_int_equal(w->sites, 1);
}

/* A password that one address of a host refuses is not shown to the others,
 * where failed logins are counted. */
static void
test_login_fails(void **state)
{
	static const struct bed_reply no[] = {
		{ "EHLO", "250-mx.test\r\n250 AUTH PLAIN" },
		{ "AUTH", "535 5.7.8 wrong" },
		{ 0 },
	};
	struct world *w = *state;
	struct err err;

	assert_int_equal(sasl_preload(&err), 0);
	w->set.sasl.soft_bounce = true;
	w->set.sasl.enable = true;
	w->sited = (struct msg_sited){ .has_auth = 1,
				       .user = STR("me"),
				       .password = STR("secret") };
	w->server[0].replies = w->server[1].replies = no;
	w->server[2].replies = no;
	deliver(w, "[twin.test]", NULL);
	assert_result(w,
		      "TEMP 4.7.8 SASL authentication failed; server "
		      "twin.test[127.0.0.11] said: 535 5.7.8 wrong",
		      SEND_SITE_FAILED);
	assert_connections(w, 1, 0, 0, 0);
	deliver(w, "a.test", NULL); /* other hosts are asked */
	assert_result(w, "TEMP 4.7.8", SEND_SITE_FAILED);
	assert_connections(w, 2, 1, 1, 0);
}

static void
test_router(void **state)
{
	struct world *w = *state;

	w->set.tls.has_maps = true;
	w->sited.verdict = ROUTE_TEMP;
	w->sited.text = STR("Temporary lookup failure");
	deliver(w, "a.test", NULL);
	assert_result(w, "TEMP 4.3.0 Temporary lookup failure",
		      SEND_SITE_UNKNOWN);
	assert_int_equal(w->sites, 1);
	assert_connections(w, 0, 0, 0, 0);
	w->sited.verdict = ROUTE_OK;
	deliver(w, "a.test", NULL);
	assert_result(w, "OK", SEND_SITE_OK);
	deliver(w, "a.test", NULL);
	assert_int_equal(w->sites, 2);
	assert_string_equal(w->site_nexthop, "a.test");
	/* However a domain is written, it has one policy. */
	deliver(w, "b\xc3\xbc.test", NULL);
	assert_result(w, "OK", SEND_SITE_OK);
	assert_string_equal(w->site_nexthop, "xn--b-eha.test");
	chan_close(w->router);
	deliver(w, "b.test", NULL);
	assert_result(w, "TEMP 4.3.0 router is", SEND_SITE_UNKNOWN);
}

static void
test_ports(void **state)
{
	static const uint16_t ports[] = { 1, 2, 0 };
	struct world *w = *state;

	w->hub.ports = ports;
	deliver(w, "b.test", NULL);
	assert_result(w, "TEMP 4.4.1 connect to mx1.test[127.0.0.11]:",
		      SEND_SITE_UNKNOWN);
	assert_non_null(strstr(w->results, "is not among smtp_connect_ports"));
	assert_connections(w, 0, 0, 0, 0);
}

static void
test_no_dialer(void **state)
{
	struct world *w = *state;

	w->set.lmtp = true;
	deliver(w, "unix:/run/lmtp", NULL);
	assert_result(w,
		      "TEMP 4.4.1 connect to mail.test[/run/lmtp]: "
		      "dialer_sockets is empty",
		      SEND_SITE_UNKNOWN);
}

/* A server that says "later" may take it, whatever another one cannot do. */
static void
test_later_counts(void **state)
{
	static const struct bed_reply later[] = { { "RCPT", "450 4.2.0 later" },
						  { 0 } };
	static const struct bed_reply tiny[] = {
		{ "EHLO", "250-mx.test\r\n250 SIZE 1" }, { 0 }
	};
	struct world *w = *state;

	w->server[0].replies = later;
	w->server[1].replies = w->server[2].replies = tiny;
	deliver(w, "a.test", NULL);
	assert_result(w, "TEMP 4.2.0 host mx1.test", SEND_SITE_OK);
	deliver(w, "b.test, nowhere.test", NULL);
	assert_result(w, "TEMP 4.2.0 host mx1.test", SEND_SITE_OK);
	w->server[0].replies = tiny;
	deliver(w, "b.test", NULL);
	assert_result(w, "PERM 5.3.4 message size", SEND_SITE_OK);
	/* Nor what our own configuration keeps from trying. */
	deliver(w, "b.test, nowhere.test", NULL);
	assert_result(w, "TEMP 4.3.5 Host or domain name", SEND_SITE_OK);
}

/* Servers that are slow with everything do not keep a letter for ever. */
static void
test_late(void **state)
{
	static const struct bed_reply drag[] = { { "EHLO", "250 mx.test" },
						 { "RCPT", "250-and" },
						 { 0 } };
	struct world *w = *state;

	w->hub.within_ms = 1000;
	w->server[0].replies = drag;
	deliver(w, "a.test", NULL);
	assert_result(w, "TEMP 4.4.2 delivery is not done after 1 seconds",
		      SEND_SITE_FAILED);
	assert_non_null(strstr(w->dialog, "> RCPT TO:<r1@a.test>"));
	assert_connections(w, 1, 0, 0, 0);
}

/* Ended after each number of turns: nothing is left, and nobody is called. */
static void
test_cancel(void **state)
{
	struct world *w = *state;
	unsigned i, k;

	w->set.tls.has_maps = true;
	for (i = 0; i < 40; i++) {
		begin(w, "a.test", NULL);
		for (k = 0; k < i && !w->over; k++)
			turn(w);
		if (!w->over)
			delivery_cancel(w->delivery);
		w->delivery = NULL;
		w->over = false;
		for (k = 0; k < 5; k++)
			turn(w);
		assert_false(w->over);
		server_bed_hang_up(&w->server[0]);
		w->server[0].nconns = 0;
		for (k = 0; k < 5; k++)
			turn(w);
	}
	assert_int_equal(w->hub.kept.n, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_sent),		T(test_next_server),
		T(test_limits),		T(test_fallback),
		T(test_kept),		T(test_kept_not),
		T(test_kept_then_next), T(test_tls_fails),
		T(test_login_fails),	T(test_router),
		T(test_ports),		T(test_no_dialer),
		T(test_late),		T(test_later_counts),
		T(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
