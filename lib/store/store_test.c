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
#include "store/store.h"
#include "store/uidfile.h"

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

static uint32_t
append(struct env *e, struct mailbox *mb, const char *text, uint64_t flags)
{
	struct store_append *a = append_begin(mb, &e->err);
	uint32_t uid;

	assert_non_null(a);
	assert_int_equal(append_write(a, str_of(text), &e->err), 0);
	assert_int_equal(append_commit(a, flags, 1000000000, &uid, &e->err), 0);
	return uid;
}

static void
test_uids_last(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	uint32_t validity;

	put(e, "Maildir/new/2000.b", "x\n");
	put(e, "Maildir/new/1000.a", "x\n");
	put(e, "Maildir/cur/3000.c:2,FS", "x\n");
	mb = box(e, "inbox");
	assert_string_equal(mailbox_name(mb), "INBOX");
	assert_int_equal(mailbox_count(mb), 3);
	assert_string_equal(mailbox_at(mb, 0)->name, "1000.a");
	assert_int_equal(mailbox_at(mb, 2)->uid, 3);
	assert_int_equal(mailbox_at(mb, 2)->flags,
			 MAILDIR_FLAGGED | MAILDIR_SEEN);
	assert_true(mailbox_at(mb, 0)->fresh);
	assert_false(mailbox_at(mb, 2)->fresh);
	validity = mailbox_uidvalidity(mb);
	assert_int_equal(mailbox_take_new(mb, &e->err), 0);
	assert_true(there(e, "Maildir/cur/1000.a:2,"));
	mailbox_release(mb);
	reopen(e);
	mb = box(e, "INBOX");
	assert_int_equal(mailbox_uidvalidity(mb), validity);
	assert_int_equal(mailbox_uidnext(mb), 4);
	assert_string_equal(mailbox_find(mb, 2)->name, "2000.b:2,");
	mailbox_release(mb);
}

/* A UID that was given is never given again, whatever happens to the file. */
static void
test_no_uid_twice(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	uint32_t uid = 2, validity;
	int fd;

	put(e, "Maildir/new/1000.a", "x\n");
	put(e, "Maildir/new/1001.b", "x\n");
	mb = box(e, "INBOX");
	validity = mailbox_uidvalidity(mb);
	assert_int_equal(mailbox_expunge(mb, &uid, 1, &e->err), 0);
	assert_int_equal(mailbox_count(mb), 1);
	assert_false(there(e, "Maildir/new/1001.b"));
	mailbox_release(mb);
	reopen(e);
	put(e, "Maildir/new/1001.b", "restored\n"); /* as from a backup */
	mb = box(e, "INBOX");
	assert_int_equal(mailbox_at(mb, 1)->uid, 3);
	mailbox_release(mb);
	/* A torn record: its UIDs are skipped. */
	fd = open("/dev/null", O_RDONLY);
	close(fd);
	fd = fsx_open(e->root, "Maildir", O_RDONLY | O_DIRECTORY, 0);
	fd = fsx_open(fd, UIDFILE_NAME, O_WRONLY | O_APPEND, 0);
	assert_int_equal(
		fsx_write_all(fd, "PHUR\x20\0\0\0junkjunk", 16, &e->err), 0);
	fsx_close(fd);
	reopen(e);
	put(e, "Maildir/new/1002.c", "x\n");
	mb = box(e, "INBOX");
	assert_int_equal(mailbox_uidvalidity(mb), validity);
	assert_true(mailbox_at(mb, 2)->uid > 4);
	uid = mailbox_at(mb, 2)->uid;
	mailbox_release(mb);
	reopen(e);
	mb = box(e, "INBOX");
	assert_int_equal(mailbox_at(mb, 2)->uid, uid);
	mailbox_release(mb);
	/* Damage, and loss: a new UIDVALIDITY each. */
	put(e, "Maildir/" UIDFILE_NAME, "no such thing as a header");
	reopen(e);
	mb = box(e, "INBOX");
	assert_true(mailbox_uidvalidity(mb) > validity);
	validity = mailbox_uidvalidity(mb);
	assert_int_equal(mailbox_at(mb, 2)->uid, 3);
	mailbox_release(mb);
	fd = fsx_open(e->root, "Maildir", O_RDONLY | O_DIRECTORY, 0);
	fsx_unlink(fd, UIDFILE_NAME);
	fsx_close(fd);
	reopen(e);
	mb = box(e, "INBOX");
	assert_true(mailbox_uidvalidity(mb) > validity);
	mailbox_release(mb);
}

