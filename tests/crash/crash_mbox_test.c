/* SPDX-License-Identifier: ISC */
/*
 * Power cuts while an mbox is delivered to, and while it is taken in.  What was
 * there before and what was reported is whole, once; nothing else is harmed.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mbox.h"
#include "powercut.h"
#include "store/take.h"

enum { MESSAGES = 3, TEXT_ROOM = 8192 };

#define OLD "From o@x  Tue Nov 14 22:13:20 2023\nS: old\n\nold\n\n"

static void
write_old(int root)
{
	struct err err;
	int fd = fsx_open(root, "mbox", O_WRONLY | O_CREAT, 0600);

	assert_int_equal(fsx_write_all(fd, OLD, sizeof(OLD) - 1, &err), 0);
	assert_int_equal(fsx_fsync(fd), 0);
	fsx_close(fd);
}

static int
deliver(int root, unsigned i)
{
	char body[700];
	struct msg_deliver m = { .sender = STR("s@x"),
				 .header = STR("S: new\n\n"),
				 .body_fd = -1 };
	const struct msg_deliver_rcpt rcpt = { .address = STR("a@d") };
	struct mbox_batch b;
	struct mbox_file f;
	struct err err;
	int fd, rc = -1;

	memset(body, 'a' + (int)i, sizeof(body));
	body[sizeof(body) - 1] = '\n';
	m.body = str_mem(body, sizeof(body));
	fd = mbox_file_open(root, "mbox", 0600, false, &err);
	if (fd < 0)
		return -1;
	if (mbox_file_init(&f, root, "mbox", fd, &err) == 0) {
		f.use_dotlock = false;
		if (mbox_file_lock(&f, &err) == MBOX_LOCKED) {
			rc = mbox_begin(&b, &f, 0, &err);
			if (rc == 0)
				rc = mbox_append(&b, &m, &rcpt, 1700000000,
						 &err);
			if (rc == 0)
				rc = mbox_commit(&b, &err);
			mbox_file_unlock(&f);
		}
	}
	fsx_close(fd);
	return rc;
}

static void
read_mbox(int root, char text[TEXT_ROOM])
{
	int fd = fsx_open(root, "mbox", O_RDONLY, 0);
	ssize_t n = fd < 0 ? 0 : fsx_read(fd, text, TEXT_ROOM - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	if (fd >= 0)
		fsx_close(fd);
}

/* The body of message i is there, whole. */
static bool
has_message(const char *text, unsigned i)
{
	char body[702];

	memset(body, 'a' + (int)i, 699);
	memcpy(body + 699, "\n\n", 3);
	return strstr(text, body) != NULL;
}

static void
after_delivery(void *arg, const struct memfs *image, size_t cut,
	       const char *what)
{
	unsigned i, reported = 0;
	const char *old = arg;
	char text[TEXT_ROOM];
	size_t k;
	int root;

	for (k = 0; k < cut; k++)
		if (fsx_mem_op(k)->kind == MEMFS_NOTE)
			reported = fsx_mem_op(k)->node;
	fsx_mem_load_keep(image);
	root = fsx_mem_root();
	read_mbox(root, text);
	if (strncmp(text, old, strlen(old)) != 0)
		fail_msg("%s, cut %zu: old mail is damaged", what, cut);
	for (i = 0; i < reported; i++)
		if (!has_message(text, i))
			fail_msg("%s, cut %zu: message %u is lost", what, cut,
				 i);
	/* The next one begins a line, whatever was torn. */
	assert_int_equal(deliver(root, MESSAGES), 0);
	read_mbox(root, text);
	assert_true(has_message(text, MESSAGES));
	for (i = 0; i < reported; i++)
		assert_true(has_message(text, i));
}

static void
deliver_and_cut(const char *old)
{
	struct powercut_result result;
	struct memfs start;
	unsigned i;
	int root;

	fsx_mem_reset();
	root = fsx_mem_root();
	if (old[0])
		write_old(root);
	fsx_mem_record(&start);
	for (i = 0; i < MESSAGES; i++) {
		assert_int_equal(deliver(root, i), 0);
		fsx_mem_note(i + 1);
	}
	fsx_mem_record_stop();
	powercut_run(&start, 1, 0, after_delivery, (void *)(uintptr_t)old,
		     &result);
	memfs_fini(&start);
	assert_true(result.checked > 10);
}

