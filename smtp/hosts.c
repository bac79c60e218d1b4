/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rand.h"
#include "hosts.h"

enum {
	MX_MAX = 100,	   /* records that are looked at */
	SERVERS_MAX = 100, /* addresses of one group */
	AT_ONCE = 8,	   /* questions: dnsd's places are for all letters */
	POOL_MAX = 128 * 1024,
};

struct mx {
	uint16_t preference;
	char *host;
};

struct question {
	struct hosts *h;
	const char *host;
	enum dns_type type;
	uint32_t tag; /* 0: answered, or not asked */
};

struct hosts {
	struct dns_client *dns;
	const struct own *own;
	const struct settings *set;
	struct nexthop to;
	void (*changed)(void *arg);
	void *arg;
	struct pool pool;
	struct mx mx[MX_MAX];
	unsigned nmx, next_mx; /* the first of the next group */
	bool of_mx;	       /* the hosts are those of MX records */
	struct question ask[2 * MX_MAX];
	unsigned nask, next_ask, waiting;
	struct server servers[SERVERS_MAX]; /* of the present group */
	unsigned nservers, next_server;
	bool found;	  /* there was a server */
	bool no_fallback; /* ourselves, or nobody at all */
	bool has_fault;
	struct fault fault;
	char fault_text[TEXT_MAX + 1];
};

