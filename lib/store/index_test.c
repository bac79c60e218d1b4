/* SPDX-License-Identifier: ISC */
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

static void
on_changed(void *arg, size_t slot)
{
	struct seen *s = arg;

	s->changed++;
	s->last = slot;
}

static void
on_added(void *arg, size_t slot)
{
	struct seen *s = arg;

	s->added++;
	s->last = slot;
}

static void
on_reset(void *arg)
{
	((struct seen *)arg)->resets++;
}

static uint32_t
fresh(void *arg, uint32_t above, struct err *err)
{
	(void)arg;
	(void)err;
	return above < 1000 ? 1000 : above + 1;
}

static const struct index_ops ops = { on_changed, on_added, on_reset, fresh };

static void
open_index(struct seen *s, int dir)
{
	struct err err = { 0 };

	*s = (struct seen){ 0 };
	s->ix = index_open(dir, "test", &ops, s, &err);
	if (!s->ix)
		fail_msg("%s", err.text);
}

static void
lock(struct seen *s)
{
	struct err err;

	if (index_lock(s->ix, &err) < 0)
		fail_msg("%s", err.text);
}

static void
commit(struct seen *s, bool sync)
{
	struct err err;

	if (index_commit(s->ix, sync, &err) < 0)
		fail_msg("%s", err.text);
	index_unlock(s->ix);
}

static void
catch_up(struct seen *s)
{
	struct err err;

	if (index_catch_up(s->ix, &err) < 0)
		fail_msg("%s", err.text);
}

/* n messages, named by their number from first on. */
static void
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
static void
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
static void
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

static size_t
length(int dir, const char *file)
{
	struct stat st;

	return fsx_fstatat(dir, file, &st) < 0 ? 0 : (size_t)st.st_size;
}

static void
on_range(void *arg, uint32_t lo, uint32_t hi)
{
	buf_addf(arg, "%u:%u ", lo, hi);
}

static void
test_life(void **state)
{
	struct index_totals t;
	uint32_t ids[2], set;
	struct buf ranges;
	uint64_t before;
	struct seen s;
	size_t i;
	int dir;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	open_index(&s, dir);
	same_again(&s, dir);
	add(&s, 1, 1000);
	assert_int_equal(s.added, 1000);
	index_totals(s.ix, &t);
	assert_int_equal(t.uidvalidity, 1000);
	assert_int_equal(t.uidnext, 1001);
	assert_int_equal(t.messages, 1000);
	assert_int_equal(t.unseen, 500);
	assert_int_equal(t.in_new, 500);
	assert_int_equal(t.unnamed, 0);
	before = t.highestmodseq;
	same_again(&s, dir);

	lock(&s);
	ids[1] = index_keyword_add(s.ix, STR("$Junk"));
	ids[0] = index_keyword_add(s.ix, STR("work"));
	assert_int_equal(index_keyword_add(s.ix, STR("WORK")), ids[0]);
	set = index_set_make(s.ix, ids, 2);
	for (i = 0; i < 300; i++)
		index_state(s.ix, i * 2, MAILDIR_FLAGGED, i % 3 ? set : 0);
	index_gone(s.ix, 10);
	index_gone(s.ix, 11);
	index_gone(s.ix, 700);
	index_named(s.ix, 1, MAILDIR_SEEN);
	index_set_recent(s.ix, 900);
	index_set_stamp(s.ix, &(struct index_stamp){ 1, 2, 3, 4 });
	commit(&s, false);
	assert_int_equal(s.changed, 303);
	index_totals(s.ix, &t);
	assert_int_equal(t.gone, 3);
	assert_int_equal(t.messages, 997);
	assert_int_equal(t.recent_from, 900);
	assert_true(index_flush_due(s.ix) > 0);
	assert_true(index_at(s.ix, 10)->gone);
	assert_null(index_find(s.ix, 11));
	assert_true(index_set_has(s.ix, index_at(s.ix, 2)->keywords, 0));
	buf_init(&ranges, 1000);
	assert_true(index_vanished(s.ix, before, on_range, &ranges));
	assert_string_equal(buf_cstr(&ranges), "11:12 701:701 ");
	buf_fini(&ranges);
	index_compact(s.ix);
	assert_int_equal(index_slots(s.ix), 997);
	assert_int_equal(index_at(s.ix, 10)->uid, 13);
	assert_int_equal(index_lower(s.ix, 11), 10);
	assert_int_equal(index_by_base(s.ix, STR("13.M.host,S=9")), 10);
	assert_int_equal(index_by_base(s.ix, STR("12.M.host,S=9")), -1);
	same_again(&s, dir);
	index_close(s.ix);
}

