/* SPDX-License-Identifier: ISC */
/* The asking side of dnsd with a service played here, and the readers of
 * records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "frame/dns_client.h"
#include "frame/no_daemon.h"

struct world {
	struct loop loop;
	struct dns_client *c;
	struct chan *dnsd; /* the service's end */
	unsigned asked, done;
	uint32_t tag; /* of the last question dnsd got */
	uint16_t type;
	char name[300];
	uint8_t status;
	char text[256];
	unsigned records;
	struct dns_client *free_in_done;
};

static void
on_question(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	    void *msg)
{
	struct world *w = arg;
	const struct msg_dns_query *m = msg;

	(void)c;
	assert_ptr_equal(def, &msg_dns_query_def);
	w->asked++;
	w->tag = tag;
	w->type = m->type;
	assert_true(str_copy(w->name, sizeof(w->name), m->name));
}

static void
on_closed(struct chan *c, void *arg)
{
	(void)c;
	((struct world *)arg)->dnsd = NULL;
}

static const struct chan_ops service_ops = { on_question, on_closed };

static void
on_done(void *arg, const struct msg_dns_answer *a)
{
	struct world *w = arg;

	w->done++;
	w->status = a->status;
	w->records = a->records.count;
	assert_true(str_copy(w->text, sizeof(w->text), a->text));
	if (w->free_in_done) {
		struct dns_client *c = w->free_in_done;

		w->free_in_done = NULL;
		w->c = NULL;
		dns_client_free(c);
	}
}

static void
turns(struct world *w)
{
	int i;

	for (i = 0; i < 10; i++)
		loop_turn(&w->loop, false);
}

static void
open_world(struct world *w)
{
	struct err err;
	int sv[2];

	*w = (struct world){ 0 };
	assert_int_equal(loop_init(&w->loop, &err), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	w->dnsd = chan_new(&w->loop, sv[1], &channels[CH_SMTP_DNSD],
			   CHAN_SERVICE, &service_ops, w);
	assert_non_null(w->dnsd);
	w->c = dns_client_new_fd(&w->loop, sv[0], &channels[CH_SMTP_DNSD]);
	assert_non_null(w->c);
}

static void
close_world(struct world *w)
{
	dns_client_free(w->c);
	if (w->dnsd)
		chan_close(w->dnsd);
	turns(w);
	loop_fini(&w->loop);
}

static void
answer(struct world *w, enum dns_status status)
{
	struct msg_dns_answer m = { .status = (uint8_t)status, .ttl = 60 };
	struct msg_dns_record r = { STR("\1\2\3\4") };
	struct err err;
	struct buf b;

	buf_init(&b, 100);
	if (status == DNS_OK)
		assert_int_equal(
			msg_list_add(&b, &msg_dns_record_def, &r, &err), 0);
	m.records = msg_list_of(&b, status == DNS_OK, &msg_dns_record_def);
	assert_int_equal(chan_send(w->dnsd, w->tag, &msg_dns_answer_def, &m),
			 0);
	buf_fini(&b);
	turns(w);
}

static void
test_answer(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_true(dns_ask(w.c, STR("example.org"), DNS_MX, on_done, &w));
	assert_int_equal(w.done, 0);
	turns(&w);
	assert_int_equal(w.asked, 1);
	assert_string_equal(w.name, "example.org");
	assert_int_equal(w.type, DNS_MX);
	answer(&w, DNS_OK);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.status, DNS_OK);
	assert_int_equal(w.records, 1);
	close_world(&w);
}

/* dnsd went away: nobody knows, and nothing more can be asked. */
static void
test_dnsd_gone(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_true(dns_ask(w.c, STR("a.example"), DNS_A, on_done, &w));
	assert_true(dns_ask(w.c, STR("b.example"), DNS_A, on_done, &w));
	turns(&w);
	chan_close(w.dnsd);
	w.dnsd = NULL;
	turns(&w);
	assert_int_equal(w.done, 2);
	assert_int_equal(w.status, DNS_TEMP);
	assert_string_equal(w.text, "no answer from dnsd");
	assert_int_equal(dns_ask(w.c, STR("c.example"), DNS_A, on_done, &w), 0);
	assert_int_equal(w.done, 2);
	close_world(&w);
}

static void
test_cancel(void **state)
{
	struct world w;
	uint32_t tag;

	(void)state;
	open_world(&w);
	tag = dns_ask(w.c, STR("a.example"), DNS_A, on_done, &w);
	turns(&w);
	dns_cancel(w.c, tag);
	dns_cancel(w.c, tag); /* and once more */
	dns_cancel(w.c, 0);
	answer(&w, DNS_OK);
	assert_int_equal(w.done, 0);
	close_world(&w);
}

static void
test_free_in_done(void **state)
{
	struct world w;

	(void)state;
	open_world(&w);
	assert_true(dns_ask(w.c, STR("a.example"), DNS_A, on_done, &w));
	assert_true(dns_ask(w.c, STR("b.example"), DNS_A, on_done, &w));
	turns(&w);
	w.free_in_done = w.c;
	answer(&w, DNS_NXDOMAIN);
	/* The other one was told as well. */
	assert_int_equal(w.done, 2);
	close_world(&w);
}

