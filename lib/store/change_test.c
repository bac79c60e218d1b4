/* SPDX-License-Identifier: ISC */
/* What sessions change: flags and keywords, copies, new messages. */
#include "store/index_log.h"
#include "store/testbed.h"

static void
test_copy(void **state)
{
	struct env *e = *state;
	struct mailbox *src, *dst;
	uint32_t uids[2] = { 1, 3 }, first;
	int64_t t;

	put(e, "Maildir/cur/1000.a:2,S", "x\n");
	put(e, "Maildir/cur/1001.b:2,", "y\n");
	put(e, "Maildir/new/1002.c", "z\n");
	assert_int_equal(store_create(e->st, STR("Copy"), &e->err), 0);
	src = box(e, "INBOX");
	dst = box(e, "Copy");
	append(e, dst, "q\r\n", 0);
	assert_int_equal(mailbox_copy(src, uids, 2, dst, &first, &e->err), 0);
	assert_int_equal(first, 2);
	assert_int_equal(count(dst), 3);
	assert_int_equal(nth(dst, 1)->flags, MAILDIR_SEEN);
	assert_int_equal(mailbox_mtime(dst, 1, &t, &e->err), 0);
	assert_int_equal(t, 1000000000);
	/* All or nothing. */
	unlinkat(e->root, "Maildir/new/1002.c", 0);
	assert_int_equal(mailbox_copy(src, uids, 2, dst, &first, &e->err), -1);
	assert_int_equal(mailbox_refresh(dst, &e->err), 0);
	assert_int_equal(count(dst), 3);
	/* Into itself. */
	assert_int_equal(mailbox_copy(dst, uids, 2, dst, &first, &e->err), 0);
	assert_int_equal(count(dst), 5);
	mailbox_release(src);
	mailbox_release(dst);
}
/* RFC 3502: all or none. */
static void
test_multiappend(void **state)
{
	struct env *e = *state;
	struct append_info info[3] = { { .flags = 0 },
				       { .flags = MAILDIR_SEEN },
				       { .flags = 0 } };
	struct store_append *v[3];
	struct mailbox *mb = box(e, "INBOX");
	uint32_t first;
	size_t i;

	for (i = 0; i < 3; i++) {
		v[i] = append_begin(mb, &e->err);
		assert_non_null(v[i]);
		assert_int_equal(append_write(v[i], STR("x\r\n"), &e->err), 0);
	}
	assert_int_equal(append_commit_all(v, info, 3, &first, &e->err), 0);
	assert_int_equal(first, 1);
	assert_int_equal(count(mb), 3);
	assert_int_equal(nth(mb, 1)->flags, MAILDIR_SEEN);
	mailbox_release(mb);
}
static void
test_keywords(void **state)
{
	static const struct str names[] = { STR("$Junk"), STR("Work") };
	struct env *e = *state;
	struct flag_change c = { .how = FLAGS_ADD,
				 .keywords = names,
				 .nkeywords = 2 };
	uint32_t uids[2] = { 1, 2 }, first, work;
	struct mailbox *mb, *dst;
	uint64_t mod;

	put(e, "Maildir/cur/1000.a:2,T", "x\n");
	put(e, "Maildir/cur/1001.b:2,", "x\n");
	mb = box(e, "INBOX");
	assert_int_equal(mailbox_change(mb, uids, 2, &c, &e->err), 0);
	work = mailbox_keyword_find(mb, STR("work"));
	assert_int_not_equal(work, KEYWORD_NONE);
	assert_true(mailbox_has_keyword(mb, nth(mb, 0), work));
	assert_int_equal(nth(mb, 0)->modseq, nth(mb, 1)->modseq);
	/* Again: nothing changes. */
	mod = nth(mb, 0)->modseq;
	assert_int_equal(mailbox_change(mb, uids, 2, &c, &e->err), 0);
	assert_int_equal(nth(mb, 0)->modseq, mod);
	c.how = FLAGS_REMOVE;
	c.nkeywords = 1;
	assert_int_equal(mailbox_change(mb, uids, 1, &c, &e->err), 0);
	assert_true(mailbox_has_keyword(mb, nth(mb, 0), work));
	assert_false(mailbox_has_keyword(
		mb, nth(mb, 0), mailbox_keyword_find(mb, STR("$Junk"))));
	c = (struct flag_change){ .how = FLAGS_SET, .flags = MAILDIR_SEEN };
	assert_int_equal(mailbox_change(mb, uids, 1, &c, &e->err), 0);
	assert_int_equal(nth(mb, 0)->keywords, 0);
	assert_int_equal(nth(mb, 0)->flags, MAILDIR_SEEN);
	/* They go along with a copy. */
	assert_int_equal(store_create(e->st, STR("K"), &e->err), 0);
	dst = box(e, "K");
	assert_int_equal(mailbox_copy(mb, uids + 1, 1, dst, &first, &e->err),
			 0);
	work = mailbox_keyword_find(dst, STR("Work"));
	assert_true(mailbox_has_keyword(dst, nth(dst, 0), work));
	mailbox_release(dst);
	mailbox_release(mb);
}
/* --- what is written behind ------------------------------------------------
 */

static void
count_refused(void *arg, size_t i)
{
	*(size_t *)arg += i + 1;
}

