/* SPDX-License-Identifier: ISC */
/* An open folder beside other programs: UIDs, flags, what is read again. */
#include "store/testbed.h"

static void
test_uids_last(void **state)
{
	struct env *e = *state;
	struct index_totals t;
	struct mailbox *mb;
	uint32_t validity, recent;

	put(e, "Maildir/new/2000.b", "x\n");
	put(e, "Maildir/new/4000.a", "x\n");
	put(e, "Maildir/cur/1000.c:2,FS", "x\n");
	mb = box(e, "inbox");
	assert_string_equal(mailbox_name(mb), "INBOX");
	assert_int_equal(count(mb), 3);
	assert_int_equal(nth(mb, 2)->uid, 3);
	assert_int_equal(nth(mb, 0)->flags, MAILDIR_FLAGGED | MAILDIR_SEEN);
	mailbox_totals(mb, &t);
	assert_int_equal(t.recent_from, 2);
	assert_int_equal(t.in_new, 2);
	assert_int_equal(t.unseen, 2);
	validity = validity_of(mb);
	mailbox_claim_recent(mb, &recent);
	assert_int_equal(recent, 2);
	store_finish(e->st);
	assert_true(there(e, "Maildir/cur/2000.b:2,"));
	mailbox_claim_recent(mb, &recent);
	assert_int_equal(recent, 4);
	mailbox_release(mb);
	reopen(e);
	mb = box(e, "INBOX");
	mailbox_totals(mb, &t);
	assert_int_equal(t.uidvalidity, validity);
	assert_int_equal(t.uidnext, 4);
	assert_int_equal(t.in_new, 0);
	assert_int_equal(mailbox_find(mb, 2)->disk, 0);
	mailbox_release(mb);
}
/* A UID that was given is never given again, whatever happens to the files. */
static void
test_no_uid_twice(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	uint32_t uid = 2, validity;
	struct stat sb;

	put(e, "Maildir/new/1000.a", "x\n");
	put(e, "Maildir/new/1001.b", "x\n");
	mb = box(e, "INBOX");
	validity = validity_of(mb);
	assert_int_equal(mailbox_expunge(mb, &uid, 1, &e->err), 0);
	assert_int_equal(count(mb), 1);
	assert_false(there(e, "Maildir/new/1001.b"));
	mailbox_release(mb);
	reopen(e);
	put(e, "Maildir/new/1001.b", "restored\n"); /* as from a backup */
	mb = box(e, "INBOX");
	assert_int_equal(nth(mb, 1)->uid, 3);
	mailbox_release(mb);
	reopen(e);
	/* A torn record at the end. */
	assert_int_equal(fsx_fstatat(e->root, "Maildir/posthouse.log", &sb), 0);
	spoil(e, "posthouse.log", (size_t)sb.st_size, "torn");
	put(e, "Maildir/new/1002.c", "x\n");
	mb = box(e, "INBOX");
	assert_int_equal(validity_of(mb), validity);
	assert_true(nth(mb, 2)->uid >= 4);
	uid = nth(mb, 2)->uid;
	mailbox_release(mb);
	reopen(e);
	mb = box(e, "INBOX");
	assert_int_equal(nth(mb, 2)->uid, uid);
	mailbox_release(mb);
	reopen(e);
	/* Damage of log and index: a new UIDVALIDITY. */
	put(e, "Maildir/posthouse.log", "no such thing as a header");
	put(e, "Maildir/posthouse.index", "neither");
	mb = box(e, "INBOX");
	assert_true(validity_of(mb) > validity);
	validity = validity_of(mb);
	assert_int_equal(count(mb), 3);
	mailbox_release(mb);
	reopen(e);
	unlinkat(e->root, "Maildir/posthouse.log", 0);
	unlinkat(e->root, "Maildir/posthouse.index", 0);
	mb = box(e, "INBOX");
	assert_true(validity_of(mb) > validity);
	assert_int_equal(count(mb), 3);
	mailbox_release(mb);
}
/* The snapshot looks good at first, and is not: who opens the folder sees all
 * of it nevertheless. */
