/* SPDX-License-Identifier: ISC */
/*
 * dnsd with libunbound, on one loop with an asker and a name server that are
 * played here.  The name server answers questions by the first label of the
 * name: "here" (A 192.0.2.1), "none" (NXDOMAIN), "fail" (SERVFAIL), "hold" (no
 * answer until it is let go).
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "dnsd.h"

#include "frame/dns_client.h"
#include "frame/no_daemon.h"

enum { PACKET_MAX = 1500, HELD_MAX = 64, TYPE_DNSKEY = 48 };

/* --- the name server ------------------------------------------------------ */

struct held {
	struct sockaddr_storage from;
	socklen_t len;
	size_t n;
	char packet[PACKET_MAX];
};

struct server {
	int fd;
	struct event *ev;
	struct addr addr;
	bool hold; /* what "hold" is answered with: nothing, or as "here" */
	unsigned asked, keys;
	unsigned nheld;
	struct held held[HELD_MAX];
};

static void
reply(struct server *s, const struct held *h)
{
	static const char a[] = "\300\14\0\1\0\1\0\0\0\74\0\4\300\0\2\1";
	char out[PACKET_MAX + sizeof(a)];
	bool here = h->packet[13] == 'h';
	size_t at = 12;

	while (h->packet[at])
		at += 1 + (size_t)h->packet[at];
	at += 5; /* the root, type and class */
	memcpy(out, h->packet, at);
	out[2] = (char)0x81; /* QR RD */
	out[3] = (char)0x80; /* RA */
	memset(out + 6, 0, 6);
	if (here) {
		out[7] = 1;
		memcpy(out + at, a, sizeof(a) - 1);
		at += sizeof(a) - 1;
	} else {
		out[3] |= h->packet[13] == 'n' ? 3 : 2;
	}
	assert_int_equal(sendto(s->fd, out, at, 0,
				(const struct sockaddr *)&h->from, h->len),
			 at);
}

static bool
take_packet(struct server *s)
{
	struct held h = { .len = sizeof(h.from) };
	ssize_t n = recvfrom(s->fd, h.packet, sizeof(h.packet), MSG_DONTWAIT,
			     (struct sockaddr *)&h.from, &h.len);
	size_t at = 12;

	if (n < 17)
		return false;
	h.n = (size_t)n;
	while (h.packet[at])
		at += 1 + (size_t)h.packet[at];
	s->asked++;
	s->keys += h.packet[at + 2] == TYPE_DNSKEY;
	if (!s->hold || memcmp(h.packet + 13, "hold", 4) != 0)
		reply(s, &h);
	else if (s->nheld < HELD_MAX)
		s->held[s->nheld++] = h;
	return true;
}

static void
on_packet(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	while (take_packet(arg))
		;
}

static void
server_open(struct server *s, struct loop *l)
{
	socklen_t len = sizeof(s->addr);

	*s = (struct server){ .hold = true };
	assert_int_equal(addr_parse_port(STR("127.0.0.1:0"), &s->addr, NULL),
			 0);
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->fd, &s->addr.sa, sizeof(s->addr.in)), 0);
	assert_int_equal(getsockname(s->fd, &s->addr.sa, &len), 0);
	s->ev = event_new(l->base, s->fd, EV_READ | EV_PERSIST, on_packet, s);
	assert_int_equal(event_add(s->ev, NULL), 0);
}

static void
server_let_go(struct server *s)
{
	s->hold = false;
	while (s->nheld)
		reply(s, &s->held[--s->nheld]);
}

static void
server_close(struct server *s)
{
	event_free(s->ev);
	close(s->fd);
}

/* --- the world ------------------------------------------------------------ */

struct world {
	struct loop loop;
	struct dnsd dnsd;
	struct dnsd_conf conf;
	struct server server, other;
	struct dns_client *client;
	struct event *tick; /* so that no turn waits for long */
	unsigned done;
	unsigned by_status[DNS_BAD + 1];
	char text[256];
};

