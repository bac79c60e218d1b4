/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* After the four above, as cmocka wants it. */
#include <cmocka.h>

#include "base/buf.h"
#include "base/fsx.h"
#include "store/store_int.h"

struct env {
	char path[64];
	int root;
	struct store *st;
	struct err err;
};

static void
reopen(struct env *e)
{
	if (e->st)
		store_close(e->st);
	e->st = store_open(e->root, "Maildir", "host.example", &e->err);
	assert_non_null(e->st);
	assert_true(store_watch_fd(e->st) >= 0);
}

static int
setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	snprintf(e->path, sizeof(e->path), "/tmp/store_test.XXXXXX");
	assert_non_null(mkdtemp(e->path));
	e->root = open(e->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	reopen(e);
	*state = e;
	return 0;
}

static void
remove_below(int at, const char *name)
{
	struct fsx_dir *d = fsx_opendir(at, name);
	int fd = fsx_open(at, name, O_RDONLY | O_DIRECTORY, 0);
	const char *sub;

	while (d && (sub = fsx_readdir(d, NULL)))
		if (fsx_unlink(fd, sub) < 0)
			remove_below(fd, sub);
	if (d)
		fsx_closedir(d);
	if (fd >= 0)
		fsx_close(fd);
	fsx_rmdir(at, name);
}

static int
teardown(void **state)
{
	struct env *e = *state;

	if (e->st)
		store_close(e->st);
	remove_below(AT_FDCWD, e->path);
	close(e->root);
	free(e);
	return 0;
}

/* A file as another program would put it there. */
static void
put(struct env *e, const char *path, const char *text)
{
	int fd;

	fd = fsx_open(e->root, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fsx_write_all(fd, text, strlen(text), &e->err), 0);
	fsx_close(fd);
}

static bool
there(struct env *e, const char *path)
{
	struct stat sb;

	return fsx_fstatat(e->root, path, &sb) == 0;
}

static struct mailbox *
box(struct env *e, const char *name)
{
	struct mailbox *mb = mailbox_open(e->st, str_of(name), &e->err);

	if (!mb)
		fail_msg("%s: %s", name, e->err.text);
	return mb;
}

static size_t
count(struct mailbox *mb)
{
	struct index_totals t;

	mailbox_totals(mb, &t);
	return t.messages;
}

static uint32_t
validity_of(struct mailbox *mb)
{
	struct index_totals t;

	mailbox_totals(mb, &t);
	return t.uidvalidity;
}

/* The n-th message that is there. */
static const struct message *
nth(struct mailbox *mb, size_t n)
{
	size_t i;

	for (i = 0; i < mailbox_slots(mb); i++)
		if (!mailbox_at(mb, i)->gone && n-- == 0)
			return mailbox_at(mb, i);
	fail_msg("there are not so many");
	return NULL;
}

static void
refresh(struct env *e, struct mailbox *mb)
{
	if (mailbox_refresh(mb, &e->err) < 0)
		fail_msg("%s", e->err.text);
}

static void
flag(struct env *e, struct mailbox *mb, uint32_t uid, int how, uint64_t flags)
{
	struct flag_change c = { .how = how, .flags = flags };

	assert_int_equal(mailbox_change(mb, &uid, 1, &c, &e->err), 0);
}

static uint32_t
append(struct env *e, struct mailbox *mb, const char *text, uint64_t flags)
{
	struct append_info info = { .flags = flags, .mtime = 1000000000 };
	struct store_append *a = append_begin(mb, &e->err);
	uint32_t uid;

	assert_non_null(a);
	assert_int_equal(append_write(a, str_of(text), &e->err), 0);
	assert_int_equal(append_commit(a, &info, &uid, &e->err), 0);
	return uid;
}

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

static void
spoil(struct env *e, const char *name, size_t at, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "Maildir/%s", name);
	fd = fsx_open(e->root, path, O_WRONLY, 0);
	assert_true(fd >= 0);
	assert_int_equal(
		fsx_pwrite_all(fd, text, strlen(text), (off_t)at, &e->err), 0);
	fsx_close(fd);
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

