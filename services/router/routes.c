/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdio.h>

#include "routes.h"

enum { NAME_SIZE = 128 };

/* --- parameters whose values are tables ----------------------------------- */

static const struct list_row {
	const char *name;
	size_t offset;
	bool match; /* a match_list, or else a table_list */
} lists[] = {
#define ROW(name, member, match)                             \
	{                                                    \
		name, offsetof(struct routes, member), match \
	}
	ROW("mydestination", mydestination, true),
	ROW("virtual_alias_domains", alias_domains, true),
	ROW("virtual_mailbox_domains", mailbox_domains, true),
	ROW("relay_domains", relay_domains, true),
	ROW("virtual_alias_maps", virtual_alias, false),
	ROW("virtual_mailbox_maps", virtual_mailbox, false),
	ROW("alias_maps", alias, false),
	ROW("local_recipient_maps", local_rcpt, false),
	ROW("relay_recipient_maps", relay_rcpt, false),
	ROW("smtpd_sender_login_maps", sender_login, false),
	ROW("transport_maps", transport, false),
	ROW("sender_dependent_default_transport_maps", sender_transport, false),
	ROW("sender_dependent_relayhost_maps", sender_relayhost, false),
	ROW("mailbox_transport_maps", mailbox_transport_maps, false),
};
enum { LISTS = sizeof(lists) / sizeof(lists[0]) };

/* Those of each transport: NAME_key. */
static const char *const site_keys[] = { "tls_policy_maps",
					 "sasl_password_maps" };
enum { SITE_KEYS = sizeof(site_keys) / sizeof(site_keys[0]) };

/* smtp, lmtp, relay, then $transports; false at the end. */
static bool
next_transport(struct str *rest, unsigned *i, struct str *name)
{
	static const char *const always[] = { "smtp", "lmtp", "relay" };

	if (*i < sizeof(always) / sizeof(always[0])) {
		*name = str_of(always[(*i)++]);
		return true;
	}
	return str_token(rest, ", \t", name);
}

static struct str
site_param(const struct params *p, struct str transport, const char *key)
{
	char name[NAME_SIZE];

	(void)snprintf(name, sizeof(name), "%.*s_%s", STR_FMT(transport), key);
	return params_str(p, name);
}

static int
open_list(struct routes *r, const struct list_row *row, struct str value,
	  struct err *err)
{
	void *to = (char *)r + row->offset;
	int rc = row->match ? match_open(to, value, r->set, &r->pool, err)
			    : table_list_open(to, r->set, value, err);

	return rc < 0 ? err_prefix(err, "%s", row->name) : 0;
}

static int
open_site(struct routes *r, const struct params *p, struct str transport,
	  struct err *err)
{
	struct site_maps *m = &r->sites[r->nsites++];
	struct table_list *to[SITE_KEYS] = { &m->tls_policy, &m->passwords };
	size_t i;

	m->transport = pool_str(&r->pool, transport);
	if (!m->transport.p)
		return err_set(err, ERR_TEMP, 0, "out of memory");
	m->sender_dependent = str_eq(
		site_param(p, transport, "sender_dependent_authentication"),
		STR("1"));
	for (i = 0; i < SITE_KEYS; i++)
		if (table_list_open(to[i], r->set,
				    site_param(p, transport, site_keys[i]),
				    err) < 0)
			return err_prefix(err, "%.*s_%s", STR_FMT(transport),
					  site_keys[i]);
	return 0;
}

static int
open_sites(struct routes *r, const struct params *p, struct err *err)
{
	struct str rest = params_str(p, "transports"), name;
	unsigned i = 0;
	size_t n = 0;

	while (next_transport(&rest, &i, &name))
		n++;
	r->sites = pool_alloc(&r->pool, n * sizeof(*r->sites));
	if (!r->sites)
		return err_set(err, ERR_TEMP, 0, "out of memory");
	memset(r->sites, 0, n * sizeof(*r->sites));
	i = 0;
	rest = params_str(p, "transports");
	while (next_transport(&rest, &i, &name))
		if (open_site(r, p, name, err) < 0)
			return -1;
	return 0;
}

/* --- plain values --------------------------------------------------------- */