/* What is not committed did not happen; a disk that fails changes nothing. */
static void
test_undo(void **state)
{
	struct buf before, after;
	uint64_t call;
	struct seen s;
	struct err err;
	int dir, rc, failed = 0;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	open_index(&s, dir);
	add(&s, 1, 10);
	buf_init(&before, 1 << 20);
	buf_init(&after, 1 << 20);
	dump(s.ix, &before);
	lock(&s);
	index_keyword_add(s.ix, STR("gone"));
	index_state(s.ix, 3, MAILDIR_DRAFT, 0);
	index_unlock(s.ix);
	dump(s.ix, &after);
	assert_string_equal(buf_cstr(&after), buf_cstr(&before));
	for (call = 1; call < 10; call++) {
		fsx_mem_fail_at(fsx_mem_calls() + call, ENOSPC);
		rc = index_lock(s.ix, &err);
		if (rc == 0) {
			index_state(s.ix, 3, MAILDIR_DRAFT, 0);
			rc = index_commit(s.ix, true, &err);
			index_unlock(s.ix);
		}
		fsx_mem_fail_at(0, 0);
		if (rc == 0)
			dump(s.ix, &before);
		failed += rc < 0;
		dump(s.ix, &after);
		assert_string_equal(buf_cstr(&after), buf_cstr(&before));
	}
	assert_in_range(failed, 4, 9);
	same_again(&s, dir);
	index_close(s.ix);
	buf_fini(&before);
	buf_fini(&after);
}

/* Two processes see what the other did. */
static void
test_two(void **state)
{
	struct buf x, y;
	struct seen a, b;
	int dir;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	buf_init(&x, 1 << 20);
	buf_init(&y, 1 << 20);
	open_index(&a, dir);
	open_index(&b, dir);
	add(&a, 1, 20);
	catch_up(&b);
	assert_int_equal(b.added, 20);
	lock(&b);
	index_state(b.ix, 5, MAILDIR_TRASHED, 0);
	index_gone(b.ix, 6);
	commit(&b, false);
	add(&b, 100, 1);
	catch_up(&a);
	assert_int_equal(a.changed, 2);
	assert_int_equal(a.added, 21);
	dump(a.ix, &x);
	dump(b.ix, &y);
	assert_string_equal(buf_cstr(&x), buf_cstr(&y));
	/* The log vanishes: whoever comes first makes it again. */
	assert_int_equal(fsx_unlink(dir, "posthouse.log"), 0);
	add(&a, 200, 1);
	catch_up(&b);
	assert_int_equal(b.resets, 0);
	assert_int_equal(b.added, 22);
	dump(a.ix, &x);
	dump(b.ix, &y);
	assert_string_equal(buf_cstr(&x), buf_cstr(&y));
	index_close(a.ix);
	index_close(b.ix);
	buf_fini(&x);
	buf_fini(&y);
}

static void
test_blobs(void **state)
{
	struct seen a, b;
	struct str got;
	char text[100];
	size_t i, size;
	int dir;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	open_index(&a, dir);
	open_index(&b, dir);
	add(&a, 1, 2000);
	catch_up(&b);
	for (i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "blob of %zu", i);
		index_blob_put(a.ix, i, BLOB_SEND, str_of(text));
		index_blob_put(b.ix, i, BLOB_KEYS, str_of(text));
	}
	index_checkpoint(a.ix);
	index_checkpoint(b.ix);
	for (i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "blob of %zu", i);
		assert_true(
			index_blob(a.ix, index_at(a.ix, i), BLOB_SEND, &got));
		assert_true(str_eq(got, str_of(text)));
		assert_true(
			index_blob(b.ix, index_at(b.ix, i), BLOB_SEND, &got));
		assert_true(str_eq(got, str_of(text)));
		assert_true(
			index_blob(a.ix, index_at(a.ix, i), BLOB_KEYS, &got));
		assert_true(str_eq(got, str_of(text)));
	}
	index_close(a.ix);
	index_close(b.ix);
	open_index(&a, dir);
	assert_true(index_blob(a.ix, index_at(a.ix, 77), BLOB_SEND, &got));
	assert_true(str_eq(got, STR("blob of 77")));
	/* Of messages that are gone, they go. */
	size = length(dir, "posthouse.cache");
	lock(&a);
	for (i = 0; i < 1900; i++)
		index_gone(a.ix, i);
	commit(&a, true);
	index_compact(a.ix);
	index_checkpoint(a.ix);
	assert_true(length(dir, "posthouse.cache") < size / 10);
	assert_true(index_blob(a.ix, index_at(a.ix, 77), BLOB_SEND, &got));
	assert_true(str_eq(got, STR("blob of 1977")));
	assert_int_equal(fsx_unlink(dir, "posthouse.cache"), 0);
	index_close(a.ix);
	open_index(&a, dir);
	assert_false(index_blob(a.ix, index_at(a.ix, 77), BLOB_SEND, &got));
	index_close(a.ix);
}

