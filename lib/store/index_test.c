/* SPDX-License-Identifier: ISC */
#include "store/testbed_index.h"

static void
test_life(void **state)
{
	struct index_totals t;
	/* IMAP could not say them (RFC 9051 9). */
	static const char *const no_names[] = { "",    "a b", ")",   "a\"b",
						"\\x", "a]",  "{5}", "gr\xfcn",
						"*",   "%" };
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
	for (i = 0; i < sizeof(no_names) / sizeof(no_names[0]); i++)
		assert_int_equal(index_keyword_add(s.ix, str_of(no_names[i])),
				 KEYWORD_NONE);
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
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_blobs),
		cmocka_unit_test(test_compact),
		cmocka_unit_test(test_last_modseq),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