static void
on_done(void *arg, const struct msg_dns_answer *a)
{
	struct world *w = arg;

	w->done++;
	w->by_status[a->status]++;
	assert_true(str_copy(w->text, sizeof(w->text), a->text));
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static struct dns_client *
client(struct world *w)
{
	struct dns_client *c;
	int sv[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	dnsd_peer(&w->dnsd, &channels[CH_SMTP_DNSD], sv[0]);
	c = dns_client_new_fd(&w->loop, sv[1], &channels[CH_SMTP_DNSD]);
	assert_non_null(c);
	return c;
}

static void
open_world(struct world *w)
{
	struct timeval tv = { 0, 10000 };
	struct err err;

	*w = (struct world){ 0 };
	assert_int_equal(loop_init(&w->loop, &err), 0);
	w->tick = event_new(w->loop.base, -1, EV_PERSIST, on_tick, NULL);
	assert_int_equal(event_add(w->tick, &tv), 0);
	server_open(&w->server, &w->loop);
	server_open(&w->other, &w->loop);
	assert_int_equal(dnsd_init(&w->dnsd, &w->loop, &err), 0);
	w->conf = (struct dnsd_conf){ .mode = DNSD_FORWARD,
				      .timeout_ms = 5000,
				      .cache = 1 << 20 };
	w->conf.servers = (struct resolv){ { w->server.addr }, 1 };
	dnsd_configure(&w->dnsd, &w->conf);
	w->client = client(w);
}

static void
close_world(struct world *w)
{
	int i;

	dnsd_fini(&w->dnsd);
	dns_client_free(w->client);
	for (i = 0; i < 5; i++)
		loop_turn(&w->loop, false);
	event_free(w->tick);
	server_close(&w->server);
	server_close(&w->other);
	loop_fini(&w->loop);
}

static uint32_t
ask(struct world *w, const char *name)
{
	uint32_t tag = dns_ask(w->client, str_of(name), DNS_A, on_done, w);

	assert_int_not_equal(tag, 0);
	return tag;
}

/* Turn until *n reaches want. */
static void
until(struct world *w, const unsigned *n, unsigned want)
{
	uint64_t end = clock_mono_ms() + 20000;

	while (*n < want) {
		assert_true(clock_mono_ms() < end);
		loop_turn(&w->loop, true);
	}
}

static void
turns(struct world *w, unsigned n)
{
	while (n--)
		loop_turn(&w->loop, true);
}

static void
hand_over(struct world *w, const char *name, const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fcntl(fd, F_ADD_SEALS,
			       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
			 0);
	dnsd_table(&w->dnsd, str_of(name), fd);
}

/* --- tests ---------------------------------------------------------------- */

static void
test_verdicts(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	ask(&w, "here.example");
	ask(&w, "none.example");
	ask(&w, "fail.example");
	ask(&w, "a..example");
	until(&w, &w.done, 4);
	assert_int_equal(w.by_status[DNS_OK], 1);
	assert_int_equal(w.by_status[DNS_NXDOMAIN], 1);
	assert_int_equal(w.by_status[DNS_TEMP], 1);
	assert_int_equal(w.by_status[DNS_BAD], 1);
	assert_int_equal(w.dnsd.running, 0);
	assert_int_equal(w.dnsd.questions, 0);
	assert_int_equal(w.dnsd.shared.n, 0);
	close_world(&w);
}

/* One question of the name server for all that ask the same. */
static void
test_shared(void **state)
{
	struct world w;
	unsigned asked;
	int i;

	(void)state;
	open_world(&w);
	for (i = 0; i < 100; i++)
		ask(&w, i % 2 ? "hold.example" : "HOLD.example.");
	until(&w, &w.server.nheld, 1);
	until(&w, &w.dnsd.questions, 100);
	assert_int_equal(w.dnsd.running, 1);
	assert_int_equal(w.done, 0);
	server_let_go(&w.server);
	until(&w, &w.done, 100);
	assert_int_equal(w.by_status[DNS_OK], 100);
	asked = w.server.asked;
	/* From the cache, which settings that are the same do not empty:
	 * answered from inside of asking. */
	dnsd_configure(&w.dnsd, &w.conf);
	turns(&w, 2);
	for (i = 0; i < 100; i++)
		ask(&w, "hold.example");
	until(&w, &w.done, 200);
	assert_int_equal(w.server.asked, asked);
	close_world(&w);
}

/* The deadline is the question's; the flight goes on, and is joined again. */
static void
test_too_late(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	w.conf.timeout_ms = 1500;
	dnsd_configure(&w.dnsd, &w.conf);
	turns(&w, 5);
	ask(&w, "hold.example");
	until(&w, &w.done, 1);
	assert_int_equal(w.by_status[DNS_TEMP], 1);
	assert_string_equal(w.text, "no answer from the name servers in time");
	assert_int_equal(w.dnsd.running, 1);
	assert_int_equal(w.dnsd.questions, 0);
	ask(&w, "hold.example");
	turns(&w, 5);
	assert_int_equal(w.dnsd.running, 1);
	assert_int_equal(w.dnsd.questions, 1);
	server_let_go(&w.server);
	until(&w, &w.done, 2);
	assert_int_equal(w.by_status[DNS_OK], 1);
	assert_int_equal(w.dnsd.running, 0);
	close_world(&w);
}

/* An asker that goes away takes nobody with it. */
static void
test_asker_goes(void **state)
{
	struct dns_client *second;
	struct world w;
	unsigned before;

	(void)state;
	open_world(&w);
	second = client(&w);
	assert_int_not_equal(
		dns_ask(second, STR("hold.example"), DNS_A, on_done, &w), 0);
	ask(&w, "hold.example");
	until(&w, &w.server.nheld, 1);
	dns_client_free(second); /* answers its own as TEMP */
	before = w.done;
	turns(&w, 5);
	server_let_go(&w.server);
	until(&w, &w.done, before + 1);
	assert_int_equal(w.by_status[DNS_OK], 1);
	assert_int_equal(w.dnsd.questions, 0);
	close_world(&w);
}

/* More than libunbound gets at once: the rest waits, and is asked later. */
static void
test_many(void **state)
{
	struct dns_client *clients[6];
	struct world w;
	char name[64];
	unsigned i, n = 6 * 1000;

	(void)state;
	open_world(&w);
	for (i = 0; i < 6; i++)
		clients[i] = client(&w);
	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "h%u.example", i);
		assert_int_not_equal(dns_ask(clients[i % 6], str_of(name),
					     DNS_A, on_done, &w),
				     0);
	}
	until(&w, &w.done, n);
	assert_int_equal(w.by_status[DNS_OK] + w.by_status[DNS_TEMP], n);
	assert_int_equal(w.by_status[DNS_OK], n);
	assert_int_equal(w.dnsd.running, 0);
	assert_int_equal(w.dnsd.questions, 0);
	for (i = 0; i < 6; i++)
		dns_client_free(clients[i]);
	close_world(&w);
}

