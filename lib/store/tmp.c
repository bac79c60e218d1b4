/* SPDX-License-Identifier: ISC */
/* What writers that were killed left in tmp/: maildir(5) has it removed when it
 * is older than 36 hours. */
#include <dirent.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"
#include "base/map.h"
#include "base/pool.h"
#include "store/adopt.h"
#include "store/store_int.h"

enum {
	AGE_S = 36 * 3600,
	LEFT_MAX = 1000, /* at once; the others at the next opening */
};

struct left {
	char *name;
	bool keep;
};

static bool
is_old(const struct stat *st, int64_t now)
{
	int64_t last = st->st_mtim.tv_sec > st->st_ctim.tv_sec
			       ? st->st_mtim.tv_sec
			       : st->st_ctim.tv_sec;

	return S_ISREG(st->st_mode) && last < now - AGE_S;
}

/* Old files, by name; how many. */
static size_t
find(struct mailbox *mb, struct left *v, struct map *by_name, struct pool *pool)
{
	int64_t now = (int64_t)(clock_wall_us() / 1000000);
	struct fsx_dir *d = fsx_opendir(mb->tmp, ".");
	const char *name;
	struct stat st;
	struct str copy;
	size_t n = 0;

	while (d && n < LEFT_MAX && (name = fsx_readdir(d, NULL))) {
		if (fsx_fstatat(mb->tmp, name, &st) < 0 || !is_old(&st, now))
			continue;
		copy = pool_str(pool, str_of(name));
		if (!copy.p || map_put(by_name, copy, &v[n]) < 0)
			break;
		v[n++].name = (char *)(uintptr_t)copy.p;
	}
	if (d)
		fsx_closedir(d);
	return n;
}

/* A message's own file, which is still to get its place (scan.c). */
static void
spare_ours(struct mailbox *mb, const struct map *by_name)
{
	const struct message *m;
	struct left *l;
	size_t i;

	for (i = 0; i < index_slots(mb->ix); i++) {
		m = index_at(mb->ix, i);
		l = m->gone ? NULL
			    : map_get(by_name,
				      adopt_tmp_name(index_base(mb->ix, m)));
		if (l)
			l->keep = true;
	}
}

void
tmp_sweep(struct mailbox *mb)
{
	struct map by_name = { 0 };
	struct pool pool;
	struct left *v;
	size_t i, n, done = 0;

	if (mb->tmp_swept)
		return;
	mb->tmp_swept = true;
	pool_init(&pool, LEFT_MAX * (NAME_MAX + 1) * 2);
	v = calloc(LEFT_MAX, sizeof(*v));
	n = v ? find(mb, v, &by_name, &pool) : 0;
	if (n)
		spare_ours(mb, &by_name);
	for (i = 0; i < n; i++)
		if (!v[i].keep && fsx_unlink(mb->tmp, v[i].name) == 0)
			done++;
	if (done)
		log_info("%s: %zu files of writers that were killed removed "
			 "from tmp",
			 mb->name, done);
	map_fini(&by_name);
	pool_fini(&pool);
	free(v);
}