/* RFC 7162 3.1.3, of what another process has changed. */
static void
test_unchanged_since(void **state)
{
	struct env *e = *state;
	struct store *other;
	struct mailbox *mb, *theirs;
	uint32_t uids[2] = { 1, 2 };
	size_t refused = 0;
	struct flag_change c = { .how = FLAGS_ADD,
				 .flags = MAILDIR_SEEN,
				 .refused = count_refused,
				 .arg = &refused };

	put(e, "Maildir/cur/1000.a:2,", "x\n");
	put(e, "Maildir/cur/1001.b:2,", "x\n");
	mb = box(e, "INBOX");
	c.since = nth(mb, 1)->modseq;
	other = store_open(e->root, "Maildir", "host.example", &e->err);
	assert_non_null(other);
	theirs = mailbox_open(other, STR("INBOX"), &e->err);
	assert_non_null(theirs);
	flag(e, theirs, 2, FLAGS_ADD, MAILDIR_FLAGGED);
	assert_int_equal(mailbox_change(mb, uids, 2, &c, &e->err), 0);
	assert_int_equal(refused, 2);
	assert_int_equal(nth(mb, 0)->flags, MAILDIR_SEEN);
	assert_int_equal(nth(mb, 1)->flags, MAILDIR_FLAGGED);
	mailbox_release(theirs);
	store_close(other);
	mailbox_release(mb);
}

static void
test_names_follow(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	struct index_totals t;
	int ms;

	put(e, "Maildir/cur/1000.a:2,", "x\n");
	mb = box(e, "INBOX");
	flag(e, mb, 1, FLAGS_ADD, MAILDIR_SEEN);
	assert_true(there(e, "Maildir/cur/1000.a:2,"));
	store_work(e->st, &ms);
	assert_true(ms > 0 && ms <= 1000); /* the log's sync */
	mailbox_totals(mb, &t);
	assert_int_equal(t.unnamed, 1);
	store_finish(e->st);
	assert_true(there(e, "Maildir/cur/1000.a:2,S"));
	mailbox_totals(mb, &t);
	assert_int_equal(t.unnamed, 0);
	/* Nothing to be read: our own renames are known. */
	refresh(e, mb);
	assert_int_equal(nth(mb, 0)->flags, MAILDIR_SEEN);
	/* Changed back before anybody looked. */
	flag(e, mb, 1, FLAGS_REMOVE, MAILDIR_SEEN);
	flag(e, mb, 1, FLAGS_ADD, MAILDIR_SEEN);
	store_finish(e->st);
	assert_true(there(e, "Maildir/cur/1000.a:2,S"));
	/* The process dies: the next one does what was due. */
	flag(e, mb, 1, FLAGS_SET, MAILDIR_FLAGGED);
	mailbox_release(mb);
	reopen(e);
	mb = box(e, "INBOX");
	assert_int_equal(nth(mb, 0)->flags, MAILDIR_FLAGGED);
	assert_true(there(e, "Maildir/cur/1000.a:2,S"));
	store_finish(e->st);
	assert_true(there(e, "Maildir/cur/1000.a:2,F"));
	mailbox_release(mb);
}

/* A file that needs its name once, though it was asked for twice: nothing is
 * looked for in the directories. */
static void
test_due_twice(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;

	put(e, "Maildir/cur/1000.a:2,", "x\n");
	mb = box(e, "INBOX");
	mb->cur_reads = 0;
	flag(e, mb, 1, FLAGS_ADD, MAILDIR_SEEN);
	flag(e, mb, 1, FLAGS_ADD, MAILDIR_FLAGGED);
	work_all(mb);
	store_finish(e->st);
	assert_true(there(e, "Maildir/cur/1000.a:2,FS"));
	refresh(e, mb);
	assert_int_equal(mb->cur_reads, 0);
	mailbox_release(mb);
}

/* Another program keeps the log locked: nothing waits for it for ever, and what
 * it kept us from is done when it lets go. */
static void
test_locked_by_another(void **state)
{
	struct flag_change c = { .how = FLAGS_ADD, .flags = MAILDIR_SEEN };
	struct env *e = *state;
	struct mailbox *mb;
	uint32_t uid = 1;
	int fd, ms, i;

	put(e, "Maildir/cur/1000.a:2,", "x\n");
	mb = box(e, "INBOX");
	fd = fsx_open(e->root, "Maildir/" ILOG_NAME, O_RDWR, 0);
	assert_int_equal(fsx_lock(fd, false), 0);
	for (i = 0; i < 50; i++) {
		assert_int_equal(mailbox_change(mb, &uid, 1, &c, &e->err), -1);
		assert_int_equal(e->err.class, ERR_TEMP);
		assert_int_equal(e->err.code, EBUSY);
		assert_int_equal(mailbox_expunge(mb, &uid, 1, &e->err), -1);
	}
	assert_non_null(strstr(e->err.text, ILOG_NAME));
	put(e, "Maildir/new/1001.b", "y\n");
	assert_int_equal(mailbox_refresh(mb, &e->err), -1);
	store_work(e->st, &ms); /* and does not keep us busy */
	assert_int_not_equal(ms, 0);
	assert_int_equal(count(mb), 1);
	fsx_close(fd);
	assert_int_equal(mailbox_refresh(mb, &e->err), 0);
	assert_int_equal(count(mb), 2);
	assert_int_equal(mailbox_change(mb, &uid, 1, &c, &e->err), 0);
	assert_int_equal(nth(mb, 0)->flags, MAILDIR_SEEN);
	mailbox_release(mb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_copy),
		ROW(test_multiappend),
		ROW(test_keywords),
		ROW(test_unchanged_since),
		ROW(test_names_follow),
		ROW(test_due_twice),
		ROW(test_locked_by_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