/* --- damage --------------------------------------------------------------- */

/* Messages 1..LAST are named as add() does it, with UIDs from 1. */
enum { LAST = 700, TAIL = 20 };

/* A folder with a snapshot and a log that goes on behind it. */
static void
make_folder(int dir)
{
	struct seen s;

	open_index(&s, dir);
	add(&s, 1, LAST - TAIL);
	lock(&s);
	index_state(s.ix, 5, MAILDIR_DRAFT, 0);
	index_gone(s.ix, 100);
	commit(&s, false);
	same_again(&s, dir);
	lock(&s);
	index_state(s.ix, 6, MAILDIR_DRAFT, 0);
	commit(&s, true);
	add(&s, LAST - TAIL + 1, TAIL);
	index_close(s.ix);
}

static void
flip(int dir, const char *file, size_t bit)
{
	int fd = fsx_open(dir, file, O_RDWR, 0);
	char c;

	assert_int_equal(fsx_pread(fd, &c, 1, (off_t)(bit / 8)), 1);
	c ^= (char)(1 << bit % 8);
	assert_int_equal(fsx_pwrite(fd, &c, 1, (off_t)(bit / 8)), 1);
	fsx_close(fd);
}

static void
cut(int dir, const char *file, size_t n)
{
	int fd = fsx_open(dir, file, O_RDWR, 0);

	assert_int_equal(fsx_ftruncate(fd, (off_t)n), 0);
	fsx_close(fd);
}

/* Every message has its UID, or (the last ones) is not known; the next UID is
 * above all. */
static void
check_uids(struct seen *s, size_t at_least, uint32_t above)
{
	const struct message *m;
	struct index_totals t;
	char base[40];
	size_t i, n = 0;

	for (i = 0; i < index_slots(s->ix); i++) {
		m = index_at(s->ix, i);
		if (m->gone)
			continue;
		snprintf(base, sizeof(base), "%u.M.host,S=9", m->uid);
		assert_true(str_eq(index_base(s->ix, m), str_of(base)));
		assert_int_not_equal(m->uid, 101);
		n++;
	}
	index_totals(s->ix, &t);
	assert_int_equal(t.uidvalidity, 1000);
	assert_int_equal(t.messages, n);
	assert_true(n >= at_least);
	add(s, LAST + 1, 1);
	i = index_slots(s->ix) - 1;
	assert_true(index_at(s->ix, i)->uid > above);
}

/* Found by name, however that is done: what stands in the snapshot, behind it
 * (unless it is lost), and what is not there. */
static void
check_names(struct seen *s, bool all)
{
	static const unsigned uids[] = {
		1, 2, 100, 102, LAST - TAIL, LAST, 101
	};
	char base[40];
	ssize_t slot;
	size_t i;

	for (i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		snprintf(base, sizeof(base), "%u.M.host,S=9", uids[i]);
		slot = index_by_base(s->ix, str_of(base));
		if (uids[i] == 101)
			assert_int_equal(slot, -1);
		else if (uids[i] != LAST || all || slot >= 0)
			assert_int_equal(index_at(s->ix, (size_t)slot)->uid,
					 uids[i]);
	}
	assert_int_equal(index_by_base(s->ix, STR("nobody")), -1);
}

/* Damage to either file alone, before it is opened or (open) after. */
static void
try_damage(const struct memfs *good, bool open, const char *file, size_t bit,
	   bool truncate)
{
	bool snapshot = strcmp(file, "posthouse.index") == 0;
	struct seen s;
	int dir;

	fsx_mem_load(good);
	dir = fsx_mem_root();
	if (open)
		open_index(&s, dir);
	if (truncate && bit == 0)
		assert_int_equal(fsx_unlink(dir, file), 0);
	else if (truncate)
		cut(dir, file, bit / 8);
	else
		flip(dir, file, bit);
	if (!open)
		open_index(&s, dir);
	check_names(&s, snapshot || open);
	/* That the end was cut off can be known by who has it open only. */
	check_uids(&s, snapshot || open ? LAST - 1 : LAST - TAIL - 1,
		   truncate && !snapshot && !open ? LAST - TAIL : LAST);
	index_close(s.ix);
}