static void
test_foreign_changes(void **state)
{
	struct env *e = *state;
	struct mailbox *mb, *other;
	struct store *st2;

	put(e, "Maildir/cur/1000.a:2,", "x\n");
	put(e, "Maildir/cur/1001.b:2,", "x\n");
	mb = box(e, "INBOX");
	/* Another process with the same folder. */
	st2 = store_open(e->root, "Maildir", "h", &e->err);
	assert_non_null(st2);
	other = mailbox_open(st2, STR("INBOX"), &e->err);
	assert_non_null(other);
	assert_int_equal(mailbox_set_flags(other, mailbox_at(other, 0),
					   MAILDIR_SEEN, 0, &e->err),
			 0);
	assert_int_equal(append(e, other, "new\r\n", 0), 3);
	assert_int_equal(mailbox_refresh(mb, &e->err), 0);
	assert_int_equal(mailbox_at(mb, 0)->flags, MAILDIR_SEEN);
	assert_int_equal(mailbox_count(mb), 3);
	assert_int_equal(append(e, mb, "new\r\n", MAILDIR_DRAFT), 4);
	/* A change under our hands. */
	renameat(e->root, "Maildir/cur/1001.b:2,", e->root,
		 "Maildir/cur/1001.b:2,F");
	assert_int_equal(mailbox_set_flags(mb, mailbox_at(mb, 1), MAILDIR_SEEN,
					   0, &e->err),
			 0);
	assert_true(there(e, "Maildir/cur/1001.b:2,FS"));
	unlinkat(e->root, "Maildir/cur/1000.a:2,S", 0);
	assert_int_equal(mailbox_set_flags(mb, mailbox_at(mb, 0), 0,
					   MAILDIR_SEEN, &e->err),
			 -1);
	assert_int_equal(e->err.code, ENOENT);
	assert_null(mailbox_find(mb, 1));
	assert_int_equal(mailbox_refresh(other, &e->err), 0);
	assert_int_equal(mailbox_count(other), 3);
	assert_non_null(mailbox_find(other, 4));
	/* A twin is a message of its own. */
	put(e, "Maildir/cur/1001.b:2,", "twin\n");
	assert_int_equal(mailbox_refresh(mb, &e->err), 0);
	assert_int_equal(mailbox_refresh(mb, &e->err), 0);
	assert_int_equal(mailbox_count(mb), 4);
	mailbox_release(other);
	store_close(st2);
	mailbox_release(mb);
}

/* RFC 3501 2.3.1.1: behind UID 2 nothing appears with UID 1, also if another
 * process gave it that. */