static void
test_damage_found_late(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	uint32_t validity;
	struct stat sb;
	char path[64];
	size_t i;

	for (i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "Maildir/cur/%zu.x:2,", 1000 + i);
		put(e, path, "x\n");
	}
	mb = box(e, "INBOX");
	validity = validity_of(mb);
	mailbox_release(mb);
	reopen(e);
	assert_int_equal(fsx_fstatat(e->root, "Maildir/posthouse.index", &sb),
			 0);
	spoil(e, "posthouse.index", (size_t)sb.st_size / 2, "damage");
	put(e, "Maildir/posthouse.log", "no such thing as a header");
	mb = box(e, "INBOX");
	assert_false(mailbox_deleted(mb));
	assert_true(validity_of(mb) > validity);
	assert_int_equal(count(mb), 300);
	mailbox_release(mb);
}
static void
test_foreign_changes(void **state)
{
	struct env *e = *state;
	struct mailbox *mb, *other;
	struct message_reader r;
	struct store *st2;

	put(e, "Maildir/cur/1000.a:2,", "x\n");
	put(e, "Maildir/cur/1001.b:2,", "x\n");
	mb = box(e, "INBOX");
	/* Another process with the same folder. */
	st2 = store_open(e->root, "Maildir", "h", &e->err);
	assert_non_null(st2);
	other = mailbox_open(st2, STR("INBOX"), &e->err);
	assert_non_null(other);
	flag(e, other, 1, FLAGS_ADD, MAILDIR_SEEN);
	assert_int_equal(append(e, other, "new\r\n", 0), 3);
	refresh(e, mb);
	assert_int_equal(nth(mb, 0)->flags, MAILDIR_SEEN);
	assert_int_equal(count(mb), 3);
	assert_int_equal(append(e, mb, "new\r\n", MAILDIR_DRAFT), 4);
	/* A change under our hands: the letters of both. */
	renameat(e->root, "Maildir/cur/1001.b:2,", e->root,
		 "Maildir/cur/1001.b:2,F");
	flag(e, mb, 2, FLAGS_ADD, MAILDIR_SEEN);
	refresh(e, mb);
	assert_int_equal(nth(mb, 1)->flags, MAILDIR_FLAGGED | MAILDIR_SEEN);
	store_finish(e->st);
	assert_true(there(e, "Maildir/cur/1001.b:2,FS"));
	/* Gone, and found out by reading. */
	store_finish(st2);
	assert_true(there(e, "Maildir/cur/1000.a:2,S"));
	assert_int_equal(unlinkat(e->root, "Maildir/cur/1000.a:2,S", 0), 0);
	assert_int_equal(mailbox_read(mb, 1, &r, &e->err), -1);
	assert_int_equal(e->err.code, ENOENT);
	assert_null(mailbox_find(mb, 1));
	refresh(e, other);
	assert_int_equal(count(other), 3);
	assert_non_null(mailbox_find(other, 4));
	/* A twin is a message of its own. */
	put(e, "Maildir/cur/1001.b:2,", "twin\n");
	refresh(e, mb);
	refresh(e, mb);
	assert_int_equal(count(mb), 4);
	assert_true(there(e, "Maildir/cur/1001.b:2,FS"));
	mailbox_release(other);
	store_close(st2);
	mailbox_release(mb);
}
static void
test_torn_delivery(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;

	put(e,
	    "Maildir/new/1000.P0000000000000001Q0000000000000001"
	    "R0000000000000001.h,S=5,W=6",
	    "abc\n");
	mb = box(e, "INBOX");
	assert_int_equal(count(mb), 0);
	unlinkat(e->root,
		 "Maildir/new/"
		 "1000.P0000000000000001Q0000000000000001R0000000000000001.h,S="
		 "5,W=6",
		 0);
	put(e,
	    "Maildir/new/1000.P0000000000000001Q0000000000000001"
	    "R0000000000000001.h,S=5,W=6",
	    "abcd\n");
	put(e, "Maildir/new/1001.x,S=500", "abc\n"); /* not ours: shown */
	refresh(e, mb);
	assert_int_equal(count(mb), 2);
	mailbox_release(mb);
}
/* Two that look at the same file agree on its UID. */
static void
test_uids_agree(void **state)
{
	struct env *e = *state;
	struct mailbox *mb = box(e, "INBOX"), *other;
	struct store *st2;

	st2 = store_open(e->root, "Maildir", "h", &e->err);
	assert_non_null(st2);
	other = mailbox_open(st2, STR("INBOX"), &e->err);
	assert_non_null(other);
	put(e, "Maildir/new/1000.a", "x\n");
	refresh(e, other);
	assert_int_equal(nth(other, 0)->uid, 1);
	assert_int_equal(append(e, mb, "y\n", 0), 2);
	refresh(e, mb);
	assert_int_equal(nth(mb, 0)->uid, 1);
	assert_int_equal(nth(mb, 1)->uid, 2);
	refresh(e, other);
	assert_non_null(mailbox_find(other, 2));
	mailbox_release(other);
	store_close(st2);
	mailbox_release(mb);
}
static void
read_all(struct env *e, struct mailbox *mb, uint32_t uid, size_t step,
	 struct buf *out)
{
	struct message_reader r;
	char part[100];
	ssize_t n;

