/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "table/type.h"

enum { LOOK_MS = 1000, KEY_MAX = 2048 };

static const struct table_type *const types[] = {
	&table_type_hash, &table_type_btree,  &table_type_texthash,
	&table_type_cidr, &table_type_inline, &table_type_static,
	&table_type_unix,
};

struct table_set {
	struct pool pool;
	struct map by_spec;
	struct rows *users;
	const struct table_dir *dirs;
};

struct table_set *
table_set_new(void)
{
	struct table_set *set = calloc(1, sizeof(*set));

	if (set)
		pool_init(&set->pool, 16 << 20);
	return set;
}

static void
table_shut(struct table *t)
{
	if (t->data)
		t->type->close(t);
	t->data = NULL;
}

void
table_set_free(struct table_set *set)
{
	struct table *t;
	size_t i = 0;

	if (!set)
		return;
	while ((t = map_next(&set->by_spec, &i)))
		table_shut(t);
	map_fini(&set->by_spec);
	rows_free(set->users);
	pool_fini(&set->pool);
	free(set);
}

void
table_set_dirs(struct table_set *set, const struct table_dir *dirs)
{
	set->dirs = dirs;
}

int
table_set_path(const struct table_set *set, const char *path, char *out,
	       size_t max)
{
	const struct table_dir *d;
	const char *slash = strrchr(path, '/');
	struct str dir =
		slash > path ? str_mem(path, (size_t)(slash - path)) : STR("/");
	int n = -1;

	for (d = set->dirs; slash && d && d->path; d++)
		if (str_eq(dir, str_of(d->path)))
			n = snprintf(out, max, "/proc/self/fd/%d%s", d->fd,
				     slash);
	if (n < 0)
		n = snprintf(out, max, "%s", path);
	return n < 0 || (size_t)n >= max ? -1 : 0;
}

const struct rows *
table_set_users(const struct table_set *set)
{
	return set->users;
}

int
table_set_passwd(struct table_set *set, struct str text, struct err *err)
{
	struct rows *users = rows_of_passwd(text);

	if (!users)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	rows_free(set->users);
	set->users = users;
	return 0;
}

/* --- specs --------------------------------------------------------------- */

static const struct table_type *
type_find(struct str name)
{
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (str_eq(str_of(types[i]->name), name))
			return types[i];
	return NULL;
}

bool
table_spec_file(struct str spec, struct str *path)
{
	const struct table_type *type;
	struct str name;

	if (!table_spec_split(spec, &name, path))
		return false;
	type = type_find(name);
	return type && type->file;
}

static int
check_spec(struct str spec, const struct table_type **type, struct str *name,
	   struct err *err)
{
	struct str type_name;

	if (!table_spec_split(spec, &type_name, name))
		return err_set(err, ERR_PERM, EINVAL,
			       "table \"%.*s\": want TYPE:NAME",
			       STR_FMT(str_head(spec, 100)));
	*type = type_find(type_name);
	if (!*type)
		return err_set(err, ERR_PERM, EINVAL,
			       "table \"%.*s\": unknown type, want hash, "
			       "btree, texthash, cidr, inline, static or unix",
			       STR_FMT(str_head(spec, 100)));
	if ((*type)->file && (name->p[0] != '/' || str_find(*name, '\0') >= 0))
		return err_set(err, ERR_PERM, EINVAL,
			       "table \"%.*s\": want an absolute path",
			       STR_FMT(str_head(spec, 100)));
	return 0;
}

int
table_set_get(struct table_set *set, struct str spec, struct table **out,
	      struct err *err)
{
	const struct table_type *type = NULL;
	char path[PATH_MAX];
	struct str name, key, to_open;
	struct table *t;

