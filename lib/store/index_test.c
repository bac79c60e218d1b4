/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fsx_mem.h"
#include "base/unit.h"
#include "store/index.h"

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
	size_t i;
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
	assert_int_equal(fsx_unlink(dir, "posthouse.cache"), 0);
	index_close(a.ix);
	open_index(&a, dir);
	assert_false(index_blob(a.ix, index_at(a.ix, 77), BLOB_SEND, &got));
	index_close(a.ix);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_blobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