/* What may pass is kept in favour of what is for good. */
static void note(struct hosts *h, enum deliver_class class, const char *dsn,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void
note(struct hosts *h, enum deliver_class class, const char *dsn,
     const char *fmt, ...)
{
	va_list ap;

	if (h->has_fault && h->fault.class == DELIVER_TEMP)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(h->fault_text, sizeof(h->fault_text), fmt, ap);
	va_end(ap);
	h->has_fault = true;
	h->fault = (struct fault){
		.class = class,
		.dsn = str_of(dsn),
		.text = str_of(h->fault_text),
		.reply = STR(""),
	};
}

static const char *
type_name(enum dns_type type)
{
	return type == DNS_MX ? "MX" : type == DNS_AAAA ? "AAAA" : "A";
}

/* An answer without records that help. */
static void
note_dns(struct hosts *h, const char *name, enum dns_type type,
	 enum dns_status status, struct str why)
{
	static const char failed[] =
		"Host or domain name not found. Name service error for "
		"name=%s type=%s: %s%s%.*s%s";
	bool soft = h->of_mx && h->set->defer_if_no_mx;
	const char *words = status == DNS_NODATA
				    ? "Host found but no data record of "
				      "requested type"
				    : "Host not found";

	why = str_head(why, 100);
	switch (status) {
	case DNS_TEMP:
		note(h, DELIVER_TEMP, "4.4.3", failed, name, type_name(type),
		     "Host not found, try again", why.n ? " (" : "",
		     STR_FMT(why), why.n ? ")" : "");
		break;
	case DNS_BAD:
		note(h, DELIVER_PERM, "5.4.4",
		     "Name service error for %s: invalid host or domain name",
		     name);
		break;
	default:
		note(h, soft ? DELIVER_TEMP : DELIVER_PERM,
		     soft ? "4.4.4" : "5.4.4", failed, name, type_name(type),
		     words, "", 0, "", "");
		break;
	}
}

/* --- the order within a group -------------------------------------------- */

static void
swap(struct server *a, struct server *b)
{
	struct server t = *a;

	*a = *b;
	*b = t;
}

static bool
is_ipv6(const struct server *s)
{
	return s->addr.sa.sa_family == AF_INET6;
}

/* Move servers of this protocol (at most n) to the front; the order is kept
 * otherwise. */
static void
to_front(struct server *v, unsigned count, bool ipv6, unsigned n)
{
	unsigned i, k, to = 0;

	for (i = 0; i < count && n; i++) {
		if (is_ipv6(&v[i]) != ipv6)
			continue;
		for (k = i; k > to; k--)
			swap(&v[k], &v[k - 1]);
		to++;
		n--;
	}
}

static void
order(struct hosts *h)
{
	const struct settings *set = h->set;
	struct server *v = h->servers;
	unsigned n = h->nservers, limit = set->mx_address_limit, i, have, share;
	bool last;

	for (i = n; set->randomize_addresses && i > 1; i--)
		swap(&v[i - 1], &v[rand_below(i)]);
	if (set->preference != PREFER_ANY)
		to_front(v, n, set->preference == PREFER_IPV6, n);
	if (!set->balance || limit < 2 || n <= limit)
		return;
	/* Half of those that will be tried are of the other protocol than the
	 * first one, as far as there are any. */
	last = !is_ipv6(&v[0]);
	for (i = have = 0; i < limit; i++)
		have += is_ipv6(&v[i]) == last;
	share = limit / 2;
	for (i = limit; i < n && have < share; i++) {
		unsigned k;

		if (is_ipv6(&v[i]) != last)
			continue;
		for (k = limit; k > 0 && is_ipv6(&v[k - 1]) == last; k--)
			;
		swap(&v[k - 1], &v[i]);
		have++;
	}
}

/* --- addresses ----------------------------------------------------------- */

static bool
is_known(const struct hosts *h, const struct addr *a)
{
	unsigned i;

	for (i = 0; i < h->nservers; i++)
		if (addr_same(&h->servers[i].addr, a))
			return true;
	return false;
}

static void
add_server(struct hosts *h, const char *host, const struct addr *a)
{
	struct server *s;

	if (h->nservers == SERVERS_MAX || is_known(h, a))
		return;
	s = &h->servers[h->nservers++];
	*s = (struct server){
		.addr = *a,
		.best = !h->nmx ||
			h->mx[h->next_mx - 1].preference == h->mx[0].preference,
	};
	addr_set_port(&s->addr, h->to.port);
	(void)str_copy(s->host, sizeof(s->host), str_of(host));
}

/* All addresses of a group are there. */
static void
close_group(struct hosts *h)
{
	bool better = h->next_mx > 0 && h->nmx &&
		      h->mx[h->next_mx - 1].preference != h->mx[0].preference;
	bool loop = false;
	unsigned i;

	for (i = 0; i < h->nservers; i++)
		loop = loop || own_has(h->own, &h->servers[i].addr);
	if (loop) { /* RFC 5321 5.1 */
		h->no_fallback = true;
		h->nservers = 0;
		h->next_mx = h->nmx;
		h->has_fault = false;
		if (!h->found && better)
			note(h, DELIVER_TEMP, "4.4.4",
			     "unable to find primary relay for %s", h->to.host);
		else
			note(h, DELIVER_PERM, "5.4.6",
			     "mail for %s loops back to myself", h->to.host);
	}
	h->found = h->found || h->nservers;
	h->next_server = 0;
	order(h);
}

static void on_address(void *arg, const struct msg_dns_answer *m);

static void
add_question(struct hosts *h, const char *host, enum dns_type type)
{
	h->ask[h->nask++] =
		(struct question){ .h = h, .host = host, .type = type };
}

/* The questions that may be asked now. */
static void
ask(struct hosts *h, dns_done_cb *done)
{
	struct question *q;

	while (h->next_ask < h->nask && h->waiting < AT_ONCE) {
		q = &h->ask[h->next_ask++];
		q->tag = dns_ask(h->dns, str_of(q->host), q->type, done, q);
		if (q->tag)
			h->waiting++;
		else
			note_dns(h, q->host, q->type, DNS_TEMP,
				 STR("dnsd is busy"));
	}
}

static void
on_address(void *arg, const struct msg_dns_answer *m)
{
	struct question *q = arg;
	struct hosts *h = q->h;
	struct str it = m->records.raw;
	struct msg_dns_record r;
	struct addr a;

	q->tag = 0;
	if (m->status != DNS_OK)
		note_dns(h, q->host, q->type, m->status, m->text);
	while (m->status == DNS_OK && msg_list_next(&it, m->records.elem, &r))
		if (dns_get_addr(q->type, r.rdata, &a) == 0)
			add_server(h, q->host, &a);
	h->waiting--;
	ask(h, on_address);
	if (h->waiting)
		return;
	close_group(h);
	h->changed(h->arg);
}

/* The hosts of the next group. */
static void
ask_group(struct hosts *h)
{
	uint16_t preference = h->mx[h->next_mx].preference;

	h->nask = h->next_ask = h->nservers = 0;
	for (;
	     h->next_mx < h->nmx && h->mx[h->next_mx].preference == preference;
	     h->next_mx++) {
		if (h->set->ipv4)
			add_question(h, h->mx[h->next_mx].host, DNS_A);
		if (h->set->ipv6)
			add_question(h, h->mx[h->next_mx].host, DNS_AAAA);
	}
	ask(h, on_address);
}

/* --- MX records ---------------------------------------------------------- */

static void
add_mx(struct hosts *h, uint16_t preference, const char *host)
{
	struct str copy = pool_str(&h->pool, str_of(host));

	if (!copy.p)
		note(h, DELIVER_TEMP, "4.3.0", "out of memory");
	else if (h->nmx < MX_MAX)
		h->mx[h->nmx++] =
			(struct mx){ preference, (char *)(uintptr_t)copy.p };
}

static int
by_preference(const void *a, const void *b)
{
	const struct mx *x = a, *y = b;

	return x->preference != y->preference ? x->preference - y->preference
					      : strcmp(x->host, y->host);
}

static bool
is_usable(const struct hosts *h, const struct dns_mx *mx)
{
	struct addr a;

	if (strcmp(mx->host, ".") == 0) {
		log_warn("MX record of %s without a name: ignored", h->to.host);
		return false;
	}
	if (addr_parse(str_of(mx->host), &a, NULL) == 0) {
		log_warn("MX record of %s with an address, not a name: %s: "
			 "ignored",
			 h->to.host, LOGQ(str_of(mx->host)));
		return false;
	}
	return true;
}

static void
take_mx(struct hosts *h, const struct msg_dns_answer *m)
{
	struct str it = m->records.raw;
	struct msg_dns_record r;
	struct dns_mx mx;

	while (msg_list_next(&it, m->records.elem, &r)) {
		if (dns_get_mx(r.rdata, &mx) < 0)
			continue;
		if (m->records.count == 1 && strcmp(mx.host, ".") == 0) {
			/* RFC 7505 */
			h->no_fallback = true;
			note(h, DELIVER_PERM, "5.1.10",
			     "Domain %s does not accept mail (nullMX)",
			     h->to.host);
			return;
		}
		if (is_usable(h, &mx))
			add_mx(h, mx.preference, mx.host);
	}
	if (h->nmx == 0)
		note(h, DELIVER_PERM, "5.4.4",
		     "Name service error for name=%s type=MX: Malformed or "
		     "unexpected name server reply",
		     h->to.host);
	qsort(h->mx, h->nmx, sizeof(h->mx[0]), by_preference);
	h->of_mx = true;
}

static void
on_mx(void *arg, const struct msg_dns_answer *m)
{
	struct question *q = arg;
	struct hosts *h = q->h;

	q->tag = 0;
	h->waiting = 0;
	if (m->status == DNS_OK && m->records.count)
		take_mx(h, m);
	else if (m->status == DNS_OK || m->status == DNS_NODATA)
		add_mx(h, 0, h->to.host); /* RFC 5321 5.1: the implicit MX */
	else
		note_dns(h, h->to.host, DNS_MX, m->status, m->text);
	h->changed(h->arg);
}

/* --- the whole ------------------------------------------------------------ */

struct hosts *
hosts_new(struct dns_client *dns, const struct own *own,
	  const struct settings *set, const struct nexthop *to,
	  void (*changed)(void *arg), void *arg)
{
	struct hosts *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->dns = dns;
	h->own = own;
	h->set = set;
	h->to = *to;
	h->changed = changed;
	h->arg = arg;
	pool_init(&h->pool, POOL_MAX);
	if (to->kind == NEXTHOP_LITERAL) {
		add_server(h, to->host, &to->addr);
		h->servers[0].literal = true;
		close_group(h);
	} else if (to->kind == NEXTHOP_DOMAIN &&
		   set->dns_level != DNS_LEVEL_DISABLED) {
		add_question(h, h->to.host, DNS_MX);
		ask(h, on_mx);
	} else {
		add_mx(h, 0, to->host);
	}
	return h;
}

void
hosts_free(struct hosts *h)
{
	unsigned i;

	if (!h)
		return;
	for (i = 0; i < h->nask; i++)
		if (h->ask[i].tag)
			dns_cancel(h->dns, h->ask[i].tag);
	pool_fini(&h->pool);
	free(h);
}

enum hosts_next
hosts_next(struct hosts *h, struct server *s)
{
	for (;;) {
		if (h->waiting)
			return HOSTS_WAIT;
		if (h->next_server < h->nservers) {
			*s = h->servers[h->next_server++];
			return HOSTS_SERVER;
		}
		if (h->next_mx == h->nmx) {
			if (!h->found && !h->has_fault)
				note(h, DELIVER_PERM, "5.4.4",
				     "%s has no usable address", h->to.host);
			return HOSTS_END;
		}
		ask_group(h);
		if (!h->waiting)
			close_group(h);
	}
}

const struct fault *
hosts_fault(const struct hosts *h)
{
	return h->found ? NULL : &h->fault;
}

bool
hosts_no_fallback(const struct hosts *h)
{
	return h->no_fallback;
}
