/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "answer.h"
#include "frame/dns_client.h"

enum {
	HEAD = 12,
	WIRE_NAME_MAX = 255,
	RCODE_NXDOMAIN = 3,
	CLASS_IN = 1,
	NO_ANSWER_TTL = 60, /* without a SOA that says it */
};

/* A name in wire form, lower case, uncompressed. */
struct wire_name {
	size_t n;
	char b[WIRE_NAME_MAX];
};

struct packet {
	struct str s;
	size_t at;
};

struct rr {
	struct wire_name owner;
	uint16_t type, class;
	uint32_t ttl;
	size_t data, end; /* of the rdata */
};

void
answer_init(struct answer *a)
{
	*a = (struct answer){ 0 };
	/* Each record has a length before it. */
	buf_init(&a->records, DNS_ANSWER_MAX + DNS_RECORDS_MAX * 4);
}

void
answer_fini(struct answer *a)
{
	buf_fini(&a->records);
}

void
answer_fail(struct answer *a, enum dns_status status, const char *fmt, ...)
{
	va_list ap;
	char *p;

	a->status = status;
	a->n = 0;
	buf_reset(&a->records);
	va_start(ap, fmt);
	(void)vsnprintf(a->text, sizeof(a->text), fmt, ap);
	va_end(ap);
	for (p = a->text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

int
answer_add(struct answer *a, struct str rdata)
{
	struct msg_dns_record r = { rdata };

	if (a->n == DNS_RECORDS_MAX || rdata.n > DNS_RDATA_MAX ||
	    a->records.n + rdata.n > DNS_ANSWER_MAX ||
	    msg_list_add(&a->records, &msg_dns_record_def, &r, NULL) < 0)
		return -1;
	a->n++;
	return 0;
}

const char *
answer_rcode(unsigned rcode)
{
	/* RFC 1035 4.1.1 */
	static const char *const names[] = { "NOERROR",	 "FORMERR", "SERVFAIL",
					     "NXDOMAIN", "NOTIMP",  "REFUSED" };

	return rcode < sizeof(names) / sizeof(names[0]) ? names[rcode]
							: "an error";
}

/* --- reading ------------------------------------------------------------- */

static unsigned
byte_at(const struct packet *p, size_t at)
{
	return (unsigned char)p->s.p[at];
}

static unsigned
u16_at(const struct packet *p, size_t at)
{
	return byte_at(p, at) << 8 | byte_at(p, at + 1);
}

static uint32_t
u32_at(const struct packet *p, size_t at)
{
	return (uint32_t)u16_at(p, at) << 16 | u16_at(p, at + 2);
}

/* RFC 1035 4.1.4.  Each pointer leads to before the labels it stands behind,
 * so that they come to an end. */
static int
get_name(struct packet *p, struct wire_name *name)
{
	size_t at = p->at, start = at, i, len;
	bool jumped = false;

	name->n = 0;
	for (;;) {
		if (at >= p->s.n)
			return -1;
		len = byte_at(p, at);
		if ((len & 0xc0) == 0xc0) {
			if (at + 2 > p->s.n)
				return -1;
			if (!jumped)
				p->at = at + 2;
			jumped = true;
			at = u16_at(p, at) & 0x3fff;
			if (at >= start)
				return -1;
			start = at;
			continue;
		}
		if (len > 63 || at + 1 + len > p->s.n ||
		    name->n + 1 + len > WIRE_NAME_MAX)
			return -1;
		name->b[name->n++] = (char)len;
		for (i = 0; i < len; i++)
			name->b[name->n++] = ascii_lower(p->s.p[at + 1 + i]);
		at += 1 + len;
		if (len == 0)
			break;
	}
	if (!jumped)
		p->at = at;
	return 0;
}

static struct str
name_str(const struct wire_name *name)
{
	return str_mem(name->b, name->n);
}

static int
get_rr(struct packet *p, struct rr *rr)
{
	if (get_name(p, &rr->owner) < 0 || p->at + 10 > p->s.n)
		return -1;
	rr->type = (uint16_t)u16_at(p, p->at);
	rr->class = (uint16_t)u16_at(p, p->at + 2);
	rr->ttl = u32_at(p, p->at + 4);
	if (rr->ttl > INT32_MAX) /* RFC 2181 8 */
		rr->ttl = 0;
	rr->data = p->at + 10;
	rr->end = rr->data + u16_at(p, p->at + 8);
	p->at = rr->end;
	return rr->end > p->s.n ? -1 : 0;
}

/* A name that is all of the rdata from this offset on. */
static int
get_rdata_name(const struct packet *p, const struct rr *rr, size_t skip,
	       struct wire_name *name)
{
	struct packet in = { str_head(p->s, rr->end), rr->data + skip };

	if (in.at > rr->end || get_name(&in, name) < 0)
		return -1;
	return in.at == rr->end ? 0 : -1;
}

/* What is there is true, so that a record too many is left out. */
static int
take_record(struct answer *a, const struct packet *p, const struct rr *rr,
	    bool *left_out)
{
	char text[2 + WIRE_NAME_MAX];
	struct wire_name name;
	struct str rdata = str_mem(p->s.p + rr->data, rr->end - rr->data);
	size_t skip = rr->type == DNS_MX ? 2 : 0;

	switch (rr->type) {
	case DNS_MX:
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		if (get_rdata_name(p, rr, skip, &name) < 0)
			return -1;
		memcpy(text, rdata.p, skip);
		memcpy(text + skip, name.b, name.n);
		rdata = str_mem(text, skip + name.n);
		break;
	case DNS_A:
		if (rdata.n != 4)
			return -1;
		break;
	case DNS_AAAA:
		if (rdata.n != 16)
			return -1;
		break;
	default:
		break;
	}
	*left_out |= answer_add(a, rdata) < 0;
	return 0;
}

static int
read_answers(struct answer *a, struct packet *p, unsigned count, uint16_t type,
	     struct wire_name *name, bool *left_out)
{
	struct rr rr;

	for (; count; count--) {
		if (get_rr(p, &rr) < 0)
			return -1;
		if (rr.class != CLASS_IN ||
		    !str_eq(name_str(&rr.owner), name_str(name)))
			continue;
		if (rr.type != type && rr.type != DNS_CNAME)
			continue;
		if (rr.ttl < a->ttl)
			a->ttl = rr.ttl;
		if (rr.type == type) {
			if (take_record(a, p, &rr, left_out) < 0)
				return -1;
		} else {
			struct str target;

			if (get_rdata_name(p, &rr, 0, name) < 0)
				return -1;
			target = name_str(name);
			if (dns_get_name(&target, a->canonical) < 0)
				a->canonical[0] = '\0';
		}
	}
	return 0;
}

/* How long there will be nothing: RFC 2308 5.  -1: the name server only refers
 * to others (2.2), which says nothing about the name. */
static int
negative_ttl(struct packet *p, unsigned count, uint32_t *ttl, bool *soa)
{
	bool refers = false;
	uint32_t least;
	struct rr rr;

	*ttl = NO_ANSWER_TTL;
	*soa = false;
	for (; count; count--) {
		if (get_rr(p, &rr) < 0)
			return -1;
		refers |= rr.type == DNS_NS;
		if (rr.type != ANSWER_SOA || rr.end - rr.data < 22)
			continue;
		least = u32_at(p, rr.end - 4);
		*ttl = least < rr.ttl ? least : rr.ttl;
		*soa = true;
		return 0;
	}
	return refers ? -1 : 0;
}

static int
read_negative(struct answer *a, struct packet *p, bool exists)
{
	uint32_t ttl;
	bool soa;

	if (negative_ttl(p, u16_at(p, 8), &ttl, &soa) < 0 && exists) {
		answer_fail(a, DNS_TEMP,
			    "the name server refers to others (lame)");
		return 0;
	}
	a->status = exists ? DNS_NODATA : DNS_NXDOMAIN;
	a->unproved = exists && !soa;
	if (ttl < a->ttl)
		a->ttl = ttl;
	return 0;
}

static int
read_packet(struct answer *a, struct packet *p, uint16_t type)
{
	unsigned rcode = byte_at(p, 3) & 15, answers = u16_at(p, 6);
	struct wire_name name;
	bool left_out = false;

	if (!(byte_at(p, 2) & 0x80) || u16_at(p, 4) != 1)
		return -1;
	if (rcode != 0 && rcode != RCODE_NXDOMAIN) {
		answer_fail(a, DNS_TEMP, "%s from the name server",
			    answer_rcode(rcode));
		return 0;
	}
	p->at = HEAD;
	if (get_name(p, &name) < 0 || p->at + 4 > p->s.n)
		return -1;
	p->at += 4;
	a->ttl = UINT32_MAX;
	if (read_answers(a, p, answers, type, &name, &left_out) < 0)
		return -1;
	if (rcode && (a->n || left_out))
		return -1; /* it exists and does not */
	if (a->n == 0 && left_out) {
		answer_fail(a, DNS_TEMP, "the answer is too large");
		return 0;
	}
	if (a->n == 0)
		return read_negative(a, p, rcode == 0);
	a->status = DNS_OK;
	return 0;
}

void
answer_read(struct answer *a, struct str packet, uint16_t type)
{
	struct packet p = { packet, 0 };

	if (packet.n < HEAD || read_packet(a, &p, type) < 0)
		answer_fail(a, DNS_TEMP,
			    "the name server's answer cannot be read");
	if (a->status == DNS_TEMP) {
		a->ttl = 0;
		a->canonical[0] = '\0';
	}
}