	buf_reset(out);
	assert_int_equal(mailbox_read(mb, uid, &r, &e->err), 0);
	while ((n = reader_get(&r, part, step, &e->err)) > 0)
		buf_add(out, part, (size_t)n);
	assert_int_equal(n, 0);
	reader_close(&r);
}
static void
test_line_ends(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "a\nb\n", "a\r\nb\r\n" },
		{ "a\r\nb\r\n", "a\r\nb\r\n" },
		{ "\n\n\r\n", "\r\n\r\n\r\n" },
		{ "a\rb\r\r\nc", "a\rb\r\r\nc" },
		{ "", "" },
		{ "end\r", "end\r" },
	};
	struct env *e = *state;
	struct mailbox *mb = box(e, "INBOX");
	struct buf out;
	uint64_t size;
	uint32_t uid;
	size_t i, step;

	buf_init(&out, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put(e, "Maildir/cur/1000.x:2,", rows[i].in);
		if (i == 0)
			refresh(e, mb);
		for (step = 1; step < 6; step++) {
			read_all(e, mb, 1, step, &out);
			assert_string_equal(buf_cstr(&out), rows[i].want);
		}
		mailbox_note_wsize(mb, 1, MESSAGE_UNKNOWN);
		assert_int_equal(mailbox_wsize(mb, 1, &size, &e->err), 0);
		assert_int_equal(size, strlen(rows[i].want));
		uid = append(e, mb, rows[i].in, 0);
		read_all(e, mb, uid, 7, &out);
		assert_string_equal(buf_cstr(&out), rows[i].want);
		assert_int_equal(mailbox_find(mb, uid)->wsize,
				 strlen(rows[i].want));
	}
	buf_fini(&out);
	mailbox_release(mb);
}
/* Most of the log is history: it is written anew, nothing else changes. */
static void
test_compaction(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	uint32_t uids[800], validity;
	char path[64];
	size_t i;

	for (i = 0; i < 801; i++) {
		snprintf(path, sizeof(path), "Maildir/cur/%zu.x:2,", 1000 + i);
		put(e, path, "x\n");
		if (i < 800)
			uids[i] = (uint32_t)i + 1;
	}
	mb = box(e, "INBOX");
	validity = validity_of(mb);
	assert_int_equal(mailbox_expunge(mb, uids, 800, &e->err), 0);
	assert_int_equal(append(e, mb, "x\n", 0), 802);
	mailbox_release(mb);
	reopen(e);
	mb = box(e, "INBOX");
	assert_int_equal(count(mb), 2);
	assert_int_equal(nth(mb, 0)->uid, 801);
	assert_int_equal(nth(mb, 1)->uid, 802);
	assert_int_equal(validity_of(mb), validity);
	mailbox_release(mb);
}
/* What was ours, or was taken in, is not read again. */
static void
test_stamps(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	uint32_t uid = 1;

	put(e, "Maildir/cur/1000.a:2,", "x\n");
	put(e, "Maildir/cur/1001.b:2,", "x\n");
	mb = box(e, "INBOX");
	assert_int_equal(mb->cur_reads, 1);
	flag(e, mb, 1, FLAGS_ADD, MAILDIR_SEEN);
	append(e, mb, "y\r\n", 0);
	store_finish(e->st);
	assert_int_equal(mailbox_expunge(mb, &uid, 1, &e->err), 0);
	put(e, "Maildir/cur/1002.c:2,", "x\n");
	renameat(e->root, "Maildir/cur/1001.b:2,", e->root,
		 "Maildir/cur/1001.b:2,F");
	refresh(e, mb);
	assert_int_equal(count(mb), 3);
	assert_int_equal(mb->cur_reads, 1);
	mailbox_release(mb);
	store_finish(e->st);
	reopen(e);
	mb = box(e, "INBOX");
	assert_int_equal(count(mb), 3);
	assert_int_equal(mb->cur_reads + mb->new_reads, 0);
	assert_int_equal(nth(mb, 0)->flags, MAILDIR_FLAGGED);
	mailbox_release(mb);
	store_finish(e->st);
	reopen(e);
	/* A delivery: new/ alone. */
	put(e, "Maildir/new/2000.c", "z\n");
	mb = box(e, "INBOX");
	assert_int_equal(count(mb), 4);
	assert_int_equal(mb->cur_reads, 0);
	assert_int_equal(mb->new_reads, 1);
	/* Moved by somebody else. */
	renameat(e->root, "Maildir/new/2000.c", e->root,
		 "Maildir/cur/2000.c:2,S");
	refresh(e, mb);
	assert_int_equal(count(mb), 4);
	assert_int_equal(nth(mb, 3)->flags, MAILDIR_SEEN);
	assert_int_equal(mb->cur_reads, 0);
	mailbox_release(mb);
}
struct viewer {
	struct mailbox_watch w;
	unsigned told, compacted;
};
static void
on_change(struct mailbox_watch *w)
{
	LIST_OF(w, struct viewer, w)->told++;
}
static void
on_compact(struct mailbox_watch *w)
{
	LIST_OF(w, struct viewer, w)->compacted++;
}
static void
test_feed(void **state)
{
	struct env *e = *state;
	struct viewer v[2] = {
		{ .w = { .on_change = on_change, .on_compact = on_compact } },
		{ .w = { .on_change = on_change, .on_compact = on_compact } }
	};
	struct mailbox *mb;
	uint32_t uid = 1;
	size_t slot, i;

	put(e, "Maildir/cur/1000.a:2,", "x\n");
	put(e, "Maildir/cur/1001.b:2,", "x\n");
	mb = box(e, "INBOX");
	mailbox_watch_add(mb, &v[0].w);
	mailbox_watch_add(mb, &v[1].w);
	assert_false(mailbox_feed(mb, &v[0].w, &slot));
	flag(e, mb, 2, FLAGS_ADD, MAILDIR_SEEN);
	assert_int_equal(v[0].told, 1);
	assert_true(mailbox_feed(mb, &v[0].w, &slot));
	assert_int_equal(slot, 1);
	assert_false(mailbox_feed(mb, &v[0].w, &slot));
	assert_int_equal(mailbox_expunge(mb, &uid, 1, &e->err), 0);
	assert_true(mailbox_feed(mb, &v[0].w, &slot));
	assert_int_equal(slot, 0);
	assert_true(mailbox_at(mb, 0)->gone);
	assert_true(mailbox_feed(mb, &v[1].w, &slot));
	assert_int_equal(slot, 1);
	assert_true(mailbox_feed(mb, &v[1].w, &slot));
	assert_int_equal(slot, 0);
	assert_false(mailbox_feed(mb, &v[1].w, &slot));
	/* Too much for the feed. */
	for (i = 0; i < 66000; i++)
		flag(e, mb, 2, i % 2 ? FLAGS_ADD : FLAGS_REMOVE, MAILDIR_SEEN);
	assert_true(mailbox_feed(mb, &v[1].w, &slot));
	for (i = 0; slot != FEED_ALL && i < 65536; i++)
		assert_true(mailbox_feed(mb, &v[1].w, &slot));
	mailbox_watch_remove(&v[0].w);
	mailbox_watch_remove(&v[1].w);
	mailbox_release(mb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_uids_last),
		ROW(test_no_uid_twice),
		ROW(test_damage_found_late),
		ROW(test_foreign_changes),
		ROW(test_torn_delivery),
		ROW(test_uids_agree),
		ROW(test_line_ends),
		ROW(test_compaction),
		ROW(test_stamps),
		ROW(test_feed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
