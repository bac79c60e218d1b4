/* SPDX-License-Identifier: ISC */
/* Folders: made, listed, renamed, removed; what is known of closed ones. */
#include "store/index_log.h"
#include "store/testbed.h"

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
/* What other programs have in a folder's directory. */
static void
test_delete_foreign(void **state)
{
	struct env *e = *state;

	assert_int_equal(store_create(e->st, STR("A"), &e->err), 0);
	assert_int_equal(
		mkdirat(e->root, "Maildir/.A/courierimapkeywords", 0700), 0);
	put(e, "Maildir/.A/courierimapkeywords/:list", "x\n");
	assert_int_equal(mkdirat(e->root, "Maildir/.A/precious", 0700), 0);
	assert_int_equal(store_delete(e->st, STR("A"), &e->err), -1);
	assert_int_equal(e->err.code, EPERM);
	assert_true(store_exists(e->st, STR("A")));
	assert_int_equal(unlinkat(e->root, "Maildir/.A/precious", AT_REMOVEDIR),
			 0);
	assert_int_equal(store_delete(e->st, STR("A"), &e->err), 0);
	assert_false(there(e, "Maildir/.A"));
	reopen(e);
	assert_true(!there(e, "Maildir/.A"));
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

/* A folder's log has zeros from here on, or ends there. */
static void
lose(struct env *e, const char *log, uint64_t from, bool cut)
{
	int fd = fsx_open(e->root, log, O_RDWR, 0);
	struct stat st;
	char *zeros;

	assert_int_equal(fsx_fstat(fd, &st), 0);
	if (cut) {
		assert_int_equal(fsx_ftruncate(fd, (off_t)from), 0);
	} else {
		zeros = calloc(1, (size_t)st.st_size - from);
		assert_non_null(zeros);
		assert_int_equal(fsx_pwrite_all(fd, zeros,
						(size_t)st.st_size - from,
						(off_t)from, &e->err),
				 0);
		free(zeros);
	}
	fsx_close(fd);
}

/* What a log says at its end is lost while nobody looks, and nothing there
 * shows it: no UID is given again. */
static void
lose_the_last(struct env *e, const char *folder, bool cut, bool status)
{
	char log[80], snapshot[80];
	uint32_t last, validity, next;
	struct folder_status s;
	uint64_t id, from;
	struct mailbox *mb;
	size_t n;

	snprintf(log, sizeof(log), "Maildir/.%s/" ILOG_NAME, folder);
	snprintf(snapshot, sizeof(snapshot), "Maildir/.%s/posthouse.index",
		 folder);
	assert_int_equal(store_create(e->st, str_of(folder), &e->err), 0);
	mb = box(e, folder);
	append(e, mb, "x\r\n", 0);
	index_trace(mb->ix, &id, &from);
	append(e, mb, "y\r\n", 0);
	last = append(e, mb, "z\r\n", 0);
	n = count(mb);
	validity = validity_of(mb);
	mailbox_release(mb);
	store_finish(e->st);
	store_close(e->st);
	e->st = NULL;
	assert_false(there(e, snapshot));
	lose(e, log, from, cut);
	reopen(e);
	if (status) {
		assert_int_equal(
			store_status(e->st, str_of(folder), &s, &e->err), 0);
		assert_int_equal(s.messages, n);
		assert_true(s.uidnext > last);
	}
	mb = box(e, folder);
	assert_int_equal(validity_of(mb), validity);
	assert_int_equal(count(mb), n);
	assert_int_equal(nth(mb, n - 2)->uid, last + 1);
	next = append(e, mb, "q\r\n", 0);
	assert_int_equal(next, last + 3);
	mailbox_release(mb);
}

static void
test_uids_of_a_log_that_lost_its_end(void **state)
{
	struct env *e = *state;

	lose_the_last(e, "F0", false, false);
	lose_the_last(e, "F1", false, true);
	lose_the_last(e, "F2", true, false);
	lose_the_last(e, "F3", true, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_folders),
		ROW(test_delete_foreign),
		ROW(test_rename_inbox),
		ROW(test_status),
		ROW(test_uids_of_a_log_that_lost_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
