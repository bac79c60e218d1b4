/* SPDX-License-Identifier: ISC */
/* Other programs, and a user with a shell, that treat a store roughly. */
#include "store/testbed.h"

enum { MANY = 450 };
static void
rename_file(struct env *e, const char *from, const char *to)
{
	assert_int_equal(renameat(e->root, from, e->root, to), 0);
}
static void
flag_all(struct env *e, struct mailbox *mb, uint32_t n)
{
	struct flag_change c = { .how = FLAGS_ADD, .flags = MAILDIR_SEEN };
	uint32_t uids[MANY], i;

	for (i = 0; i < n; i++)
		uids[i] = i + 1;
	assert_int_equal(mailbox_change(mb, uids, n, &c, &e->err), 0);
}
/* --- */

/* Files that go before their names have followed their flags: the process ends
 * all the same. */
static void
test_files_go_first(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	char path[64];
	size_t i;

	for (i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "Maildir/cur/%zu.x:2,", 1000 + i);
		put(e, path, "x\n");
	}
	mb = box(e, "INBOX");
	flag_all(e, mb, MANY);
	for (i = 1; i < MANY; i++) {
		snprintf(path, sizeof(path), "Maildir/cur/%zu.x:2,", 1000 + i);
		assert_int_equal(fsx_unlink(e->root, path), 0);
	}
	store_finish(e->st);
	assert_int_equal(count(mb), 1);
	assert_true(there(e, "Maildir/cur/1000.x:2,S"));
	mailbox_release(mb);
}
/* Others rename a file before its name has followed its flags, which have
 * changed often: each file's name is right when the process ends. */
static void
test_files_move_first(void **state)
{
	struct env *e = *state;
	struct flag_change c = { .how = FLAGS_ADD, .flags = MAILDIR_FLAGGED };
	struct mailbox *mb;
	char path[64];
	uint32_t uid = 1;
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "Maildir/cur/%zu.x:2,", 1000 + i);
		put(e, path, "x\n");
	}
	mb = box(e, "INBOX");
	for (i = 0; i < 501; i++) {
		c.how = i % 2 ? FLAGS_REMOVE : FLAGS_ADD;
		assert_int_equal(mailbox_change(mb, &uid, 1, &c, &e->err), 0);
	}
	flag_all(e, mb, 3);
	rename_file(e, "Maildir/cur/1000.x:2,", "Maildir/cur/1000.x:2,R");
	store_finish(e->st);
	assert_true(there(e, "Maildir/cur/1000.x:2,FRS"));
	assert_true(there(e, "Maildir/cur/1001.x:2,S"));
	assert_true(there(e, "Maildir/cur/1002.x:2,S"));
	mailbox_release(mb);
}

/* A folder that is removed while it is open is deleted, and does not keep the
 * process busy with what cannot be written any more. */
static void
test_folder_removed(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	int ms, i;

	assert_int_equal(store_create(e->st, STR("A"), &e->err), 0);
	put(e, "Maildir/.A/cur/1000.x:2,", "x\n");
	mb = box(e, "A");
	flag_all(e, mb, 1);
	remove_below(e->root, "Maildir/.A");
	store_poll(e->st);
	assert_true(mailbox_deleted(mb));
	usleep(1100000);
	for (i = 0; i < 3; i++)
		store_work(e->st, &ms);
	assert_int_not_equal(ms, 0);
	assert_null(mailbox_open(e->st, STR("A"), &e->err));
	assert_int_equal(e->err.code, ENOENT);
	mailbox_release(mb);
}
/* The log cannot be written, nor the folder be seen to be gone. */
static void
test_log_in_the_way(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	int ms, i;

	put(e, "Maildir/cur/1000.x:2,", "x\n");
	mb = box(e, "INBOX");
	flag_all(e, mb, 1);
	assert_int_equal(fsx_unlink(e->root, "Maildir/posthouse.log"), 0);
	assert_int_equal(fsx_mkdir(e->root, "Maildir/posthouse.log", 0700), 0);
	assert_int_equal(mailbox_refresh(mb, &e->err), -1);
	usleep(1100000);
	for (i = 0; i < 3; i++)
		store_work(e->st, &ms);
	assert_int_not_equal(ms, 0);
	/* It is mended as soon as that is possible. */
	assert_int_equal(fsx_rmdir(e->root, "Maildir/posthouse.log"), 0);
	assert_int_equal(mailbox_refresh(mb, &e->err), 0);
	assert_false(mailbox_deleted(mb));
	assert_int_equal(mailbox_find(mb, 1)->flags, MAILDIR_SEEN);
	mailbox_release(mb);
}
/* cur/ as it was in a backup: what is in it now counts. */
static void
test_directory_replaced(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;

	put(e, "Maildir/cur/1000.x:2,", "x\n");
	mb = box(e, "INBOX");
	rename_file(e, "Maildir/cur", "Maildir/cur.old");
	assert_int_equal(fsx_mkdir(e->root, "Maildir/cur", 0700), 0);
	put(e, "Maildir/cur/1000.x:2,", "x\n");
	put(e, "Maildir/cur/1001.y:2,", "x\n");
	store_poll(e->st);
	assert_true(mailbox_deleted(mb));
	mailbox_release(mb);
	mb = box(e, "INBOX");
	assert_int_equal(count(mb), 2);
	assert_int_equal(mailbox_at(mb, 0)->uid, 1);
	mailbox_release(mb);
}
static void
test_tmp_replaced(void **state)
{
	struct env *e = *state;
	struct mailbox *mb = box(e, "INBOX");
	struct append_info info = { .flags = 0 };
	struct store_append *a;
	uint32_t uid;

	remove_below(e->root, "Maildir/tmp");
	a = append_begin(mb, &e->err);
	assert_non_null(a);
	assert_int_equal(append_write(a, STR("x\r\n"), &e->err), 0);
	assert_int_equal(append_commit(a, &info, &uid, &e->err), 0);
	assert_int_equal(count(mb), 1);
	mailbox_release(mb);
}
/* A folder that others renamed is open twice, under its old and its new name.
 * When the one goes, the other sees what comes. */
