/* SPDX-License-Identifier: ISC */
/* The types of tables; see table.h for what each is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "table/db.h"
#include "table/type.h"

enum { TEXT_FILE_MAX = 64 << 20 };

/* --- rows in memory ------------------------------------------------------ */

struct row {
	struct str key, value;
};

struct rows *
rows_new(void)
{
	struct rows *r = calloc(1, sizeof(*r));

	if (r)
		pool_init(&r->pool, (size_t)8 * TEXT_FILE_MAX);
	return r;
}

void
rows_free(struct rows *r)
{
	if (!r)
		return;
	map_fini(&r->map);
	pool_fini(&r->pool);
	free(r);
}

int
rows_add(struct rows *r, struct str key, struct str value)
{
	struct row *row;

	if (map_get(&r->map, key))
		return 0;
	row = pool_alloc(&r->pool, sizeof(*row));
	if (!row)
		return -1;
	row->key = pool_str(&r->pool, key);
	row->value = pool_str(&r->pool, value);
	if (!row->key.p || !row->value.p || map_put(&r->map, row->key, row) < 0)
		return -1;
	return 1;
}

bool
rows_get(const struct rows *r, struct str key, struct str *value)
{
	const struct row *row = map_get(&r->map, key);

	if (row)
		*value = row->value;
	return row != NULL;
}

struct rows *
rows_of_passwd(struct str text)
{
	struct rows *r = rows_new();
	struct str line, rest, name;

	while (r && text.n) {
		if (!str_cut(&text, '\n', &line)) {
			line = text;
			text = STR_NULL;
		}
		rest = line;
		if (!str_cut(&rest, ':', &name) || name.n == 0 ||
		    name.p[0] == '#' || str_find(line, '\0') >= 0)
			continue;
		if (rows_add(r, name, line) < 0) {
			rows_free(r);
			r = NULL;
		}
	}
	return r;
}

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

static void
close_rows(struct table *t)
{
	rows_free(t->data);
}

static int
get_rows(struct table *t, struct str key, struct str *value, struct err *err)
{
	(void)err;
	return rows_get(t->data, key, value);
}

/* --- texthash ------------------------------------------------------------ */

static int
fill_rows(struct table *t, struct rows *r, struct str text, struct err *err)
{
	struct text_walk w;
	struct text_row row;
	char warning[200];
	struct err why;
	int rc, added = 0;

	text_init(&w, text);
	while (added >= 0 &&
	       (rc = text_row(&w, TEXT_POSTMAP, &row, &why)) != 0) {
		if (rc < 0) {
			table_warn(t, row.line, why.text);
			continue;
		}
		added = rows_add(r, row.key, row.value);
		if (added == 0) {
			snprintf(warning, sizeof(warning),
				 "duplicate entry: \"%.*s\"",
				 STR_FMT(str_head(row.key, 150)));
			table_warn(t, row.line, warning);
		}
	}
	text_fini(&w);
	return added < 0 ? no_memory(err) : 0;
}

static int
open_texthash(struct table *t, struct err *err)
{
	struct rows *r;
	struct buf text;
	int rc;

	if (table_read_file(t->path, TEXT_FILE_MAX, &text, err) < 0)
		return -1;
	r = rows_new();
	rc = r ? fill_rows(t, r, buf_str(&text), err) : no_memory(err);
	buf_fini(&text);
	if (rc < 0)
		rows_free(r);
	else
		t->data = r;
	return rc;
}

const struct table_type table_type_texthash = {
	.name = "texthash",
	.file = true,
	.suffix = "",
	.fold = true,
	.open = open_texthash,
	.close = close_rows,
	.get = get_rows,
};

/* --- inline -------------------------------------------------------------- */

static int
open_inline(struct table *t, struct err *err)
{
	struct str rest, key, value;
	struct rows *r;
	char folded[1024];
	size_t i;
	int rc;

	if (table_inline_open(str_of(t->name), &rest, err) < 0)
		return -1;
	r = rows_new();
	if (!r)
		return no_memory(err);
	while ((rc = table_inline_next(&rest, &key, &value, err)) > 0) {
		if (key.n > sizeof(folded)) {
			rc = err_set(err, ERR_PERM, EINVAL,
				     "inline table: a key of more than %zu "
				     "bytes",
				     sizeof(folded));
			break;
		}
		for (i = 0; i < key.n; i++)
			folded[i] = ascii_lower(key.p[i]);
		if (rows_add(r, str_mem(folded, key.n), value) < 0) {
			rc = no_memory(err);
			break;
		}
	}
	if (rc < 0) {
		rows_free(r);
		return -1;
	}
	t->data = r;
	return 0;
}