	*out = map_get(&set->by_spec, spec);
	if (*out)
		return 0;
	if (check_spec(spec, &type, &name, err) < 0)
		return -1;
	t = pool_alloc(&set->pool, sizeof(*t));
	key = pool_str(&set->pool, spec);
	name = pool_str(&set->pool, name);
	if (!t || !key.p || !name.p)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	if (!type->file)
		path[0] = '\0';
	else if (table_set_path(set, name.p, path, sizeof(path)) < 0)
		return err_set(err, ERR_PERM, ENAMETOOLONG, "table \"%s\": %s",
			       key.p, "name too long");
	to_open = pool_str(&set->pool, str_of(path));
	if (!to_open.p)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	t->path = to_open.p;
	t->type = type;
	t->set = set;
	t->spec = key.p;
	t->name = name.p;
	/* What stands in main.cf itself is right or wrong for good. */
	if (!type->file && type->open(t, err) < 0)
		return -1;
	if (map_put(&set->by_spec, key, t) < 0) {
		table_shut(t);
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	*out = t;
	return 0;
}

/* --- files --------------------------------------------------------------- */

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Is the text newer than the map file made from it?  Worth a line. */
static void
warn_if_old(const struct table *t)
{
	struct stat source;

	if (t->type->suffix[0] && stat(t->path, &source) == 0 &&
	    source.st_mtim.tv_sec > t->seen.st_mtim.tv_sec)
		log_warn("table %s%s is older than its source file %s: "
			 "run posthouse map",
			 t->name, t->type->suffix, t->name);
}

static void
look(struct table *t)
{
	struct str path;
	struct pool pool;
	struct stat st;

	pool_init(&pool, 8192);
	path = pool_strf(&pool, "%s%s", t->path, t->type->suffix);
	if (!path.p) {
		err_set(&t->why, ERR_TEMP, ENAMETOOLONG, "name too long");
		table_shut(t);
	} else if (stat(path.p, &st) < 0) {
		err_sys(&t->why, errno, "%s%s", t->name, t->type->suffix);
		table_shut(t);
	} else if (!t->data || !same_file(&st, &t->seen)) {
		table_shut(t);
		/* Changed between stat and open: the next look sees it. */
		t->seen = st;
		if (t->type->open(t, &t->why) == 0)
			warn_if_old(t);
	}
	pool_fini(&pool);
	t->why.class = ERR_TEMP;
	if (!t->data && !t->gave_up)
		log_warn("table %s: %s", t->spec, t->why.text);
	t->gave_up = !t->data;
}

int
table_get(struct table *t, struct str key, struct str *value, struct err *err)
{
	char folded[KEY_MAX];
	uint64_t now;
	size_t i;
	int rc;

	if (t->type->file) {
		now = clock_mono_ms();
		if (now >= t->next_look_ms) {
			look(t);
			t->next_look_ms = now + LOOK_MS;
		}
		if (!t->data) {
			if (err)
				*err = t->why;
			return -1;
		}
	}
	if (key.n >= sizeof(folded))
		return 0;
	for (i = 0; i < key.n; i++)
		folded[i] = t->type->fold ? ascii_lower(key.p[i]) : key.p[i];
	folded[i] = '\0';
	rc = t->type->get(t, str_mem(folded, key.n), value, err);
	if (rc < 0 && t->type->file) {
		if (err)
			log_warn("table %s: %s", t->spec, err->text);
		/* A damaged file may be replaced: open it anew next time. */
		table_shut(t);
		err_set(&t->why, ERR_TEMP, EIO, "%s: read error", t->spec);
		t->gave_up = true;
	}
	return rc;
}

/* --- lists --------------------------------------------------------------- */

int
table_list_open(struct table_list *l, struct table_set *set, struct str specs,
		struct err *err)
{
	struct str rest = specs, spec;
	size_t n = 0;

	*l = (struct table_list){ 0 };
	while (table_spec_next(&rest, &spec))
		n++;
	if (n == 0)
		return 0;
	l->v = calloc(n, sizeof(struct table *));
	if (!l->v)
		return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	for (rest = specs; table_spec_next(&rest, &spec); l->n++)
		if (table_set_get(set, spec, &l->v[l->n], err) < 0) {
			table_list_close(l);
			return -1;
		}
	return 0;
}

void
table_list_close(struct table_list *l)
{
	free(l->v);
	*l = (struct table_list){ 0 };
}

int
table_list_get(const struct table_list *l, struct str key, struct str *value,
	       struct err *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < l->n && rc == 0; i++)
		rc = table_get(l->v[i], key, value, err);
	return rc;
}

void
table_warn(void *arg, unsigned line, const char *text)
{
	const struct table *t = arg;

	log_warn("%s, line %u: %s", t->name, line, text);
}
