/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "hop.h"

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

/* TRANSPORT:NEXTHOP as it stands in a table or parameter; either may be
 * empty. */
struct spec {
	struct str transport, nexthop;
};

static struct spec
spec_split(struct str value)
{
	struct spec s = { .nexthop = str_trim(value) };

	if (!str_cut(&s.nexthop, ':', &s.transport))
		return (struct spec){ .transport = s.nexthop };
	s.transport = str_trim(s.transport);
	s.nexthop = str_trim(s.nexthop);
	return s;
}

/* --- what a spec says ----------------------------------------------------- */

/* RFC 3463 2: class.subject.detail */
static bool
is_dsn(struct str s)
{
	struct str part, rest = s;
	size_t i, dots = 0;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '.')
			dots++;
		else if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	if (dots != 2 || s.n > 9 || s.p[s.n - 1] == '.')
		return false;
	return str_cut(&rest, '.', &part) && part.n == 1 &&
	       strchr("245", part.p[0]) && str_cut(&rest, '.', &part) &&
	       part.n > 0;
}

/* "5.7.1 text", or the text alone.  The class is the transport's own. */
static int
set_error(struct hop *h, struct str text, char class, const char *otherwise,
	  struct pool *pool, struct err *err)
{
	struct str rest = text, word;

	h->kind = HOP_ERROR;
	if (!str_cut(&rest, ' ', &word)) {
		word = rest;
		rest = STR("");
	}
	if (is_dsn(word)) {
		h->dsn = pool_strf(pool, "%c%.*s", class,
				   STR_FMT(str_from(word, 1)));
		text = str_trim(rest);
	} else {
		h->dsn = str_of(otherwise);
	}
	h->text = text.n ? str_head(text, TEXT_MAX)
			 : STR("mail for this address is not taken");
	return h->dsn.p ? 0 : no_memory(err);
}

static bool
is_known(const struct routes *r, struct str transport)
{
	size_t i;

	for (i = 0; i < r->nsites; i++)
		if (str_eq(r->sites[i].transport, transport))
			return true;
	return false;
}

/* where: who says so, for the log. */
static int
set(const struct routes *r, struct hop *h, const struct spec *s,
    const char *where, const struct parts *a, struct pool *pool,
    struct err *err)
{
	*h = (struct hop){ .kind = HOP_REMOTE };
	if (str_eq(s->transport, STR("local"))) {
		h->kind = HOP_LOCAL;
		return 0;
	}
	if (str_eq(s->transport, STR("virtual"))) {
		h->kind = HOP_VIRTUAL;
		return 0;
	}
	if (str_eq(s->transport, STR("discard"))) {
		h->kind = HOP_DISCARD;
		return 0;
	}
	if (str_eq(s->transport, STR("error")))
		return set_error(h, s->nexthop, '5', "5.1.1", pool, err);
	if (str_eq(s->transport, STR("retry")))
		return set_error(h, s->nexthop, '4', "4.3.0", pool, err);
	if (!is_known(r, s->transport)) {
		log_warn("%s: unknown transport \"%s\" for %s: mail transport "
			 "unavailable",
			 where, LOGQ(str_head(s->transport, 100)),
			 LOGQ(a->whole));
		return err_set(err, ERR_TEMP, ENXIO,
			       "mail transport unavailable");
	}
	if (s->nexthop.n > WHERE_MAX) {
		log_warn("%s: the next hop for %s is too long", where,
			 LOGQ(a->whole));
		return err_set(err, ERR_TEMP, ENXIO,
			       "mail transport unavailable");
	}
	h->transport = s->transport;
	h->nexthop = s->nexthop;
	return 0;
}

/* --- what depends on the sender ------------------------------------------- */

/* 1: the tables have the sender, 0: not, or DUNNO; *value is in pool. */
static int
by_sender(const struct routes *r, const struct table_list *maps,
	  struct str sender, struct str empty_key, struct pool *pool,
	  struct str *value, struct err *err)
{
	struct parts a;
	struct str ext;
	int rc;

	if (maps->n == 0)
		return 0;
	if (sender.n == 0) {
		rc = table_list_get(maps, empty_key, value, err);
	} else {
		if (str_rfind(sender, '@') < 0)
			sender = pool_strf(pool, "%.*s@%.*s", STR_FMT(sender),
					   STR_FMT(r->myorigin));
		if (!sender.p)
			return no_memory(err);
		rc = parts_split(r, sender, pool, &a, err);
		if (rc == 0)
			rc = parts_find(r, maps, &a, value, &ext, err);
	}
	if (rc <= 0 || str_ieq(str_trim(*value), STR("DUNNO")))
		return rc < 0 ? -1 : 0;
	*value = pool_str(pool, str_trim(*value));
	return value->p ? 1 : no_memory(err);
}

/* Mail that is not ours goes to the relay host, if there is one, unless the
 * transport names a next hop itself. */
static int
not_ours(const struct routes *r, struct str sender, const struct parts *a,
	 struct pool *pool, struct spec *s, const char **where, struct err *err)
{
	struct str value;
	int rc = 0;