const struct table_type table_type_inline = {
	.name = "inline",
	.fold = true,
	.open = open_inline,
	.close = close_rows,
	.get = get_rows,
};

/* --- static -------------------------------------------------------------- */

static int
open_static(struct table *t, struct err *err)
{
	struct str value = str_of(t->name);
	struct str *data;

	if (value.p[0] == '{' && !table_braces(value, &value))
		return err_set(err, ERR_PERM, EINVAL,
			       "static table \"%s\": braces do not match",
			       t->name);
	data = malloc(sizeof(*data));
	if (!data)
		return no_memory(err);
	*data = value;
	t->data = data;
	return 0;
}

static void
close_static(struct table *t)
{
	free(t->data);
}

static int
get_static(struct table *t, struct str key, struct str *value, struct err *err)
{
	(void)key;
	(void)err;
	*value = *(struct str *)t->data;
	return 1;
}

const struct table_type table_type_static = {
	.name = "static",
	.open = open_static,
	.close = close_static,
	.get = get_static,
};

/* --- unix ---------------------------------------------------------------- */

static int
open_unix(struct table *t, struct err *err)
{
	if (strcmp(t->name, "passwd.byname") != 0)
		return err_set(err, ERR_PERM, EINVAL,
			       "table unix:%s: want unix:passwd.byname",
			       t->name);
	return 0;
}

static void
close_unix(struct table *t)
{
	(void)t;
}

static int
get_unix(struct table *t, struct str key, struct str *value, struct err *err)
{
	const struct rows *users = table_set_users(t->set);

	if (!users)
		return err_set(err, ERR_TEMP, EAGAIN, "no list of users yet");
	return rows_get(users, key, value);
}

const struct table_type table_type_unix = {
	.name = "unix",
	.fold = true,
	.open = open_unix,
	.close = close_unix,
	.get = get_unix,
};

/* --- cidr ---------------------------------------------------------------- */

static int
open_cidr(struct table *t, struct err *err)
{
	struct buf text;

	if (table_read_file(t->path, TEXT_FILE_MAX, &text, err) < 0)
		return -1;
	t->data = cidr_parse(buf_str(&text), table_warn, t);
	buf_fini(&text);
	return t->data ? 0 : no_memory(err);
}

static void
close_cidr(struct table *t)
{
	cidr_free(t->data);
}

static int
get_cidr(struct table *t, struct str key, struct str *value, struct err *err)
{
	struct addr a;

	(void)err;
	/* What is no address is no key of such a table. */
	return addr_parse(key, &a, NULL) == 0 && cidr_find(t->data, &a, value);
}

const struct table_type table_type_cidr = {
	.name = "cidr",
	.file = true,
	.suffix = "",
	.open = open_cidr,
	.close = close_cidr,
	.get = get_cidr,
};

/* --- hash, btree --------------------------------------------------------- */

static int
open_db(struct table *t, enum table_db_kind kind, struct err *err)
{
	struct table_db *db;
	char *path;
	int rc;

	if (asprintf(&path, "%s.db", t->path) < 0)
		return no_memory(err);
	rc = table_db_open(&db, path, kind, err);
	free(path);
	if (rc == 0)
		t->data = db;
	return rc;
}

static int
open_hash(struct table *t, struct err *err)
{
	return open_db(t, TABLE_HASH, err);
}

static int
open_btree(struct table *t, struct err *err)
{
	return open_db(t, TABLE_BTREE, err);
}

static void
close_db(struct table *t)
{
	table_db_close(t->data);
}

static int
get_db(struct table *t, struct str key, struct str *value, struct err *err)
{
	return table_db_get(t->data, key.p, key.n, value, err);
}

const struct table_type table_type_hash = {
	.name = "hash",
	.file = true,
	.suffix = ".db",
	.fold = true,
	.open = open_hash,
	.close = close_db,
	.get = get_db,
};

const struct table_type table_type_btree = {
	.name = "btree",
	.file = true,
	.suffix = ".db",
	.fold = true,
	.open = open_btree,
	.close = close_db,
	.get = get_db,
};
