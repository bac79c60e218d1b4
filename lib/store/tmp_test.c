/* SPDX-License-Identifier: ISC */
#include <fcntl.h>

#include "base/fsx.h"
#include "base/fsx_mem.h"
#include "base/unit.h"
#include "store/store_int.h"

static void
put(const char *path)
{
	int fd = fsx_open(fsx_mem_root(), path, O_WRONLY | O_CREAT | O_EXCL,
			  0600);

	assert_true(fd >= 0);
	assert_int_equal(fsx_write(fd, "x\n", 2), 2);
	fsx_close(fd);
}

static bool
there(const char *path)
{
	struct stat st;

	return fsx_fstatat(fsx_mem_root(), path, &st) == 0;
}

/* The files of this disk are of 1970. */
static void
test_swept(void **state)
{
	struct mailbox *mb;
	struct store *st;
	struct err err;

	(void)state;
	fsx_mem_reset();
	st = store_open(fsx_mem_root(), "Maildir", "host", &err);
	assert_non_null(st);
	put("Maildir/cur/1000.a,S=2:2,");
	mb = mailbox_open(st, STR("INBOX"), &err);
	assert_non_null(mb);
	put("Maildir/tmp/1000.a");
	put("Maildir/tmp/1001.b");
	tmp_sweep(mb);
	/* The log speaks of a message that may be there. */
	assert_true(there("Maildir/tmp/1000.a"));
	assert_false(there("Maildir/tmp/1001.b"));
	/* Once for each opening. */
	put("Maildir/tmp/1002.c");
	tmp_sweep(mb);
	assert_true(there("Maildir/tmp/1002.c"));
	mailbox_release(mb);
	store_close(st);
	st = store_open(fsx_mem_root(), "Maildir", "host", &err);
	mb = mailbox_open(st, STR("INBOX"), &err);
	assert_non_null(mb);
	store_finish(st);
	assert_false(there("Maildir/tmp/1002.c"));
	mailbox_release(mb);
	store_close(st);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