	*where = "relay_transport";
	value = r->relay_transport;
	if (a->class != CLASS_RELAY) {
		*where = "sender_dependent_default_transport_maps";
		rc = by_sender(r, &r->sender_transport, sender,
			       r->empty_transport_key, pool, &value, err);
		if (rc == 0) {
			*where = "default_transport";
			value = r->default_transport;
		}
	}
	if (rc < 0)
		return -1;
	*s = spec_split(value);
	if (s->nexthop.n)
		return 0;
	rc = by_sender(r, &r->sender_relayhost, sender, r->empty_relayhost_key,
		       pool, &value, err);
	if (rc < 0)
		return -1;
	s->nexthop = rc > 0 ? value : r->relayhost;
	return 0;
}

/* --- transport_maps ------------------------------------------------------- */

/* transport(5): user+extension@domain, user@domain, domain, .domain of each
 * parent (or domain, by parent_domain_matches_subdomains), "*". */
static int
table_find(const struct routes *r, const struct parts *a, struct str *value,
	   struct err *err)
{
	char key[ADDRESS_MAX + 1];
	struct str domain = a->domain;
	ptrdiff_t dot;
	int n, rc;

	rc = table_list_get(&r->transport, a->whole, value, err);
	if (rc == 0 && a->bare.n < a->local.n) {
		n = snprintf(key, sizeof(key), "%.*s@%.*s", STR_FMT(a->bare),
			     STR_FMT(a->domain));
		if (n > 0 && (size_t)n < sizeof(key))
			rc = table_list_get(&r->transport,
					    str_mem(key, (size_t)n), value,
					    err);
	}
	if (rc == 0)
		rc = table_list_get(&r->transport, domain, value, err);
	while (rc == 0 && domain.n && domain.p[0] != '[' &&
	       (dot = str_find(str_from(domain, 1), '.')) >= 0) {
		domain = str_from(domain, (size_t)dot + 1);
		rc = table_list_get(&r->transport,
				    str_from(domain, r->transport_parents),
				    value, err);
	}
	return rc != 0 ? rc
		       : table_list_get(&r->transport, STR("*"), value, err);
}

/* The table changes what it names: a transport without a next hop goes for the
 * address's own domain, a next hop alone leaves the transport. */
static int
by_table(const struct routes *r, const struct parts *a, struct pool *pool,
	 struct spec *s, const char **where, struct err *err)
{
	struct spec found;
	struct str value;
	int rc;

	if (r->transport.n == 0)
		return 0;
	rc = table_find(r, a, &value, err);
	if (rc <= 0)
		return rc;
	value = pool_str(pool, value);
	if (!value.p)
		return no_memory(err);
	found = spec_split(value);
	if (found.transport.n) {
		*s = found;
		*where = "transport_maps";
	} else if (found.nexthop.n) {
		s->nexthop = found.nexthop;
	}
	return 0;
}

/* --- the whole ------------------------------------------------------------ */

/* Domains are one, however they are written. */
static struct str
lower(struct pool *pool, struct str domain)
{
	struct str copy = pool_str(pool, domain);
	char *p = (char *)(uintptr_t)copy.p; /* just allocated */
	size_t i;

	for (i = 0; p && i < copy.n; i++)
		p[i] = ascii_lower(p[i]);
	return copy;
}

static int
finish(const struct routes *r, struct hop *h, struct spec *s, const char *where,
       const struct parts *a, struct pool *pool, struct err *err)
{
	if (set(r, h, s, where, a, pool, err) < 0)
		return -1;
	if (h->kind != HOP_REMOTE || h->nexthop.n)
		return 0;
	h->nexthop = lower(pool, a->domain);
	return h->nexthop.p ? 0 : no_memory(err);
}

int
hop_find(const struct routes *r, struct str sender, const struct parts *a,
	 struct pool *pool, struct hop *h, struct err *err)
{
	const char *where = "local_transport";
	struct spec s = { 0 };

	switch (a->class) {
	case CLASS_LOCAL:
		s = spec_split(r->local_transport);
		break;
	case CLASS_MAILBOX:
		where = "virtual_transport";
		s = spec_split(r->virtual_transport);
		break;
	default:
		if (not_ours(r, sender, a, pool, &s, &where, err) < 0)
			return -1;
	}
	if (by_table(r, a, pool, &s, &where, err) < 0)
		return -1;
	return finish(r, h, &s, where, a, pool, err);
}

int
hop_of_user(const struct routes *r, const struct parts *a, bool exists,
	    struct pool *pool, struct hop *h, struct err *err)
{
	const char *where = "mailbox_transport_maps";
	struct str value = STR_NULL;
	struct spec s;
	int rc;

	rc = table_list_get(&r->mailbox_transport_maps, a->user, &value, err);
	if (rc < 0)
		return -1;
	if (rc == 0 && r->mailbox_transport.n) {
		where = "mailbox_transport";
		value = r->mailbox_transport;
	} else if (rc == 0 && !exists) {
		where = "fallback_transport";
		value = r->fallback_transport;
	}
	if (value.n == 0)
		return 0;
	value = pool_str(pool, value);
	if (!value.p)
		return no_memory(err);
	s = spec_split(value);
	rc = finish(r, h, &s, where, a, pool, err);
	return rc < 0 ? -1 : h->kind != HOP_LOCAL;
}
