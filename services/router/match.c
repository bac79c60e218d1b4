/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "match.h"
#include "table/db.h"

enum { FILE_MAX = 16 << 20, DEPTH_MAX = 8 };

struct opening {
	struct match_list *list;
	struct table_set *set;
	struct pool *pool;
};

static int add_items(const struct opening *o, struct str items, bool negated,
		     unsigned depth, struct err *err);

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
}

static int
push(struct match_list *m, const struct match_item *item, struct err *err)
{
	size_t size = m->size ? m->size * 2 : 8;
	struct match_item *v = m->v;

	if (m->n == m->size) {
		v = reallocarray(m->v, size, sizeof(*v));
		if (!v)
			return no_memory(err);
		m->v = v;
		m->size = size;
	}
	v[m->n++] = *item;
	return 0;
}

/* A /FILE holds items in the same way as main.cf does, with postmap(5)'s
 * comments and continuation lines. */
static int
add_file(const struct opening *o, struct str path, bool negated, unsigned depth,
	 struct err *err)
{
	char name[PATH_MAX], to_open[PATH_MAX];
	struct text_walk w;
	struct str line;
	struct buf text;
	int rc = 0;

	if (depth >= DEPTH_MAX)
		return err_set(err, ERR_PERM, ELOOP, "%.*s: files too deep",
			       STR_FMT(str_head(path, 100)));
	if (!str_copy(name, sizeof(name), path) ||
	    table_set_path(o->set, name, to_open, sizeof(to_open)) < 0)
		return err_set(err, ERR_PERM, ENAMETOOLONG, "name too long");
	if (table_read_file(to_open, FILE_MAX, &text, err) < 0)
		return -1;
	text_init(&w, buf_str(&text));
	while (rc == 0 && (rc = text_line(&w, &line, err)) > 0)
		rc = add_items(o, line, negated, depth + 1, err);
	text_fini(&w);
	buf_fini(&text);
	return rc;
}

static int
add_items(const struct opening *o, struct str items, bool negated,
	  unsigned depth, struct err *err)
{
	struct str item;
	int rc = 0;

	while (rc == 0 && table_spec_next(&items, &item)) {
		struct match_item it = { .negated = negated };

		while (item.n && item.p[0] == '!') {
			it.negated = !it.negated;
			item = str_from(item, 1);
		}
		if (item.n == 0) {
			rc = err_set(err, ERR_PERM, EINVAL,
				     "\"!\" without a pattern");
		} else if (item.p[0] == '/') {
			rc = add_file(o, item, it.negated, depth, err);
		} else if (str_find(item, ':') >= 0 && item.p[0] != '[') {
			rc = table_set_get(o->set, item, &it.table, err);
			if (rc == 0)
				rc = push(o->list, &it, err);
		} else {
			it.name = pool_str(o->pool, item);
			rc = it.name.p ? push(o->list, &it, err)
				       : no_memory(err);
		}
	}
	return rc;
}

int
match_open(struct match_list *m, struct str items, struct table_set *set,
	   struct pool *pool, struct err *err)
{
	struct opening o = { .list = m, .set = set, .pool = pool };

	*m = (struct match_list){ 0 };
	if (add_items(&o, items, false, 0, err) == 0)
		return 0;
	match_close(m);
	return -1;
}

void
match_close(struct match_list *m)
{
	free(m->v);
	*m = (struct match_list){ 0 };
}

static bool
name_matches(const struct match_list *m, struct str pattern, struct str name)
{
	size_t more;

	if (str_ieq(pattern, name))
		return true;
	if (m->parents == MATCH_WHOLE || pattern.n == 0 ||
	    !str_iends(name, pattern) || name.n == pattern.n)
		return false;
	more = name.n - pattern.n;
	return m->parents == MATCH_BELOW ? name.p[more - 1] == '.'
					 : pattern.p[0] == '.';
}

static int
table_has(const struct match_list *m, struct table *t, struct str name,
	  struct err *err)
{
	struct str value;
	ptrdiff_t dot;
	int rc = table_get(t, name, &value, err);

	while (rc == 0 && m->parents != MATCH_WHOLE && name.n > 1 &&
	       (dot = str_find(str_from(name, 1), '.')) >= 0) {
		name = str_from(name, (size_t)dot + 1);
		rc = table_get(t, str_from(name, m->parents == MATCH_BELOW),
			       &value, err);
	}
	return rc;
}

int
match_has(const struct match_list *m, struct str name, struct err *err)
{
	size_t i;
	int rc;

	for (i = 0; i < m->n; i++) {
		const struct match_item *it = &m->v[i];

		rc = it->table ? table_has(m, it->table, name, err)
			       : name_matches(m, it->name, name);
		if (rc < 0)
			return -1;
		if (rc > 0)
			return !it->negated;
	}
	return 0;
}
