/* SPDX-License-Identifier: ISC */
#include "routes.h"

static const char *const list_names[] = {
	"mydestination",	   "virtual_alias_domains",
	"virtual_mailbox_domains", "virtual_alias_maps",
	"virtual_mailbox_maps",	   "alias_maps",
	"local_recipient_maps",	   "smtpd_sender_login_maps",
};

static int
open_lists(struct routes *r, const struct params *p, struct err *err)
{
	const struct {
		const char *name;
		struct match_list *match;
		struct table_list *tables;
	} lists[] = {
		{ "mydestination", &r->mydestination, NULL },
		{ "virtual_alias_domains", &r->alias_domains, NULL },
		{ "virtual_mailbox_domains", &r->mailbox_domains, NULL },
		{ "virtual_alias_maps", NULL, &r->virtual_alias },
		{ "virtual_mailbox_maps", NULL, &r->virtual_mailbox },
		{ "alias_maps", NULL, &r->alias },
		{ "local_recipient_maps", NULL, &r->local_rcpt },
		{ "smtpd_sender_login_maps", NULL, &r->sender_login },
	};
	struct str value;
	size_t i;
	int rc;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		value = params_str(p, lists[i].name);
		rc = lists[i].match ? match_open(lists[i].match, value, r->set,
						 &r->pool, err)
				    : table_list_open(lists[i].tables, r->set,
						      value, err);
		if (rc < 0)
			return err_prefix(err, "%s", lists[i].name);
	}
	return 0;
}

int
routes_open(struct routes *r, const struct params *p,
	    const struct table_dir *dirs, struct err *err)
{
	*r = (struct routes){ 0 };
	pool_init(&r->pool, 64 << 20);
	r->set = table_set_new();
	r->myorigin = pool_str(&r->pool, params_str(p, "myorigin"));
	r->delimiters =
		pool_str(&r->pool, params_str(p, "recipient_delimiter"));
	r->expansion_limit =
		(size_t)params_num(p, "virtual_alias_expansion_limit");
	r->recursion_limit =
		(size_t)params_num(p, "virtual_alias_recursion_limit");
	r->uid_min = (uint64_t)params_num(p, "first_valid_uid");
	r->uid_max = (uint64_t)params_num(p, "last_valid_uid");
	if (!r->set || !r->myorigin.p || !r->delimiters.p) {
		routes_close(r);
		return err_set(err, ERR_TEMP, 0, "out of memory");
	}
	table_set_dirs(r->set, dirs);
	if (open_lists(r, p, err) < 0) {
		routes_close(r);
		return -1;
	}
	return 0;
}

void
routes_close(struct routes *r)
{
	match_close(&r->mydestination);
	match_close(&r->alias_domains);
	match_close(&r->mailbox_domains);
	table_list_close(&r->virtual_alias);
	table_list_close(&r->virtual_mailbox);
	table_list_close(&r->alias);
	table_list_close(&r->local_rcpt);
	table_list_close(&r->sender_login);
	table_set_free(r->set);
	r->set = NULL;
	pool_fini(&r->pool);
}

static size_t
add_dir(struct str path, struct pool *pool, struct str *dirs, size_t n,
	size_t max)
{
	ptrdiff_t slash = str_rfind(path, '/');
	struct str dir;
	size_t i;

	if (slash < 0 || n == max)
		return n;
	dir = slash ? str_head(path, (size_t)slash) : STR("/");
	for (i = 0; i < n; i++)
		if (str_eq(dirs[i], dir))
			return n;
	dirs[n] = pool_str(pool, dir);
	return dirs[n].p ? n + 1 : n;
}

size_t
router_table_dirs(const struct params *p, struct pool *pool, struct str *dirs,
		  size_t max)
{
	struct str rest, item, path;
	size_t i, n = 0;

	for (i = 0; i < sizeof(list_names) / sizeof(list_names[0]); i++) {
		rest = params_str(p, list_names[i]);
		while (table_spec_next(&rest, &item)) {
			while (item.n && item.p[0] == '!')
				item = str_from(item, 1);
			if (item.n && item.p[0] == '/')
				path = item;
			else if (!table_spec_file(item, &path))
				continue;
			n = add_dir(path, pool, dirs, n, max);
		}
	}
	return n;
}