static void
test_damage(void **state)
{
	static const char *const files[] = { "posthouse.log",
					     "posthouse.index" };
	struct memfs good;
	size_t bits, at;
	int dir, i;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	make_folder(dir);
	memfs_copy(&good, fsx_mem_now());
	for (i = 0; i < 2; i++) {
		fsx_mem_load(&good);
		bits = length(fsx_mem_root(), files[i]) * 8;
		assert_true(bits > 8 * 40000);
		/* Densely at both ends. */
		for (at = 0; at < bits;
		     at += at < 4096 || at + 40000 > bits ? 451 : 9241) {
			try_damage(&good, false, files[i], at, false);
			try_damage(&good, true, files[i], at, false);
			try_damage(&good, false, files[i], at, true);
			try_damage(&good, true, files[i], at, true);
		}
	}
	memfs_fini(&good);
}

/* A blob is right or not there, and can be put again. */
static void
check_blobs(struct seen *s)
{
	char text[100];
	struct str got;
	size_t i;

	for (i = 0; i < 300; i++) {
		snprintf(text, sizeof(text), "a blob of slot %zu", i);
		if (index_blob(s->ix, index_at(s->ix, i), BLOB_KEYS, &got))
			assert_true(str_eq(got, str_of(text)));
		else
			index_blob_put(s->ix, i, BLOB_KEYS, str_of(text));
		assert_true(
			index_blob(s->ix, index_at(s->ix, i), BLOB_KEYS, &got));
		assert_true(str_eq(got, str_of(text)));
	}
	index_checkpoint(s->ix);
}

static void
try_blob_damage(const struct memfs *good, bool open, size_t bit, int how)
{
	static const char file[] = "posthouse.keys";
	struct seen s;
	struct str got;
	int dir;

	fsx_mem_load(good);
	dir = fsx_mem_root();
	if (open) {
		open_index(&s, dir);
		(void)index_blob(s.ix, index_at(s.ix, 3), BLOB_KEYS, &got);
	}
	if (how == 0)
		flip(dir, file, bit);
	else if (how == 1)
		cut(dir, file, bit / 8);
	else
		assert_int_equal(fsx_unlink(dir, file), 0);
	if (!open)
		open_index(&s, dir);
	check_blobs(&s);
	check_blobs(&s);
	index_close(s.ix);
	open_index(&s, dir);
	check_blobs(&s);
	index_close(s.ix);
}

static void
test_blob_damage(void **state)
{
	struct memfs good;
	struct seen s;
	size_t bits, at;
	int dir, how;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	open_index(&s, dir);
	add(&s, 1, 300);
	check_blobs(&s);
	index_close(s.ix);
	memfs_copy(&good, fsx_mem_now());
	bits = length(dir, "posthouse.keys") * 8;
	assert_true(bits > 8 * 5000);
	for (how = 0; how < 3; how++) {
		for (at = 0; at < bits; at += at < 400 ? 53 : 5003) {
			try_blob_damage(&good, false, at, how);
			try_blob_damage(&good, true, at, how);
		}
	}
	memfs_fini(&good);
}

/* Both are lost: another UIDVALIDITY. */
static void
test_both_lost(void **state)
{
	struct index_totals t;
	struct seen s;
	int dir;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	make_folder(dir);
	flip(dir, "posthouse.log", 8 * 100);
	flip(dir, "posthouse.index", 8 * 100);
	open_index(&s, dir);
	index_totals(s.ix, &t);
	assert_int_equal(t.uidvalidity, 1001);
	assert_int_equal(t.messages, 0);
	index_close(s.ix);
}

/* The log does not grow for ever, and nobody loses anything when it is made
 * anew. */
static void
test_compact(void **state)
{
	struct seen a, b;
	struct buf x, y;
	size_t i, j;
	int dir;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	buf_init(&x, 1 << 20);
	buf_init(&y, 1 << 20);
	open_index(&a, dir);
	open_index(&b, dir);
	add(&a, 1, 50);
	catch_up(&b);
	for (i = 0; i < 60; i++) {
		lock(&a);
		for (j = 0; j < 50; j++)
			index_state(a.ix, j, i + j, 0);
		commit(&a, false);
		index_checkpoint(a.ix);
	}
	lock(&b);
	index_gone(b.ix, 7);
	commit(&b, true);
	assert_in_range(length(dir, "posthouse.log"), 1000, 70000);
	catch_up(&a);
	dump(a.ix, &x);
	dump(b.ix, &y);
	assert_string_equal(buf_cstr(&x), buf_cstr(&y));
	assert_int_equal(a.resets + b.resets, 0);
	same_again(&a, dir);
	index_close(a.ix);
	index_close(b.ix);
	buf_fini(&x);
	buf_fini(&y);
}

