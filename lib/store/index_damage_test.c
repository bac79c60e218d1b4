/* SPDX-License-Identifier: ISC */
/* The index, when its files are damaged. */
#include "store/testbed_index.h"

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

/* A log that is read in several pieces, whole and with something bad in it. */
static void
test_long_log(void **state)
{
	enum { MANY = 70000, AT = (4 << 20) + 100000 };
	struct index_totals t;
	struct seen s;
	int dir;

	(void)state;
	fsx_mem_reset();
	dir = fsx_mem_root();
	open_index(&s, dir);
	add(&s, 1, MANY / 2);
	add(&s, MANY / 2 + 1, MANY / 2 - 1);
	add(&s, MANY, 1);
	index_close(s.ix);
	assert_true(length(dir, "posthouse.log") > AT);
	assert_int_equal(fsx_unlink(dir, "posthouse.index"), 0);
	open_index(&s, dir);
	index_totals(s.ix, &t);
	assert_int_equal(t.messages, MANY);
	assert_int_equal(t.uidnext, MANY + 1);
	index_close(s.ix);
	/* What was bad was promised, and nobody else knows it. */
	flip(dir, "posthouse.log", 8ull * AT);
	assert_int_equal(fsx_unlink(dir, "posthouse.index"), 0);
	open_index(&s, dir);
	index_totals(s.ix, &t);
	assert_int_equal(t.uidvalidity, 1001);
	assert_int_equal(t.messages, 0);
	index_close(s.ix);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_blob_damage),
		cmocka_unit_test(test_both_lost),
		cmocka_unit_test(test_long_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