static void
test_folders(void **state)
{
	struct env *e = *state;
	struct folder_list l;
	struct mailbox *mb;
	uint32_t v1, v2;

	assert_int_equal(store_create(e->st, STR("A.B.C."), &e->err), 0);
	assert_int_equal(store_create(e->st, STR("A-x"), &e->err), 0);
	assert_int_equal(store_create(e->st, STR("A-x"), &e->err), -1);
	assert_int_equal(e->err.code, EEXIST);
	assert_int_equal(store_create(e->st, STR("a/b"), &e->err), -1);
	assert_int_equal(store_create(e->st, STR("a..b"), &e->err), -1);
	assert_int_equal(store_create(e->st, STR("inbox"), &e->err), -1);
	assert_int_equal(store_create(e->st, STR("bad&name"), &e->err), -1);
	assert_int_equal(store_create(e->st, STR("Entw&APw-rfe"), &e->err), 0);
	assert_int_equal(store_subscribe(e->st, STR("Gone"), true, &e->err), 0);
	assert_int_equal(store_subscribe(e->st, STR("inbox"), true, &e->err),
			 0);
	assert_int_equal(store_list(e->st, &l, &e->err), 0);
	assert_int_equal(l.n, 7);
	assert_string_equal(l.v[0].name, "INBOX");
	assert_int_equal(l.v[0].attrs, FOLDER_SUBSCRIBED);
	assert_string_equal(l.v[1].name, "A");
	assert_int_equal(l.v[1].attrs, FOLDER_NOSELECT | FOLDER_CHILDREN);
	assert_string_equal(l.v[3].name, "A.B.C");
	assert_string_equal(l.v[4].name, "A-x");
	assert_int_equal(folder_list_find(&l, STR("Gone"))->attrs,
			 FOLDER_SUBSCRIBED | FOLDER_NOSELECT);
	folder_list_fini(&l);
	assert_int_equal(store_delete(e->st, STR("A.B"), &e->err), -1);
	assert_int_equal(e->err.code, ENOTEMPTY);
	assert_int_equal(store_delete(e->st, STR("INBOX"), &e->err), -1);
	assert_int_equal(store_delete(e->st, STR("none"), &e->err), -1);
	assert_int_equal(e->err.code, ENOENT);
	/* Rename with what is below; the open mailbox goes along. */
	mb = box(e, "A.B.C");
	append(e, mb, "x\r\n", 0);
	v1 = validity_of(mb);
	assert_int_equal(store_rename(e->st, STR("A"), STR("Z.Y"), &e->err), 0);
	assert_string_equal(mailbox_name(mb), "Z.Y.B.C");
	refresh(e, mb);
	assert_int_equal(count(mb), 1);
	assert_int_equal(
		store_rename(e->st, STR("Z.Y.B.C"), STR("A-x"), &e->err), -1);
	assert_int_equal(e->err.code, EEXIST);
	/* Deleted under a session, made again: another UIDVALIDITY. */
	assert_int_equal(store_delete(e->st, STR("Z.Y.B.C"), &e->err), 0);
	assert_true(mailbox_deleted(mb));
	mailbox_release(mb);
	assert_int_equal(store_create(e->st, STR("Z.Y.B.C"), &e->err), 0);
	mb = box(e, "Z.Y.B.C");
	assert_int_equal(count(mb), 0);
	v2 = validity_of(mb);
	assert_true(v2 > v1);
	mailbox_release(mb);
}

static void
test_rename_inbox(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;

	put(e, "Maildir/cur/1000.a:2,S", "x\n");
	assert_int_equal(
		store_rename(e->st, STR("INBOX"), STR("Old.Mail"), &e->err), 0);
	mb = box(e, "INBOX");
	assert_int_equal(count(mb), 0);
	mailbox_release(mb);
	mb = box(e, "Old.Mail");
	assert_int_equal(count(mb), 1);
	assert_int_equal(nth(mb, 0)->flags, MAILDIR_SEEN);
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

/* --- what is written behind ------------------------------------------------
 */

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

/* --- the summary -----------------------------------------------------------
 */

static void
test_status(void **state)
{
	struct env *e = *state;
	struct folder_status s;
	struct mailbox *mb;
	uint64_t size;
	size_t i;
	char name[16];

	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "F%zu", i);
		assert_int_equal(store_create(e->st, str_of(name), &e->err), 0);
		mb = box(e, name);
		append(e, mb, "x\r\n", i % 2 ? MAILDIR_SEEN : 0);
		append(e, mb, "xy\r\n", MAILDIR_TRASHED);
		mailbox_release(mb);
	}
	store_finish(e->st);
	reopen(e);
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "F%zu", i);
		assert_int_equal(store_status(e->st, str_of(name), &s, &e->err),
				 0);
		assert_int_equal(s.messages, 2);
		assert_int_equal(s.unseen, i % 2 ? 1 : 2);
		assert_int_equal(s.deleted, 1);
		assert_int_equal(s.uidnext, 3);
		assert_int_equal(
			store_size(e->st, str_of(name), &size, &e->err), 0);
		assert_int_equal(size, 7);
	}
	put(e, "Maildir/.F3/new/1000.a", "x\n");
	assert_int_equal(store_status(e->st, STR("F3"), &s, &e->err), 0);
	assert_int_equal(s.messages, 3);
	assert_int_equal(store_delete(e->st, STR("F4"), &e->err), 0);
	assert_int_equal(store_status(e->st, STR("F4"), &s, &e->err), -1);
	assert_int_equal(e->err.code, ENOENT);
	store_finish(e->st);
	reopen(e);
	spoil(e, "posthouse.folders", 40, "nonsense");
	assert_int_equal(store_status(e->st, STR("F3"), &s, &e->err), 0);
	assert_int_equal(s.messages, 3);
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

int
main(void)
{
#define ROW(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		ROW(test_uids_last),
		ROW(test_no_uid_twice),
		ROW(test_foreign_changes),
		ROW(test_torn_delivery),
		ROW(test_uids_agree),
		ROW(test_line_ends),
		ROW(test_copy),
		ROW(test_folders),
		ROW(test_rename_inbox),
		ROW(test_compaction),
		ROW(test_names_follow),
		ROW(test_keywords),
		ROW(test_stamps),
		ROW(test_feed),
		ROW(test_status),
		ROW(test_multiappend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
