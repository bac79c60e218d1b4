/* SPDX-License-Identifier: ISC */
#include "site.h"
#include "base/log.h"
#include "parts.h"

static const struct site_maps *
maps_of(const struct routes *r, struct str transport)
{
	size_t i;

	for (i = 0; i < r->nsites; i++)
		if (str_eq(r->sites[i].transport, transport))
			return &r->sites[i];
	return NULL;
}

/* Is it a domain, and nothing that names a host or a port by itself? */
static bool
is_domain(struct str nexthop)
{
	return nexthop.n && nexthop.p[0] != '[' && nexthop.p[0] != '.' &&
	       str_find(nexthop, ':') < 0 && str_find(nexthop, '/') < 0;
}

/* As it is written; a domain also by its parents, ".example.com". */
static int
find_tls(const struct table_list *maps, struct str nexthop, struct str *value,
	 struct err *err)
{
	bool domain = is_domain(nexthop);
	ptrdiff_t dot;
	int rc;

	if (maps->n == 0)
		return 0;
	rc = table_list_get(maps, nexthop, value, err);
	while (rc == 0 && domain && nexthop.n > 1 &&
	       (dot = str_find(str_from(nexthop, 1), '.')) >= 0) {
		nexthop = str_from(nexthop, (size_t)dot + 1);
		rc = table_list_get(maps, nexthop, value, err);
	}
	return rc;
}

static int
find_by_sender(const struct routes *r, const struct table_list *maps,
	       struct str sender, struct str *value, struct err *err)
{
	struct parts a;
	struct pool pool;
	struct str ext;
	int rc;

	if (str_rfind(sender, '@') < 0)
		return 0;
	pool_init(&pool, 1 << 16);
	rc = parts_split(r, sender, &pool, &a, err);
	if (rc == 0)
		rc = parts_find(r, maps, &a, value, &ext, err);
	pool_fini(&pool);
	return rc;
}

/* In Postfix's order: the sender, the host, the next hop as it is written. */
static int
find_auth(const struct routes *r, const struct site_maps *m,
	  const struct msg_site *q, struct str *value, struct err *err)
{
	int rc = 0;

	if (m->passwords.n == 0)
		return 0;
	if (m->sender_dependent)
		rc = find_by_sender(r, &m->passwords, q->sender, value, err);
	if (rc == 0)
		rc = table_list_get(&m->passwords, q->host, value, err);
	return rc != 0 ? rc
		       : table_list_get(&m->passwords, q->nexthop, value, err);
}

static void
give_up(struct msg_sited *a, const char *text)
{
	*a = (struct msg_sited){ .verdict = ROUTE_TEMP, .text = str_of(text) };
}

static int
give_auth(struct msg_sited *a, struct str value, const struct msg_site *q)
{
	a->password = str_trim(value);
	if (!str_cut(&a->password, ':', &a->user)) {
		a->user = a->password;
		a->password = STR("");
	}
	a->has_auth = a->user.n > 0;
	if (a->user.n <= SITE_USER_MAX && a->password.n <= SITE_PASSWORD_MAX &&
	    str_find(value, '\0') < 0)
		return 0;
	log_warn("smtp_sasl_password_maps: what it has for %s is too long",
		 LOGQ(q->nexthop));
	return -1;
}

void
site_ask(const struct routes *r, const struct msg_site *q, struct msg_sited *a,
	 char tls[SITE_TLS_MAX + 1])
{
	const struct site_maps *m = maps_of(r, q->transport);
	struct str value = STR_NULL;
	struct err err;
	int rc = 0;

	*a = (struct msg_sited){ .verdict = ROUTE_OK };
	if (!m) {
		give_up(a, "mail transport unavailable");
		return;
	}
	if (q->want & SITE_TLS)
		rc = find_tls(&m->tls_policy, q->nexthop, &value, &err);
	if (rc > 0) {
		a->has_tls = 1;
		a->tls = str_trim(value);
		if (!str_copy(tls, SITE_TLS_MAX + 1, a->tls)) {
			log_warn("smtp_tls_policy_maps: what it has for %s is "
				 "too long",
				 LOGQ(q->nexthop));
			give_up(a, "TLS policy is faulty");
			return;
		}
		a->tls = str_of(tls);
		rc = 0;
	}
	if (rc == 0 && q->want & SITE_AUTH)
		rc = find_auth(r, m, q, &value, &err);
	if (rc < 0)
		give_up(a, "Temporary lookup failure");
	else if (rc > 0 && give_auth(a, value, q) < 0)
		give_up(a, "SASL password is faulty");
}
