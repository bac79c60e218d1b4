/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "frame/config.h"
#include "frame/tls_protocols.h"
#include "net/addr.h"

static const struct table_type {
	const char *name;
	bool file;
} table_types[] = {
	{ "hash", true },  { "btree", true },	{ "texthash", true },
	{ "cidr", true },  { "inline", false }, { "static", false },
	{ "unix", false },
};

static const struct table_type *
table_type(struct str item, struct str *name)
{
	struct str type;
	size_t i;

	if (str_starts(item, STR("proxy:"))) /* means nothing here */
		item = str_from(item, strlen("proxy:"));
	*name = item;
	if (!str_cut(name, ':', &type))
		return NULL;
	for (i = 0; i < sizeof(table_types) / sizeof(table_types[0]); i++)
		if (str_eq(type, str_of(table_types[i].name)))
			return &table_types[i];
	return NULL;
}

bool
config_table_file(struct str item, struct str *file)
{
	const struct table_type *t;

	if (item.n && item.p[0] == '!')
		item = str_from(item, 1);
	t = table_type(item, file);
	if (!t && item.n && item.p[0] == '/') {
		*file = item;
		return true;
	}
	return t && t->file;
}

/* dir is free of links and "..": its parents can be had by their names. */
static struct str
below(const char *dir, struct str file, struct pool *pool)
{
	struct str base = str_of(dir);

	if (file.n && file.p[0] == '/')
		return pool_str(pool, file);
	for (;;) {
		if (str_starts(file, STR("./"))) {
			file = str_from(file, 2);
		} else if (str_starts(file, STR("../"))) {
			ptrdiff_t cut = str_rfind(base, '/');

			file = str_from(file, 3);
			base = str_head(base, cut < 0 ? 0 : (size_t)cut);
		} else {
			break;
		}
	}
	if (str_eq(base, STR("/")))
		base = STR("");
	return pool_strf(pool, "%.*s/%.*s", STR_FMT(base), STR_FMT(file));
}

static int
check_table(const struct param *row, struct str item, struct err *err)
{
	struct str name;
	const struct table_type *t = table_type(item, &name);

	item = str_head(item, 60);
	if (!t)
		return err_set(err, ERR_PERM, EINVAL,
			       "%s: \"%.*s\": want TYPE:NAME, where TYPE is "
			       "hash, btree, texthash, cidr, inline, static or "
			       "unix",
			       row->name, STR_FMT(item));
	if (name.n == 0)
		return err_set(err, ERR_PERM, EINVAL,
			       "%s: \"%.*s\": want %s:%s", row->name,
			       STR_FMT(item), t->name,
			       t->file ? "FILE" : "NAME");
	if (str_eq(str_of(t->name), STR("inline")) &&
	    (name.p[0] != '{' || maincf_braces(name) != name.n))
		return err_set(err, ERR_PERM, EINVAL,
			       "%s: \"%.*s\": want inline:{ key = value, ... }",
			       row->name, STR_FMT(item));
	return 0;
}

/* The list with each table's file made absolute. */
static int
check_tables(const struct param *row, struct str list, const char *dir,
	     struct pool *pool, struct str *out, struct err *err)
{
	struct str rest = list, item, file;
	struct buf b;
	int rc = -1;

	buf_init(&b, MAINCF_VALUE_MAX);
	while (maincf_map_item(&rest, &item)) {
		if (row->kind == PARAM_MAPS && check_table(row, item, err) < 0)
			goto out;
		if (b.n)
			(void)buf_add_c(&b, ", ");
		if (config_table_file(item, &file)) {
			(void)buf_add(&b, item.p, item.n - file.n);
			item = below(dir, file, pool);
		}
		(void)buf_add_str(&b, item);
	}
	*out = pool_str(pool, buf_str(&b));
	rc = 0;
	if (buf_overflown(&b) || !out->p)
		rc = err_set(err, ERR_PERM, EFBIG, "%s: the value is too long",
			     row->name);
out:
	buf_fini(&b);
	return rc;
}

static int
check_items(const struct param *row, struct str list, struct err *err)
{
	struct addr_net net;
	struct addr a;
	struct err why;
	struct str item;
	int rc;

	while (str_token(&list, ", \t", &item)) {
		if (row->kind == PARAM_NETS)
			rc = addr_net_parse(item, &net, &why);
		else
			rc = addr_parse_port(item, &a, &why);
		if (rc == 0 && row->kind == PARAM_LISTEN && addr_port(&a) == 0)
			rc = err_set(&why, ERR_PERM, EINVAL, "port 0");
		if (rc == 0)
			continue;
		item = str_head(item, 60);
		return err_set(err, ERR_PERM, EINVAL,
			       "%s: \"%.*s\": want %s (%s)", row->name,
			       STR_FMT(item),
			       row->kind == PARAM_NETS
				       ? "a network, as 192.0.2.0/24 or "
					 "[2001:db8::]/32"
				       : "ADDRESS:PORT, as 192.0.2.1:25 or "
					 "[::]:25",
			       why.text);
	}
	return 0;
}

int
config_check(const struct param *row, struct str value, const char *dir,
	     struct pool *pool, struct str *out, struct err *err)
{
	unsigned bits;

	*out = value;
	if (param_check(row, value, err) < 0)
		return -1;
	switch (row->kind) {
	case PARAM_NETS:
	case PARAM_LISTEN:
		return check_items(row, value, err);
	case PARAM_LIST:
	case PARAM_MAPS:
		return check_tables(row, value, dir, pool, out, err);
	case PARAM_PATH:
		if (value.n == 0)
			return 0;
		*out = below(dir, value, pool);
		if (!out->p)
			return err_set(err, ERR_TEMP, ENOMEM, "%s: no memory",
				       row->name);
		return 0;
	case PARAM_PROTOCOLS:
		return tls_protocols(value, &bits, err) < 0
			       ? err_prefix(err, "%s", row->name)
			       : 0;
	default:
		return 0;
	}
}