static int
copy_texts(struct routes *r, const struct params *p)
{
	const struct {
		const char *name;
		struct str *to;
	} rows[] = {
		{ "myorigin", &r->myorigin },
		{ "recipient_delimiter", &r->delimiters },
		{ "local_transport", &r->local_transport },
		{ "virtual_transport", &r->virtual_transport },
		{ "relay_transport", &r->relay_transport },
		{ "default_transport", &r->default_transport },
		{ "mailbox_transport", &r->mailbox_transport },
		{ "fallback_transport", &r->fallback_transport },
		{ "relayhost", &r->relayhost },
		{ "empty_address_default_transport_maps_lookup_key",
		  &r->empty_transport_key },
		{ "empty_address_relayhost_maps_lookup_key",
		  &r->empty_relayhost_key },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		*rows[i].to = pool_str(&r->pool, params_str(p, rows[i].name));
		if (!rows[i].to->p)
			return -1;
	}
	return 0;
}

static bool
has_word(struct str list, struct str wanted)
{
	struct str word;

	while (str_token(&list, ", \t", &word))
		if (str_eq(word, wanted))
			return true;
	return false;
}

int
routes_open(struct routes *r, const struct params *p,
	    const struct table_dir *dirs, struct err *err)
{
	struct str parents = params_str(p, "parent_domain_matches_subdomains");
	size_t i;
	int rc = 0;

	*r = (struct routes){ 0 };
	pool_init(&r->pool, 64 << 20);
	r->set = table_set_new();
	r->expansion_limit =
		(size_t)params_num(p, "virtual_alias_expansion_limit");
	r->recursion_limit =
		(size_t)params_num(p, "virtual_alias_recursion_limit");
	r->uid_min = (uint64_t)params_num(p, "first_valid_uid");
	r->uid_max = (uint64_t)params_num(p, "last_valid_uid");
	if (!r->set || copy_texts(r, p) < 0) {
		routes_close(r);
		return err_set(err, ERR_TEMP, 0, "out of memory");
	}
	table_set_dirs(r->set, dirs);
	for (i = 0; i < LISTS && rc == 0; i++)
		rc = open_list(r, &lists[i], params_str(p, lists[i].name), err);
	if (rc < 0 || open_sites(r, p, err) < 0) {
		routes_close(r);
		return -1;
	}
	r->transport_parents = has_word(parents, STR("transport_maps"));
	r->relay_domains.parents = has_word(parents, STR("relay_domains"))
					   ? MATCH_BELOW
					   : MATCH_DOTTED;
	return 0;
}

void
routes_close(struct routes *r)
{
	size_t i;

	for (i = 0; i < LISTS; i++) {
		void *list = (char *)r + lists[i].offset;

		if (lists[i].match)
			match_close(list);
		else
			table_list_close(list);
	}
	for (i = 0; i < r->nsites; i++) {
		table_list_close(&r->sites[i].tls_policy);
		table_list_close(&r->sites[i].passwords);
	}
	r->nsites = 0;
	table_set_free(r->set);
	r->set = NULL;
	pool_fini(&r->pool);
}

/* --- their directories ---------------------------------------------------- */

struct dirs {
	struct pool *pool;
	struct str *v;
	size_t n, max;
};

static void
add_dir(struct dirs *d, struct str path)
{
	ptrdiff_t slash = str_rfind(path, '/');
	struct str dir;
	size_t i;

	if (slash < 0 || d->n == d->max)
		return;
	dir = slash ? str_head(path, (size_t)slash) : STR("/");
	for (i = 0; i < d->n; i++)
		if (str_eq(d->v[i], dir))
			return;
	d->v[d->n] = pool_str(d->pool, dir);
	d->n += d->v[d->n].p != NULL;
}

static void
add_dirs(struct dirs *d, struct str list)
{
	struct str item, path;

	while (table_spec_next(&list, &item)) {
		while (item.n && item.p[0] == '!')
			item = str_from(item, 1);
		if (item.n && item.p[0] == '/')
			path = item;
		else if (!table_spec_file(item, &path))
			continue;
		add_dir(d, path);
	}
}

size_t
router_table_dirs(const struct params *p, struct pool *pool, struct str *dirs,
		  size_t max)
{
	struct dirs d = { .pool = pool, .v = dirs, .max = max };
	struct str rest = params_str(p, "transports"), name;
	unsigned i = 0;
	size_t k;

	for (k = 0; k < LISTS; k++)
		add_dirs(&d, params_str(p, lists[k].name));
	while (next_transport(&rest, &i, &name))
		for (k = 0; k < SITE_KEYS; k++)
			add_dirs(&d, site_param(p, name, site_keys[k]));
	return d.n;
}