static void
test_uids_ascend(void **state)
{
	struct env *e = *state;
	struct mailbox *mb = box(e, "INBOX"), *other;
	struct store *st2;

	st2 = store_open(e->root, "Maildir", "h", &e->err);
	assert_non_null(st2);
	other = mailbox_open(st2, STR("INBOX"), &e->err);
	assert_non_null(other);
	put(e, "Maildir/new/1000.a", "x\n");
	assert_int_equal(mailbox_refresh(other, &e->err), 0);
	assert_int_equal(mailbox_at(other, 0)->uid, 1);
	assert_int_equal(append(e, mb, "y\n", 0), 2);
	assert_int_equal(mailbox_refresh(mb, &e->err), 0);
	assert_int_equal(mailbox_at(mb, 0)->uid, 2);
	assert_int_equal(mailbox_at(mb, 1)->uid, 3);
	assert_string_equal(mailbox_at(mb, 1)->name, "1000.a");
	assert_int_equal(mailbox_refresh(other, &e->err), 0);
	assert_non_null(mailbox_find(other, 2));
	/* Both agree in the end. */
	put(e, "Maildir/new/1001.b", "z\n");
	assert_int_equal(mailbox_refresh(other, &e->err), 0);
	put(e, "Maildir/new/1002.c", "z\n");
	assert_int_equal(mailbox_refresh(other, &e->err), 0);
	assert_null(mailbox_find(other, 1));
	assert_string_equal(mailbox_find(other, 3)->name, "1000.a");
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
	assert_int_equal(mailbox_count(mb), 0);
	put(e,
	    "Maildir/new/1000.P0000000000000001Q0000000000000001"
	    "R0000000000000001.h,S=5,W=6",
	    "abcd\n");
	put(e, "Maildir/new/1001.x,S=500", "abc\n"); /* not ours: shown */
	assert_int_equal(mailbox_refresh(mb, &e->err), 0);
	assert_int_equal(mailbox_count(mb), 2);
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
			assert_int_equal(mailbox_refresh(mb, &e->err), 0);
		for (step = 1; step < 6; step++) {
			read_all(e, mb, 1, step, &out);
			assert_string_equal(buf_cstr(&out), rows[i].want);
		}
		mailbox_at(mb, 0)->wsize = MESSAGE_UNKNOWN;
		assert_int_equal(
			mailbox_wsize(mb, mailbox_at(mb, 0), &size, &e->err),
			0);
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
	assert_int_equal(mailbox_count(dst), 3);
	assert_int_equal(mailbox_at(dst, 1)->flags, MAILDIR_SEEN);
	assert_int_equal(mailbox_mtime(dst, mailbox_at(dst, 0), &t, &e->err),
			 0);
	assert_int_equal(t, 1000000000);
	/* All or nothing. */
	unlinkat(e->root, "Maildir/new/1002.c", 0);
	assert_int_equal(mailbox_copy(src, uids, 2, dst, &first, &e->err), -1);
	assert_int_equal(mailbox_refresh(dst, &e->err), 0);
	assert_int_equal(mailbox_count(dst), 3);
	/* Into itself. */
	assert_int_equal(mailbox_copy(dst, uids, 2, dst, &first, &e->err), 0);
	assert_int_equal(mailbox_count(dst), 5);
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
	v1 = mailbox_uidvalidity(mb);
	assert_int_equal(store_rename(e->st, STR("A"), STR("Z.Y"), &e->err), 0);
	assert_string_equal(mailbox_name(mb), "Z.Y.B.C");
	assert_int_equal(mailbox_refresh(mb, &e->err), 0);
	assert_int_equal(mailbox_count(mb), 1);
	assert_int_equal(
		store_rename(e->st, STR("Z.Y.B.C"), STR("A-x"), &e->err), -1);
	assert_int_equal(e->err.code, EEXIST);
	/* Deleted under a session, made again: another UIDVALIDITY. */
	assert_int_equal(store_delete(e->st, STR("Z.Y.B.C"), &e->err), 0);
	assert_true(mailbox_deleted(mb));
	mailbox_release(mb);
	assert_int_equal(store_create(e->st, STR("Z.Y.B.C"), &e->err), 0);
	mb = box(e, "Z.Y.B.C");
	assert_int_equal(mailbox_count(mb), 0);
	v2 = mailbox_uidvalidity(mb);
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
	assert_int_equal(mailbox_count(mb), 0);
	mailbox_release(mb);
	mb = box(e, "Old.Mail");
	assert_int_equal(mailbox_count(mb), 1);
	assert_int_equal(mailbox_at(mb, 0)->flags, MAILDIR_SEEN);
	mailbox_release(mb);
}

/* Most of the file is dead: it is written anew, and nothing else changes. */
static void
test_compaction(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	uint32_t uids[800], validity;
	struct stat before, after;
	char path[64];
	size_t i;

	for (i = 0; i < 801; i++) {
		snprintf(path, sizeof(path), "Maildir/cur/%zu.x:2,", 1000 + i);
		put(e, path, "x\n");
		if (i < 800)
			uids[i] = (uint32_t)i + 1;
	}
	mb = box(e, "INBOX");
	validity = mailbox_uidvalidity(mb);
	fsx_fstatat(e->root, "Maildir/" UIDFILE_NAME, &before);
	assert_int_equal(mailbox_expunge(mb, uids, 800, &e->err), 0);
	fsx_fstatat(e->root, "Maildir/" UIDFILE_NAME, &after);
	assert_true(after.st_size < before.st_size / 100);
	assert_int_equal(append(e, mb, "x\n", 0), 802);
	mailbox_release(mb);
	reopen(e);
	mb = box(e, "INBOX");
	assert_int_equal(mailbox_count(mb), 2);
	assert_int_equal(mailbox_at(mb, 0)->uid, 801);
	assert_int_equal(mailbox_at(mb, 1)->uid, 802);
	assert_int_equal(mailbox_uidvalidity(mb), validity);
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
		ROW(test_uids_ascend),
		ROW(test_line_ends),
		ROW(test_copy),
		ROW(test_folders),
		ROW(test_rename_inbox),
		ROW(test_compaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
