/* SPDX-License-Identifier: ISC */
/*
 * Delivery on the disk in memory: an error at each call, and a power cut after
 * each change with what was not synced lost, kept, or one by one.  Whatever is
 * left, a repeated delivery ends with every message in new/ once and whole, and
 * what had been reported was whole before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fsx_mem.h"
#include "write.h"

enum { RCPTS = 3, CALLS_MAX = 60 };

static const struct msg_deliver message = {
	.id = STR("ABC"),
	.queue_id = 7,
	.spool_id = 9,
	.arrival_us = 1700000000500000,
	.sender = STR("s@x"),
	.header = STR("Subject: s\n\n"),
	.body = STR("one\ntwo\nthree\n"),
	.body_fd = -1,
};

/* The message to recipient i; 0 when it is written and synced. */
static int
deliver(int root, uint32_t i, bool maybe_done, struct err *err)
{
	struct msg_deliver_rcpt rcpt = {
		.slot = i,
		.path = STR("d/alice/"),
		.address = STR("alice@d"),
		.maybe_done = maybe_done,
	};
	struct maildir_box box;
	struct write_msg w;
	struct written out;
	enum write_result r;
	int rc = 0;

	if (maildir_open(root, "d/alice/", &box, err) < 0 &&
	    (maildir_create(root, "d/alice/", err) < 0 ||
	     maildir_open(root, "d/alice/", &box, err) < 0))
		return -1;
	write_msg_init(&w, &message, STR("h"));
	r = write_rcpt(&w, &box, &rcpt, &out, err);
	if (r == WRITE_FAILED)
		rc = -1;
	else if (r == WRITE_FOUND)
		rc = fsx_syncfs(box.new);
	else if ((rc = fsx_fsync(out.fd)) < 0)
		write_undo(&box, &out);
	if (out.fd >= 0)
		fsx_close(out.fd);
	maildir_close(&box);
	return rc;
}

/* Whole messages in new/; torn: the others. */
static unsigned
count_whole(int root, unsigned *torn)
{
	struct fsx_dir *d;
	struct maildir_name name;
	struct stat st;
	const char *entry;
	unsigned n = 0;
	struct err err;
	int dir;

	*torn = 0;
	dir = fsx_open_below(root, "d/alice/new", O_RDONLY | O_DIRECTORY, 0, 0,
			     &err);
	if (dir < 0)
		return 0;
	d = fsx_opendir(dir, ".");
	assert_non_null(d);
	while ((entry = fsx_readdir(d, NULL))) {
		assert_int_equal(maildir_parse(str_of(entry), &name), 0);
		assert_int_equal(fsx_fstatat(dir, entry, &st), 0);
		if (name.has_size && name.size == (uint64_t)st.st_size)
			n++;
		else
			(*torn)++;
	}
	fsx_closedir(d);
	fsx_close(dir);
	return n;
}

static void
every_call_may_fail(void **state)
{
	static const int codes[] = { ENOSPC, EDQUOT, EIO };
	uint64_t call, last = CALLS_MAX;
	unsigned torn;
	struct err err;
	size_t c;
	int root, rc;

	(void)state;
	for (c = 0; c < 3; c++) {
		for (call = 1; call < last; call++) {
			fsx_mem_reset();
			root = fsx_mem_root();
			fsx_mem_fail_at(call, codes[c]);
			rc = deliver(root, 0, false, &err);
			if (fsx_mem_calls() < call)
				last = call; /* there are no more */
			fsx_mem_fail_at(0, 0);
			/* Nothing half done can be seen. */
			if (rc == 0)
				assert_int_equal(count_whole(root, &torn), 1);
			else
				assert_int_equal(count_whole(root, &torn), 0);
			assert_int_equal(torn, 0);
			if (rc < 0)
				assert_int_equal(deliver(root, 0, false, &err),
						 0);
			assert_int_equal(count_whole(root, &torn), 1);
			assert_int_equal(torn, 0);
		}
		assert_true(last < CALLS_MAX && last > 5);
	}
}

/* --- power cuts ---------------------------------------------------------- */

static bool
is_change(const struct memfs_op *op)
{
	return op->kind != MEMFS_SYNC && op->kind != MEMFS_SYNCFS &&
	       op->kind != MEMFS_NOTE;
}

/* Has change j been made durable by a sync before cut?  The sync of a file
 * covers its data and its name. */
static bool
is_durable(size_t j, size_t cut)
{
	const struct memfs_op *op = fsx_mem_op(j), *s;
	size_t k;

	for (k = j + 1; k < cut; k++) {
		s = fsx_mem_op(k);
		if (s->kind == MEMFS_SYNCFS)
			return true;
		if (s->kind != MEMFS_SYNC)
			continue;
		if (s->node == op->node)
			return true;
		if (op->kind != MEMFS_WRITE && op->kind != MEMFS_TRUNC &&
		    (s->node == op->dir ||
		     (op->kind == MEMFS_RENAME && s->node == op->to_dir)))
			return true;
	}
	return false;
}

enum pick { DROP_ALL, KEEP_ALL, DROP_ONE, KEEP_ONE, TEAR };

static void
make_image(struct memfs *fs, const struct memfs *start, size_t cut,
	   enum pick pick, size_t one)
{
	const struct memfs_op *op;
	struct memfs_op torn;
	bool keep;
	size_t j;

	memfs_copy(fs, start);
	for (j = 0; j < cut; j++) {
		op = fsx_mem_op(j);
		keep = pick == KEEP_ALL || pick == TEAR ||
		       (pick == DROP_ONE && j != one) ||
		       (pick == KEEP_ONE && j == one) || is_durable(j, cut);
		if (is_change(op) && keep)
			memfs_apply(fs, op);
	}
	if (pick == TEAR && fsx_mem_op(cut)->kind == MEMFS_WRITE) {
		torn = *fsx_mem_op(cut);
		torn.data.n /= 2;
		memfs_apply(fs, &torn);
	}
}

static void
recover(const struct memfs *image, uint32_t reported)
{
	unsigned torn;
	struct err err;
	uint32_t i;
	int root;

	fsx_mem_load_keep(image);
	root = fsx_mem_root();
	assert_true(count_whole(root, &torn) >= reported);
	for (i = 0; i < RCPTS; i++)
		if (deliver(root, i, true, &err) < 0)
			fail_msg("recovery: %s", err.text);
	assert_int_equal(count_whole(root, &torn), RCPTS);
	assert_int_equal(torn, 0);
}

static void
every_power_cut_is_survived(void **state)
{
	struct memfs start, image;
	uint32_t i, reported = 0;
	size_t cut, one, n, images = 0;
	struct err err;
	enum pick pick;

	(void)state;
	fsx_mem_reset();
	fsx_mem_record(&start);
	for (i = 0; i < RCPTS; i++) {
		assert_int_equal(deliver(fsx_mem_root(), i, false, &err), 0);
		fsx_mem_note(i + 1);
	}
	fsx_mem_record_stop();
	n = fsx_mem_nops();
	for (cut = 0; cut < n; cut++) {
		if (cut && fsx_mem_op(cut - 1)->kind == MEMFS_NOTE)
			reported = fsx_mem_op(cut - 1)->node;
		for (pick = DROP_ALL; pick <= TEAR; pick++) {
			for (one = 0; one < cut; one++) {
				make_image(&image, &start, cut, pick, one);
				recover(&image, reported);
				memfs_fini(&image);
				images++;
				if (pick != DROP_ONE && pick != KEEP_ONE)
					break;
			}
		}
	}
	memfs_fini(&start);
	assert_true(images > 500);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_may_fail),
		cmocka_unit_test(every_power_cut_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