static void
test_renamed_by_others(void **state)
{
	struct env *e = *state;
	struct mailbox *old, *mb;
	char name[16];
	int i;

	assert_int_equal(store_create(e->st, STR("A"), &e->err), 0);
	old = box(e, "A");
	rename_file(e, "Maildir/.A", "Maildir/.B");
	mb = box(e, "B");
	mailbox_release(old);
	for (i = 0; i < STORE_IDLE_BOXES + 1; i++) {
		snprintf(name, sizeof(name), "F%d", i);
		assert_int_equal(store_create(e->st, str_of(name), &e->err), 0);
		mailbox_release(box(e, name));
	}
	store_poll(e->st);
	put(e, "Maildir/.B/new/1000.x", "x\n");
	store_poll(e->st);
	assert_int_equal(count(mb), 1);
	mailbox_release(mb);
}
/* A name has no room for the flags behind it: the message is there. */
static void
test_long_name(void **state)
{
	struct env *e = *state;
	struct mailbox *mb;
	char path[300];

	snprintf(path, sizeof(path), "Maildir/cur/%0255d", 7);
	put(e, path, "x\n");
	snprintf(path, sizeof(path), "Maildir/new/%0255d", 8);
	put(e, path, "x\n");
	mb = box(e, "INBOX");
	assert_int_equal(count(mb), 2);
	flag_all(e, mb, 2);
	store_finish(e->st);
	assert_int_equal(mailbox_find(mb, 1)->flags, MAILDIR_SEEN);
	assert_int_equal(mailbox_find(mb, 2)->flags, MAILDIR_SEEN);
	mailbox_release(mb);
}
/* Nobody waits for what is no file. */
static void
test_fifos(void **state)
{
	static const char *const names[] = {
		"posthouse.folders",  "posthouse.use",
		"subscriptions",      "posthouse.uidvalidity",
		"posthouse.cache",    "posthouse.keys",
		"posthouse.index",    "posthouse.log",
		".subscriptions.new",
	};
	struct env *e = *state;
	struct folder_status status;
	struct message_reader r;
	struct folder_list l;
	struct mailbox *mb;
	char path[64];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "Maildir/%s", names[i]);
		assert_int_equal(mkfifoat(e->root, path, 0600), 0);
	}
	put(e, "Maildir/cur/1000.x:2,", "x\n");
	mb = box(e, "INBOX");
	mailbox_blob_put(mb, 1, BLOB_SEND, STR("x"));
	assert_int_equal(store_list(e->st, &l, &e->err), 0);
	folder_list_fini(&l);
	(void)!store_subscribe(e->st, STR("INBOX"), true, &e->err);
	assert_int_equal(fsx_unlink(e->root, "Maildir/cur/1000.x:2,"), 0);
	assert_int_equal(mkfifoat(e->root, "Maildir/cur/1000.x:2,", 0600), 0);
	if (mailbox_read(mb, 1, &r, &e->err) == 0)
		reader_close(&r);
	mailbox_release(mb);
	store_finish(e->st);
	assert_int_equal(store_create(e->st, STR("A"), &e->err), 0);
	assert_int_equal(store_status(e->st, STR("A"), &status, &e->err), 0);
	assert_int_equal(fsx_unlink(e->root, "Maildir/.A/posthouse.log"), 0);
	assert_int_equal(mkfifoat(e->root, "Maildir/.A/posthouse.log", 0600),
			 0);
	store_finish(e->st);
	store_close(e->st);
	e->st = store_open(e->root, "Maildir", "host.example", &e->err);
	assert_int_equal(store_status(e->st, STR("A"), &status, &e->err), 0);
}
/* What came to one folder is told, although another one read the events. */
static void
test_told_by_another(void **state)
{
	struct env *e = *state;
	struct mailbox *mb = box(e, "INBOX"), *other;
	int ms;

	assert_int_equal(store_create(e->st, STR("A"), &e->err), 0);
	other = box(e, "A");
	put(e, "Maildir/new/1000.x", "x\n");
	assert_int_equal(mailbox_refresh(other, &e->err), 0);
	store_work(e->st, &ms);
	assert_int_equal(count(mb), 1);
	mailbox_release(other);
	mailbox_release(mb);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_files_go_first),  ROW(test_folder_removed),
		ROW(test_log_in_the_way),  ROW(test_directory_replaced),
		ROW(test_tmp_replaced),	   ROW(test_renamed_by_others),
		ROW(test_long_name),	   ROW(test_fifos),
		ROW(test_told_by_another), ROW(test_files_move_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