/* What no message can hold is asked as what is no name: dnsd says BAD. */
static void
test_unspeakable(void **state)
{
	char longest[400];
	struct str names[] = { { longest, 254 },
			       { longest, 255 },
			       STR("a\nb"),
			       STR("a\rb"),
			       STR("a\0b") };
	struct world w;
	size_t i;

	(void)state;
	memset(longest, 'a', sizeof(longest));
	open_world(&w);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(dns_ask(w.c, names[i], DNS_A, on_done, &w));
		turns(&w);
		assert_int_equal(w.asked, i + 1);
		assert_int_equal(strlen(w.name), i ? 0 : 254);
		answer(&w, DNS_BAD);
		assert_int_equal(w.done, i + 1);
	}
	close_world(&w);
}

/* --- records ------------------------------------------------------------- */

/* Labels of 63 a's and 61 of them at the end: the longest name. */
static size_t
longest_name(char wire[300], unsigned last)
{
	static const unsigned full = 63;
	size_t n = 0;
	unsigned i, len;

	for (i = 0; i < 4; i++) {
		len = i < 3 ? full : last;
		wire[n++] = (char)len;
		memset(wire + n, 'a', len);
		n += len;
	}
	wire[n++] = '\0';
	return n;
}

static void
test_get_name(void **state)
{
	static const struct {
		struct str in;
		const char *want; /* NULL: faulty */
		size_t rest;
	} rows[] = {
		{ { "\0", 1 }, ".", 0 },
		{ { "\2mx\7Example\3org\0", 16 }, "mx.Example.org", 0 },
		{ { "\2mx\0tail", 8 }, "mx", 4 },
		{ { "\4_25_\1-\0", 8 }, "_25_.-", 0 },
		{ { "", 0 }, NULL, 0 },
		{ { "\2mx", 3 }, NULL, 0 },
		{ { "\3mx\0", 4 }, NULL, 0 },
		{ { "\300\0", 2 }, NULL, 0 },
		{ { "\2m \0", 4 }, NULL, 0 },
		{ { "\2m.\0", 4 }, NULL, 0 },
		{ { "\2m\0\0", 4 }, NULL, 0 },
		{ { "\2m\n\0", 4 }, NULL, 0 },
		{ { "\2m\377\0", 4 }, NULL, 0 },
	};
	char name[DNS_NAME_MAX + 1], wire[300];
	struct str in;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		in = rows[i].in;
		assert_int_equal(dns_get_name(&in, name),
				 rows[i].want ? 0 : -1);
		if (!rows[i].want) {
			assert_int_equal(in.n, rows[i].in.n);
			continue;
		}
		assert_string_equal(name, rows[i].want);
		assert_int_equal(in.n, rows[i].rest);
	}
	in = str_mem(wire, longest_name(wire, 61));
	assert_int_equal(dns_get_name(&in, name), 0);
	assert_int_equal(strlen(name), DNS_NAME_MAX);
	in = str_mem(wire, longest_name(wire, 62));
	assert_int_equal(dns_get_name(&in, name), -1);
}

static void
test_get_mx(void **state)
{
	struct dns_mx mx;

	(void)state;
	assert_int_equal(dns_get_mx(str_mem("\1\2\2mx\0", 6), &mx), 0);
	assert_int_equal(mx.preference, 258);
	assert_string_equal(mx.host, "mx");
	/* RFC 7505 3 */
	assert_int_equal(dns_get_mx(str_mem("\0\0\0", 3), &mx), 0);
	assert_int_equal(mx.preference, 0);
	assert_string_equal(mx.host, ".");
	assert_int_equal(dns_get_mx(str_mem("\1\2\2mx\0x", 7), &mx), -1);
	assert_int_equal(dns_get_mx(str_mem("\1\2\2mx", 5), &mx), -1);
	assert_int_equal(dns_get_mx(str_mem("\1\2", 2), &mx), -1);
	assert_int_equal(dns_get_mx(str_mem("\1", 1), &mx), -1);
}

static void
test_get_addr(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;

	(void)state;
	assert_int_equal(dns_get_addr(DNS_A, STR("\300\0\2\1"), &a), 0);
	assert_string_equal(addr_text_port(&a, text), "192.0.2.1:0");
	assert_int_equal(dns_get_addr(DNS_AAAA,
				      STR(" \1\r\270\0\0\0\0\0\0\0\0\0\0\0\1"),
				      &a),
			 0);
	assert_string_equal(addr_text_port(&a, text), "[2001:db8::1]:0");
	assert_int_equal(dns_get_addr(DNS_AAAA, STR("\1\2\3\4"), &a), -1);
	assert_int_equal(dns_get_addr(DNS_A, STR("\1\2\3"), &a), -1);
	assert_int_equal(dns_get_addr(DNS_MX, STR("\1\2\3\4"), &a), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_dnsd_gone),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_free_in_done),
		cmocka_unit_test(test_unspeakable),
		cmocka_unit_test(test_get_name),
		cmocka_unit_test(test_get_mx),
		cmocka_unit_test(test_get_addr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