/* Other name servers: new questions go there, old ones end where they are. */
static void
test_edition_changes(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	ask(&w, "hold.example");
	until(&w, &w.server.nheld, 1);
	w.conf.servers.v[0] = w.other.addr;
	dnsd_configure(&w.dnsd, &w.conf);
	turns(&w, 5);
	assert_false(list_empty(&w.dnsd.old));
	ask(&w, "hold.example");
	until(&w, &w.other.nheld, 1);
	assert_int_equal(w.dnsd.running, 2);
	server_let_go(&w.other);
	until(&w, &w.done, 1);
	assert_false(list_empty(&w.dnsd.old));
	server_let_go(&w.server);
	until(&w, &w.done, 2);
	assert_int_equal(w.by_status[DNS_OK], 2);
	turns(&w, 2);
	assert_true(list_empty(&w.dnsd.old));
	assert_int_equal(w.dnsd.running, 0);
	close_world(&w);
}

/* An old edition nobody waits for is gone, with what it asked. */
static void
test_old_flight_is_dropped(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	w.conf.timeout_ms = 1500;
	dnsd_configure(&w.dnsd, &w.conf);
	turns(&w, 5);
	ask(&w, "hold.example");
	until(&w, &w.server.nheld, 1);
	w.conf.servers.v[0] = w.other.addr;
	dnsd_configure(&w.dnsd, &w.conf);
	turns(&w, 1);
	assert_false(list_empty(&w.dnsd.old));
	until(&w, &w.done, 1);
	turns(&w, 2);
	assert_true(list_empty(&w.dnsd.old));
	assert_int_equal(w.dnsd.running, 0);
	close_world(&w);
}

