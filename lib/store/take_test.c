/* SPDX-License-Identifier: ISC */
/* From an mbox into a Maildir, on the disk in memory: what comes of it, an
 * error at each call, a power cut after each change. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/fsx_mem.h"
#include "store/maildir.h"
#include "store/take.h"

#define FROM "From a@x  Tue Nov 14 22:13:20 2023\n"

static void
write_mbox(int root, const char *text)
{
	struct err err;
	int fd = fsx_open(root, "mbox", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fsx_write_all(fd, text, strlen(text), &err), 0);
	assert_int_equal(fsx_fsync(fd), 0);
	fsx_close(fd);
}

static int
take(int root, uint32_t *count, struct err *err)
{
	int mail = fsx_open_below(root, "Maildir", O_RDONLY | O_DIRECTORY, 0,
				  0700, err);
	int mbox = fsx_open(root, "mbox", O_RDWR | O_APPEND, 0);
	int rc = -1;

	*count = 0;
	if (mail >= 0 && mbox >= 0)
		rc = take_mbox(mail, mbox, "h", count, err);
	if (mail >= 0)
		fsx_close(mail);
	if (mbox >= 0)
		fsx_close(mbox);
	return rc;
}

/* How many files of the Maildir have this text; name: of one of them. */
static unsigned
count_text(int root, const char *dir, const char *text, char *name)
{
	struct fsx_dir *d;
	char path[600], got[1000];
	unsigned n = 0;
	const char *entry;
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof(path), "Maildir/%s", dir);
	d = fsx_opendir(root, path);
	while (d && (entry = fsx_readdir(d, NULL))) {
		(void)snprintf(path, sizeof(path), "Maildir/%s/%s", dir, entry);
		fd = fsx_open(root, path, O_RDONLY, 0);
		assert_true(fd >= 0);
		len = fsx_read(fd, got, sizeof(got));
		fsx_close(fd);
		if (!str_eq(str_mem(got, (size_t)len), str_of(text)))
			continue;
		n++;
		if (name)
			(void)snprintf(name, 256, "%s", entry);
	}
	if (d)
		fsx_closedir(d);
	return n;
}

static off_t
mbox_size(int root)
{
	struct stat st;

	assert_int_equal(fsx_fstatat(root, "mbox", &st), 0);
	return st.st_size;
}

static void
what_comes_of_it(void **state)
{
	static const struct {
		const char *mbox, *dir, *text, *tail;
	} rows[] = {
		{ FROM "S: x\n\none\n\n", "new", "S: x\n\none\n",
		  ",S=10,W=13" },
		{ "\n\n" FROM "S: x\n\none\n", "new", "S: x\n\none\n",
		  ",S=10,W=13" },
		{ FROM "S: x\n\none\n\n" FROM "S: y\n\ntwo\n\n", "new",
		  "S: y\n\ntwo\n", NULL },
		{ FROM "S: x\n\none\n\n" FROM "S: y\n\ntwo\n\n", "new",
		  "S: x\n\none\n", NULL },
		{ FROM "S: x\n\nFrom me\n>From you\n\nFrom them\n", "new",
		  "S: x\n\nFrom me\n>From you\n\nFrom them\n", NULL },
		{ FROM "S: x\r\n\r\none\r\n\r\n", "new", "S: x\n\none\n",
		  NULL },
		{ FROM "Status: O\nS: x\n\none\n\n", "cur", "S: x\n\none\n",
		  ":2," },
		{ FROM "Status: RO\nX-Status: AF\nS: x\n\none\n\n", "cur",
		  "S: x\n\none\n", ":2,FRS" },
		{ FROM "S: x\n\none\n \n\t\ntwo\n\n", "new",
		  "S: x\n\none\n \n\t\ntwo\n", NULL },
		{ FROM "S: x\n\none\n\n" FROM "X-IMAP: 1 2\nS: y\n\ntwo\n\n",
		  "new", "S: y\n\ntwo\n", NULL },
		{ FROM "X-IMAP: 1 2\nS: y\n\ntwo\n\n", "new", "S: y\n\ntwo\n",
		  NULL },
		{ "From MAILER-DAEMON Tue Nov 14 22:13:20 2023\n"
		  "X-IMAP: 1 2\nS: y\n\ntwo\n\n" FROM "S: x\n\none\n\n",
		  "new", "S: x\n\none\n", NULL },
		{ FROM "S: torn", "new", "S: torn", NULL },
		{ "From a@x  T\n\n" FROM "S: y\n\ntwo\n", "new",
		  "S: y\n\ntwo\n", NULL },
		{ "From a@x  T\n\n" FROM "S: y\n\ntwo\n", "new", "\n", NULL },
		{ FROM, "new", "", NULL },
	};
	char name[256];
	uint32_t count;
	struct err err;
	size_t i;
	int root;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fsx_mem_reset();
		root = fsx_mem_root();
		write_mbox(root, rows[i].mbox);
		assert_int_equal(take(root, &count, &err), 0);
		assert_true(count > 0);
		if (count_text(root, rows[i].dir, rows[i].text, name) != 1)
			fail_msg("row %zu", i);
		if (rows[i].tail)
			assert_true(
				str_ends(str_of(name), str_of(rows[i].tail)));
		assert_int_equal(mbox_size(root), 0);
	}
}

/* Short lines cost no more than their bytes: half a second of a CPU, where a
 * buffer moved for each of them would cost minutes. */
static void
many_lines(void **state)
{
	enum { SIZE = 8 * 1024 * 1024, MAX_S = 20 };
	char *text = malloc(SIZE);
	clock_t start;
	uint32_t count;
	struct err err;
	int fd, root;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', SIZE);
	memcpy(text, FROM, sizeof(FROM) - 1);
	fsx_mem_reset();
	root = fsx_mem_root();
	fd = fsx_open(root, "mbox", O_WRONLY | O_CREAT, 0600);
	assert_int_equal(fsx_write_all(fd, text, SIZE, &err), 0);
	fsx_close(fd);
	free(text);
	start = clock();
	assert_int_equal(take(root, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_in_range(clock() - start, 0, MAX_S * CLOCKS_PER_SEC);
}

/* Of two users with one Maildir: what the other's taker writes in tmp/ under
 * the same posthouse.take stays its own. */
static void
another_taker(void **state)
{
	static const char key[] = "posthouse.take 1 "
				  "00112233445566778899aabbccddeeff\n";
	uint32_t count;
	struct err err;
	struct stat st;
	int mail, root;

	(void)state;
	fsx_mem_reset();
	root = fsx_mem_root();
	write_mbox(root, FROM "S: x\n\none\n\n");
	mail = fsx_open_below(root, "Maildir/tmp", O_RDONLY | O_DIRECTORY, 0,
			      0700, &err);
	assert_int_equal(fsx_make_file(mail, "take.0011223344556677.0", 0600),
			 0);
	fsx_close(mail);
	mail = fsx_open(root, "Maildir", O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(fsx_replace(mail, "posthouse.take", key,
				     sizeof(key) - 1, 0600, &err),
			 0);
	assert_int_equal(take(root, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(fsx_fstatat(mail, "tmp/take.0011223344556677.0", &st),
			 0);
	fsx_close(mail);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_of_it),
		cmocka_unit_test(many_lines),
		cmocka_unit_test(another_taker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
