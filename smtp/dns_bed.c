/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <setjmp.h>

#include <cmocka.h>

#include "dns_bed.h"
#include "frame/msg_dnsd.h"

static const struct {
	const char *name;
	enum dns_type type;
} types[] = { { "A", DNS_A }, { "AAAA", DNS_AAAA }, { "MX", DNS_MX } };

static const char *
type_text(unsigned type)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return types[i].name;
	fail_msg("type %u", type);
	return NULL;
}

static void
put_name(struct buf *b, struct str name)
{
	struct str label;

	while (str_token(&name, ".", &label)) {
		(void)buf_add_byte(b, (char)label.n);
		(void)buf_add_str(b, label);
	}
	(void)buf_add_byte(b, '\0');
}

static void
add_record(struct buf *list, unsigned type, struct str value)
{
	struct msg_dns_record r;
	struct str number;
	struct addr a;
	struct buf b;
	uint64_t n;

	buf_init(&b, 512);
	if (type == DNS_MX) {
		assert_true(str_token(&value, " ", &number));
		assert_int_equal(str_u64(number, 65535, &n), 0);
		(void)buf_add_byte(&b, (char)(n >> 8));
		(void)buf_add_byte(&b, (char)n);
		put_name(&b, str_trim(value));
	} else {
		assert_int_equal(addr_parse(value, &a, NULL), 0);
		if (type == DNS_A)
			(void)buf_add(&b, &a.in.sin_addr, 4);
		else
			(void)buf_add(&b, &a.in6.sin6_addr, 16);
	}
	r.rdata = buf_str(&b);
	assert_int_equal(msg_list_add(list, &msg_dns_record_def, &r, NULL), 0);
	buf_fini(&b);
}

static void
on_query(struct chan *c, void *arg, uint32_t tag, const struct msg_def *def,
	 void *msg)
{
	const struct msg_dns_query *q = msg;
	struct msg_dns_answer m = { .status = DNS_NXDOMAIN, .ttl = 60 };
	struct dns_bed *bed = arg;
	struct str rest = str_of(bed->zone), line, name, type;
	size_t used = strlen(bed->log);
	struct buf list;
	uint32_t n = 0;

	(void)def;
	bed->asked++;
	(void)snprintf(bed->log + used, sizeof(bed->log) - used, "%s%.*s/%s",
		       used ? " " : "", STR_FMT(q->name), type_text(q->type));
	if (bed->answers && bed->asked > bed->answers)
		return;
	buf_init(&list, 32768);
	while (str_token(&rest, "\n", &line)) {
		if (!str_token(&line, " ", &name) ||
		    !str_token(&line, " ", &type) || !str_ieq(name, q->name))
			continue;
		if (m.status == DNS_NXDOMAIN)
			m.status = DNS_NODATA;
		if (!str_eq(type, str_of(type_text(q->type))))
			continue;
		line = str_trim(line);
		if (str_starts(line, STR("temp"))) {
			m.status = DNS_TEMP;
			m.text = str_trim(str_from(line, 4));
		} else if (str_starts(line, STR("bad"))) {
			m.status = DNS_BAD;
			m.text = str_trim(str_from(line, 3));
		} else {
			m.status = DNS_OK;
			add_record(&list, q->type, line);
			n++;
		}
	}
	m.records = msg_list_of(&list, n, &msg_dns_record_def);
	assert_int_equal(chan_send(c, tag, &msg_dns_answer_def, &m), 0);
	buf_fini(&list);
}

static void
on_close(struct chan *c, void *arg)
{
	(void)c;
	((struct dns_bed *)arg)->chan = NULL;
}

static const struct chan_ops ops = { on_query, on_close };

void
dns_bed_init(struct dns_bed *b, struct loop *l, const char *zone)
{
	int fds[2];

	*b = (struct dns_bed){ .zone = zone };
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	b->chan = chan_new(l, fds[0], &channels[CH_SMTP_DNSD], CHAN_SERVICE,
			   &ops, b);
	b->client = dns_client_new_fd(l, fds[1], &channels[CH_SMTP_DNSD]);
	assert_non_null(b->chan);
	assert_non_null(b->client);
}

void
dns_bed_fini(struct dns_bed *b)
{
	if (b->chan)
		chan_close(b->chan);
	b->chan = NULL;
	dns_client_free(b->client);
}
