/* SPDX-License-Identifier: ISC */
#ifndef STORE_TESTBED_INDEX_H
#define STORE_TESTBED_INDEX_H

/* An index on the disk in memory, for its tests. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fsx_mem.h"
#include "base/unit.h"
#include "store/index.h"
#include "store/index_log.h"

/* One process that has the folder open, and what it was told. */
struct seen {
	struct index *ix;
	size_t changed, added, resets;
	size_t last;
};

static inline void
on_changed(void *arg, size_t slot)
{
	struct seen *s = arg;

	s->changed++;
	s->last = slot;
}

static inline void
on_added(void *arg, size_t slot)
{
	struct seen *s = arg;

	s->added++;
	s->last = slot;
}

static inline void
on_reset(void *arg)
{
	((struct seen *)arg)->resets++;
}

static inline uint32_t
fresh(void *arg, uint32_t above, struct err *err)
{
	(void)arg;
	(void)err;
	return above < 1000 ? 1000 : above + 1;
}

static const struct index_ops ops = { on_changed, on_added, on_reset, fresh };

static inline void
open_index(struct seen *s, int dir)
{
	struct err err = { 0 };

	*s = (struct seen){ 0 };
	s->ix = index_open(dir, "test", &ops, s, &err);
	if (!s->ix)
		fail_msg("%s", err.text);
}

static inline void
lock(struct seen *s)
{
	struct err err;

	if (index_lock(s->ix, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void
commit(struct seen *s, bool sync)
{
	struct err err;

	if (index_commit(s->ix, sync, &err) < 0)
		fail_msg("%s", err.text);
	index_unlock(s->ix);
}

static inline void
catch_up(struct seen *s)
{
	struct err err;

	if (index_catch_up(s->ix, &err) < 0)
		fail_msg("%s", err.text);
}

/* n messages, named by their number from first on. */
static inline void
add(struct seen *s, unsigned first, unsigned n)
{
	struct index_new a = { .wsize = 100, .mtime = 5 };
	char base[40];

	lock(s);
	for (; n; n--, first++) {
		snprintf(base, sizeof(base), "%u.M.host,S=9", first);
		a.base = str_of(base);
		a.disk = first % 2 ? MESSAGE_IN_NEW : MAILDIR_SEEN;
		a.flags = first % 2 ? 0 : MAILDIR_SEEN;
		assert_int_not_equal(index_add(s->ix, &a), 0);
	}
	commit(s, true);
}

/* All that can be seen, as text. */
static inline void
dump(struct index *ix, struct buf *out)
{
	const struct message *m;
	struct index_totals t;
	size_t i;

	buf_reset(out);
	index_totals(ix, &t);
	buf_addf(out, "%u %u %u %llu: %llu %llu %llu %llu %llu\n",
		 t.uidvalidity, t.uidnext, t.recent_from,
		 (unsigned long long)t.highestmodseq,
		 (unsigned long long)t.messages, (unsigned long long)t.unseen,
		 (unsigned long long)t.deleted, (unsigned long long)t.in_new,
		 (unsigned long long)t.unnamed);
	for (i = 0; i < index_keywords(ix); i++)
		buf_addf(out, "%s ", index_keyword(ix, (uint32_t)i));
	for (i = 0; i < index_slots(ix); i++) {
		m = index_at(ix, i);
		if (m->gone)
			continue;
		buf_addf(out, "%u %u %llx %llx %llu %llu %lld %.*s\n", m->uid,
			 m->keywords, (unsigned long long)m->flags,
			 (unsigned long long)m->disk,
			 (unsigned long long)m->modseq,
			 (unsigned long long)m->wsize, (long long)m->mtime,
			 STR_FMT(index_base(ix, m)));
	}
}

/* Open again: it says the same. */
static inline void
same_again(struct seen *s, int dir)
{
	struct buf before, after;

	buf_init(&before, 1 << 26);
	buf_init(&after, 1 << 26);
	dump(s->ix, &before);
	index_close(s->ix);
	open_index(s, dir);
	dump(s->ix, &after);
	assert_string_equal(buf_cstr(&after), buf_cstr(&before));
	buf_fini(&before);
	buf_fini(&after);
}

static inline size_t
length(int dir, const char *file)
{
	struct stat st;

	return fsx_fstatat(dir, file, &st) < 0 ? 0 : (size_t)st.st_size;
}

static inline void
on_range(void *arg, uint32_t lo, uint32_t hi)
{
	buf_addf(arg, "%u:%u ", lo, hi);
}

static inline void
flip(int dir, const char *file, size_t bit)
{
	int fd = fsx_open(dir, file, O_RDWR, 0);
	char c;

	assert_int_equal(fsx_pread(fd, &c, 1, (off_t)(bit / 8)), 1);
	c ^= (char)(1 << bit % 8);
	assert_int_equal(fsx_pwrite(fd, &c, 1, (off_t)(bit / 8)), 1);
	fsx_close(fd);
}

#endif
