/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "table/db.h"
#include "table/db_env.h"

/* Pages of a table that is read; larger ones come from the kernel's cache. */
enum { CACHE_BYTES = 1 << 20 };

struct table_db {
	DB_ENV *env;
	DB *db;
	bool plain, with_nul; /* which form the file has, once known */
};

const char *
table_dir_of(const char *path, char dir[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash) {
		memcpy(dir, ".", 2);
		return path;
	}
	snprintf(dir, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path),
		 path);
	return slash + 1;
}

/* The library's own messages would go to standard error. */
static void
quiet(const DB_ENV *env, const char *prefix, const char *text)
{
	(void)env;
	(void)prefix;
	(void)text;
}

int
table_db_env(DB_ENV **env, const char *path, unsigned cache_bytes,
	     const char **name)
{
	char dir[PATH_MAX];
	int rc;

	*name = table_dir_of(path, dir);
	rc = db_env_create(env, 0);
	if (rc != 0) {
		*env = NULL;
		return rc;
	}
	(*env)->set_errcall(*env, quiet);
	rc = (*env)->set_cachesize(*env, 0, cache_bytes, 1);
	return rc ? rc
		  : (*env)->open(*env, dir,
				 DB_INIT_MPOOL | DB_CREATE | DB_PRIVATE, 0);
}

void
table_db_close(struct table_db *t)
{
	if (!t)
		return;
	if (t->db)
		t->db->close(t->db, DB_NOSYNC);
	if (t->env)
		t->env->close(t->env, 0);
	free(t);
}

/* Everything but a lack of resources is the table's own trouble; to those who
 * ask it is a temporary problem all the same. */
static int
db_err(struct err *err, int rc, const char *path, const char *what)
{
	return err_set(err, ERR_TEMP, rc > 0 ? rc : EIO, "%s: %s: %s", path,
		       what, db_strerror(rc));
}

int
table_db_open(struct table_db **out, const char *path, enum table_db_kind kind,
	      struct err *err)
{
	struct table_db *t = calloc(1, sizeof(*t));
	const char *name;
	int rc;

	*out = NULL;
	if (!t)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	t->plain = t->with_nul = true;
	rc = table_db_env(&t->env, path, CACHE_BYTES, &name);
	if (rc == 0)
		rc = db_create(&t->db, t->env, 0);
	if (rc == 0)
		rc = t->db->open(t->db, NULL, name, NULL,
				 kind == TABLE_HASH ? DB_HASH : DB_BTREE,
				 DB_RDONLY | DB_NOMMAP, 0);
	if (rc != 0) {
		table_db_close(t);
		return db_err(err, rc, path, "open");
	}
	*out = t;
	return 0;
}

static int
get(struct table_db *t, const char *key, size_t n, struct str *value)
{
	DBT k = { .data = (void *)(uintptr_t)key, .size = (uint32_t)n };
	DBT v = { .data = NULL };
	int rc = t->db->get(t->db, NULL, &k, &v, 0);

	*value = str_mem(v.data, v.size);
	return rc;
}

static struct str
without_nul(struct str s)
{
	return s.n && s.p[s.n - 1] == '\0' ? str_head(s, s.n - 1) : s;
}

int
table_db_get(struct table_db *t, const char *key, size_t keylen,
	     struct str *value, struct err *err)
{
	int rc = DB_NOTFOUND;

	/* The form of the first key found is the form of the file. */
	if (t->with_nul && (rc = get(t, key, keylen + 1, value)) == 0)
		t->plain = false;
	if (rc == DB_NOTFOUND && t->plain && keylen &&
	    (rc = get(t, key, keylen, value)) == 0)
		t->with_nul = false;
	if (rc == DB_NOTFOUND)
		return 0;
	if (rc != 0)
		return db_err(err, rc, "table", "read");
	*value = without_nul(*value);
	return 1;
}

int
table_db_each(struct table_db *t, table_db_row_fn *fn, void *arg,
	      struct err *err)
{
	DBT k = { .data = NULL }, v = { .data = NULL };
	DBC *cursor;
	int rc;

	rc = t->db->cursor(t->db, NULL, &cursor, 0);
	if (rc != 0)
		return db_err(err, rc, "table", "cursor");
	while ((rc = cursor->get(cursor, &k, &v, DB_NEXT)) == 0)
		if (fn(arg, without_nul(str_mem(k.data, k.size)),
		       without_nul(str_mem(v.data, v.size))) < 0)
			break;
	cursor->close(cursor);
	if (rc != 0 && rc != DB_NOTFOUND)
		return db_err(err, rc, "table", "read");
	return 0;
}