static void
delivery(void **state)
{
	(void)state;
	deliver_and_cut(OLD);
}

static void
delivery_to_a_file_made_for_it(void **state)
{
	(void)state;
	deliver_and_cut("");
}

/* --- taking in ------------------------------------------------------------ */

static int
take(int root)
{
	uint32_t count;
	struct err err;
	int mail = fsx_open_below(root, "Maildir", O_RDONLY | O_DIRECTORY, 0,
				  0700, &err);
	int mbox = fsx_open(root, "mbox", O_RDWR | O_APPEND, 0);
	int rc = mail < 0 || mbox < 0
			 ? -1
			 : take_mbox(mail, mbox, "h", &count, &err);

	if (mail >= 0)
		fsx_close(mail);
	if (mbox >= 0)
		fsx_close(mbox);
	return rc;
}

/* Files of the Maildir with a message of this body. */
static unsigned
count_in(int root, const char *dir, char c)
{
	struct fsx_dir *d = fsx_opendir(root, dir);
	char path[400], text[TEXT_ROOM];
	const char *name;
	unsigned n = 0;
	ssize_t len;
	int fd;

	while (d && (name = fsx_readdir(d, NULL))) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
		fd = fsx_open(root, path, O_RDONLY, 0);
		len = fsx_read(fd, text, sizeof(text));
		fsx_close(fd);
		n += len > 2 && text[len - 2] == c;
	}
	if (d)
		fsx_closedir(d);
	return n;
}

static void
after_taking(void *arg, const struct memfs *image, size_t cut, const char *what)
{
	unsigned i, n, want;
	char text[TEXT_ROOM];
	int root;

	(void)arg;
	fsx_mem_load_keep(image);
	root = fsx_mem_root();
	if (take(root) < 0)
		fail_msg("%s, cut %zu: cannot be taken in", what, cut);
	read_mbox(root, text);
	assert_string_equal(text, "");
	for (i = 0; i < MESSAGES; i++) {
		want = i == 0 ? 2 : 1;
		n = count_in(root, "Maildir/new", (char)('a' + (int)i));
		if (n != want)
			fail_msg("%s, cut %zu: message %u is there %u times",
				 what, cut, i, n);
	}
}

static void
taking_in(void **state)
{
	struct powercut_result result;
	struct memfs start;
	struct err err;
	unsigned i;
	int root;

	(void)state;
	fsx_mem_reset();
	root = fsx_mem_root();
	for (i = 0; i < MESSAGES; i++)
		assert_int_equal(deliver(root, i), 0);
	assert_int_equal(deliver(root, 0), 0); /* equal to the byte */
	/* As spawner does it, durably, before there is a taker. */
	assert_int_equal(maildir_create(root, "Maildir", &err), 0);
	fsx_mem_record(&start);
	assert_int_equal(take(root), 0);
	fsx_mem_record_stop();
	powercut_run(&start, 1, 0, after_taking, NULL, &result);
	memfs_fini(&start);
	assert_true(result.checked > 200);
}

/* Each call fails once: nothing is lost, and the next attempt does it all. */
static void
every_call_of_taking_in_may_fail(void **state)
{
	static const int codes[] = { 5, 28 }; /* EIO, ENOSPC */
	uint64_t call, last = 1000;
	unsigned i;
	size_t c;
	int root;

	(void)state;
	for (c = 0; c < 2; c++)
		for (call = 1; call < last; call++) {
			fsx_mem_reset();
			root = fsx_mem_root();
			for (i = 0; i < MESSAGES; i++)
				assert_int_equal(deliver(root, i), 0);
			fsx_mem_fail_at(fsx_mem_calls() + call, codes[c]);
			i = (unsigned)fsx_mem_calls();
			(void)!take(root);
			if (fsx_mem_calls() < i + call)
				last = call; /* there are no more */
			fsx_mem_fail_at(0, 0);
			assert_int_equal(take(root), 0);
			for (i = 0; i < MESSAGES; i++)
				if (count_in(root, "Maildir/new",
					     (char)('a' + (int)i)) != 1)
					fail_msg("call %llu: message %u",
						 (unsigned long long)call, i);
		}
	assert_true(last > 30 && last < 1000);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(delivery),
		cmocka_unit_test(delivery_to_a_file_made_for_it),
		cmocka_unit_test(taking_in),
		cmocka_unit_test(every_call_of_taking_in_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