static void
test_resolv_conf(void **state)
{
	char line[128], addr[ADDR_TEXT_MAX];
	struct world w;

	(void)state;
	open_world(&w);
	w.conf.servers.n = 0;
	dnsd_configure(&w.dnsd, &w.conf);
	(void)snprintf(line, sizeof(line), "nameserver %s\n",
		       addr_text_port(&w.other.addr, addr));
	hand_over(&w, "resolv_conf", line);
	ask(&w, "here.example");
	until(&w, &w.done, 1);
	assert_int_equal(w.by_status[DNS_OK], 1);
	assert_int_equal(w.server.asked, 0);
	assert_int_not_equal(w.other.asked, 0);
	close_world(&w);
}

static void
test_hosts(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	hand_over(&w, "hosts", "192.0.2.9 none.example\n");
	ask(&w, "None.example");
	until(&w, &w.done, 1);
	assert_int_equal(w.by_status[DNS_OK], 1);
	assert_int_equal(w.server.asked, 0);
	hand_over(&w, "hosts", "");
	ask(&w, "none.example");
	until(&w, &w.done, 2);
	assert_int_equal(w.by_status[DNS_NXDOMAIN], 1);
	close_world(&w);
}

/* This name server knows no DNSSEC: the question waits until that is found,
 * and is answered. */
static void
test_no_dnssec(void **state)
{
	static const char anchor[] =
		"none.example. IN DS 12345 13 2 0123456789abcdef0123456789abcd"
		"ef0123456789abcdef0123456789abcdef\n";
	struct world w;

	(void)state;
	open_world(&w);
	hand_over(&w, "dns_anchors", anchor);
	ask(&w, "none.example");
	until(&w, &w.done, 1);
	assert_true(w.server.keys > 0);
	assert_int_equal(w.by_status[DNS_NXDOMAIN], 1);
	assert_true(w.dnsd.no_dnssec);
	assert_true(w.dnsd.warned);
	close_world(&w);
}

/* Keys that are none are left out, with an error in the log. */
static void
test_bad_anchors(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	hand_over(&w, "dns_anchors", "example. IN DS what is this\n");
	ask(&w, "here.example");
	until(&w, &w.done, 1);
	assert_int_equal(w.by_status[DNS_OK], 1);
	close_world(&w);
}

/* Nobody to ask: the settings of before stay; without any, nobody knows. */
static void
test_no_servers(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	w.conf.servers.n = 0;
	dnsd_configure(&w.dnsd, &w.conf);
	ask(&w, "here.example");
	until(&w, &w.done, 1);
	assert_int_equal(w.by_status[DNS_TEMP], 1);
	assert_string_equal(w.text, "the resolver cannot be set up");
	close_world(&w);
}

/* It ends while questions are open, and while one waits for the probe. */
static void
test_ends_in_between(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	ask(&w, "hold.example");
	until(&w, &w.server.nheld, 1);
	w.conf.servers.v[0] = w.other.addr;
	dnsd_configure(&w.dnsd, &w.conf);
	ask(&w, "hold.example");
	until(&w, &w.other.nheld, 1);
	close_world(&w);
	open_world(&w);
	hand_over(&w, "dns_anchors",
		  "hold.example. IN DS 12345 13 2 0123456789abcdef0123456789abc"
		  "def0123456789abcdef0123456789abcdef\n");
	ask(&w, "here.example");
	until(&w, &w.server.nheld, 1);
	turns(&w, 3);
	assert_int_equal(w.done, 0);
	close_world(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_asker_goes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_edition_changes),
		cmocka_unit_test(test_old_flight_is_dropped),
		cmocka_unit_test(test_resolv_conf),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_no_dnssec),
		cmocka_unit_test(test_bad_anchors),
		cmocka_unit_test(test_no_servers),
		cmocka_unit_test(test_ends_in_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