/* A log that somebody made up: no modseq is left. */
static void
test_last_modseq(void **state)
{
	const struct ilog_header h = { 7, 1, INT64_MAX, 0, 1 };
	struct index_new a = { .base = STR("1.x") };
	struct buf log;
	struct seen s;
	struct err err;
	int dir, fd;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	buf_init(&log, 100);
	ilog_put_header(&log, &h);
	fd = fsx_open(dir, ILOG_NAME, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(fsx_write_all(fd, log.p, log.n, &err), 0);
	fsx_close(fd);
	buf_fini(&log);
	open_index(&s, dir);
	lock(&s);
	assert_int_equal(index_add(s.ix, &a), 1);
	assert_int_equal(index_commit(s.ix, true, &err), -1);
	index_unlock(s.ix);
	assert_int_equal(index_slots(s.ix), 0);
	index_close(s.ix);
}

/* A block of the snapshot is bad, and the log cannot be read when it is needed:
 * what is unknown then is not forgotten. */
static void
test_unread(void **state)
{
	struct memfs good;
	struct index_totals t;
	struct seen s, other;
	struct err err;
	uint64_t call;
	int dir;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	open_index(&s, dir);
	add(&s, 1, 600);
	index_close(s.ix);
	flip(dir, "posthouse.index", 8 * (length(dir, "posthouse.index") / 2));
	memfs_copy(&good, fsx_mem_now());
	for (call = 1; call < 30; call++) {
		fsx_mem_load(&good);
		dir = fsx_mem_root();
		open_index(&s, dir);
		open_index(&other, dir);
		lock(&other);
		index_state(other.ix, 300, MAILDIR_FLAGGED, 0);
		commit(&other, true);
		fsx_mem_fail_at(fsx_mem_calls() + call, EIO);
		(void)!index_catch_up(s.ix, &err);
		fsx_mem_fail_at(0, 0);
		catch_up(&s);
		assert_non_null(index_find(s.ix, 301));
		index_compact(s.ix);
		add(&s, 601, 1);
		index_close(s.ix);
		index_close(other.ix);
		open_index(&s, dir);
		index_totals(s.ix, &t);
		assert_int_equal(t.messages, 601);
		assert_int_equal(index_slots(s.ix), 601);
		assert_int_equal(index_at(s.ix, 300)->uid, 301);
		index_close(s.ix);
	}
	memfs_fini(&good);
}

/* One name more in a large folder, now and then: little is read for it; nothing
 * once there is a table. */
static void
test_large(void **state)
{
	struct seen s;
	uint64_t calls;
	int i;

	(void)state;
	fsx_mem_reset();
	open_index(&s, fsx_mem_root());
	add(&s, 1, 5000);
	index_close(s.ix);
	open_index(&s, fsx_mem_root());
	calls = fsx_mem_calls();
	assert_int_equal(index_by_base(s.ix, STR("5001.M.host,S=9")), -1);
	assert_int_equal(index_by_base(s.ix, STR("4711.M.host,S=9")), 4710);
	assert_in_range(fsx_mem_calls() - calls, 1, 6);
	for (i = 0; i < 40; i++)
		assert_int_equal(index_by_base(s.ix, STR("nobody")), -1);
	index_trim(s.ix);
	calls = fsx_mem_calls();
	assert_int_equal(index_by_base(s.ix, STR("5001.M.host,S=9")), -1);
	assert_int_equal(fsx_mem_calls(), calls);
	add(&s, 5001, 1);
	assert_int_equal(index_by_base(s.ix, STR("5001.M.host,S=9")), 5000);
	/* Nobody asks any more. */
	index_trim(s.ix);
	index_trim(s.ix);
	calls = fsx_mem_calls();
	for (i = 0; i < 40; i++)
		assert_int_equal(index_by_base(s.ix, STR("1.M.host,S=9")), 0);
	assert_true(fsx_mem_calls() > calls + 10);
	index_close(s.ix);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_modseq),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_blobs),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_blob_damage),
		cmocka_unit_test(test_both_lost),
		cmocka_unit_test(test_compact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
