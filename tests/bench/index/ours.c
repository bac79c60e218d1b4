/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "store/index.h"

static struct index *ix;
static int dir;

static void
ignore(void *arg, size_t slot)
{
	(void)arg;
	(void)slot;
}

static void
ignore_reset(void *arg)
{
	(void)arg;
}

static uint32_t
fresh(void *arg, uint32_t above, struct err *err)
{
	(void)arg;
	(void)err;
	return above + 1;
}

static bool
ours_open(void)
{
	static const struct index_ops ops = { ignore, ignore, ignore_reset,
					      fresh };
	struct err err;

	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ix = index_open(dir, "bench", &ops, NULL, &err);
	return ix != NULL;
}

static void
ours_close(void)
{
	index_close(ix);
	close(dir);
}

static bool
done(enum durable how)
{
	struct err err;
	int rc = index_commit(ix, how == SYNCED, &err);

	index_unlock(ix);
	return rc == 0;
}

static bool
ours_add(uint32_t first, uint32_t n, enum durable how)
{
	struct record r;
	char name[256];
	struct err err;
	uint32_t i;

	if (index_lock(ix, &err) < 0)
		return false;
	for (i = first; i < first + n; i++) {
		make_record(i, &r);
		make_name(i, name);
		if (index_add(ix, &(struct index_new){ .base = str_of(name),
						       .disk = r.disk,
						       .flags = r.flags,
						       .wsize = r.wsize,
						       .mtime = r.mtime }) != i)
			return false;
	}
	return done(how);
}

static bool
ours_change(uint32_t first, uint32_t n, uint32_t step, uint64_t flags,
	    enum durable how)
{
	struct err err;
	uint32_t i;

	if (index_lock(ix, &err) < 0)
		return false;
	for (i = 0; i < n; i++)
		index_state(ix, index_lower(ix, first + i * step), flags, 0);
	return done(how);
}

static bool
ours_put_blobs(uint32_t first, uint32_t n)
{
	char blob[BLOB_LENGTH];
	uint32_t i;

	for (i = first; i < first + n; i++) {
		make_blob(i, blob);
		index_blob_put(ix, index_lower(ix, i), BLOB_SEND,
			       str_mem(blob, sizeof(blob)));
	}
	return true;
}

static uint64_t
ours_walk(size_t *n)
{
	uint64_t sum = 0;
	size_t i;

	*n = index_slots(ix);
	for (i = 0; i < *n; i++)
		sum += index_at(ix, i)->flags;
	return sum;
}

static bool
ours_get(uint32_t uid, struct record *r, char name[256], const char **blob,
	 size_t *blob_n)
{
	const struct message *m = index_find(ix, uid);
	struct str s;

	if (!m)
		return false;
	*r = (struct record){ m->flags, m->modseq, m->disk,
			      m->wsize, m->mtime,  m->keywords };
	if (!str_copy(name, 256, index_base(ix, m)))
		return false;
	m = index_find(ix, uid);
	*blob_n = 0;
	if (index_blob(ix, m, BLOB_SEND, &s)) {
		*blob = s.p;
		*blob_n = s.n;
	}
	return true;
}

static bool
ours_by_name(uint32_t uid)
{
	char name[256];
	ssize_t slot;

	make_name(uid, name);
	slot = index_by_base(ix, str_of(name));
	return slot >= 0 && index_at(ix, (size_t)slot)->uid == uid;
}

static void
ours_settle(void)
{
	struct err err;

	if (index_flush(ix, &err) == 0)
		index_checkpoint(ix);
}

static const char *const files[] = { "posthouse.log", "posthouse.index",
				     "posthouse.cache", NULL };
const struct engine engine_ours = {
	.name = "ours",
	.open = ours_open,
	.close = ours_close,
	.add = ours_add,
	.change = ours_change,
	.put_blobs = ours_put_blobs,
	.walk = ours_walk,
	.get = ours_get,
	.by_name = ours_by_name,
	.settle = ours_settle,
	.files = files,
};
