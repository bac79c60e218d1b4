/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fsx.h"
#include "store/maildir.h"

static void
parses_names(void **state)
{
	static const struct {
		const char *in, *base;
		uint64_t flags;
		int64_t size, wsize; /* -1: none */
	} rows[] = {
		{ "1.P2.h,S=10,W=12", "1.P2.h,S=10,W=12", 0, 10, 12 },
		{ "1.P2.h,S=10,W=12:2,", "1.P2.h,S=10,W=12", 0, 10, 12 },
		{ "1.h:2,FS", "1.h", MAILDIR_FLAGGED | MAILDIR_SEEN, -1, -1 },
		{ "1.h:2,SF", "1.h", MAILDIR_FLAGGED | MAILDIR_SEEN, -1, -1 },
		{ "1.h:2,Sab", "1.h",
		  MAILDIR_SEEN | MAILDIR_FLAG('a') | MAILDIR_FLAG('b'), -1,
		  -1 },
		{ "1.h:1,S", "1.h", 0, -1, -1 },
		{ "1.h:", "1.h", 0, -1, -1 },
		{ "1.h,S=,W=x", "1.h,S=,W=x", 0, -1, -1 },
		{ "1.h,S=99999999999999999999", "1.h,S=99999999999999999999", 0,
		  -1, -1 },
		{ "1.h,S=5x,W=7", "1.h,S=5x,W=7", 0, -1, 7 },
		{ "1.h:2,S,S=4", "1.h", MAILDIR_SEEN, -1, -1 },
	};
	static const char *const bad[] = { "",	   ".",	  "..",	  ".hidden",
					   ":2,S", "a/b", "a\nb", "a\tb" };
	struct maildir_name name;
	char longest[257];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(maildir_parse(str_of(rows[i].in), &name), 0);
		assert_true(str_eq(name.base, str_of(rows[i].base)));
		assert_int_equal(name.flags & ~MAILDIR_TRASHED, rows[i].flags);
		assert_int_equal(name.has_size, rows[i].size >= 0);
		assert_int_equal(name.has_wsize, rows[i].wsize >= 0);
		if (name.has_size)
			assert_int_equal(name.size, rows[i].size);
		if (name.has_wsize)
			assert_int_equal(name.wsize, rows[i].wsize);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(maildir_parse(str_of(bad[i]), &name), -1);
	assert_int_equal(maildir_parse(str_mem("a\0b", 3), &name), -1);
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(maildir_parse(str_mem(longest, 256), &name), -1);
	assert_int_equal(maildir_parse(str_mem(longest, 255), &name), 0);
}

/* Wherever it stands, in names of all lengths up to some words. */
static void
odd_bytes_are_found(void **state)
{
	static const char odd[] = { '\0', '\n', 0x1f, '/' };
	static const char even[] = { ' ',  '!',	   '.',	   '0',
				     0x7f, '\x80', '\xaf', '\xff' };
	char name[30];
	size_t n, at, i;

	(void)state;
	memset(name, '0', sizeof(name));
	for (n = 0; n <= sizeof(name); n++) {
		assert_true(maildir_is_plain(str_mem(name, n)));
		for (at = 0; at < n; at++) {
			for (i = 0; i < sizeof(odd); i++) {
				name[at] = odd[i];
				assert_false(
					maildir_is_plain(str_mem(name, n)));
			}
			for (i = 0; i < sizeof(even); i++) {
				name[at] = even[i];
				assert_true(maildir_is_plain(str_mem(name, n)));
			}
			name[at] = '0';
		}
	}
}

static void
regular_names_are_as_we_write_them(void **state)
{
	static const struct {
		const char *in;
		bool want;
	} rows[] = {
		{ "1.h", true },	 { "1.h:2,", true },
		{ "1.h:2,FS", true },	 { "1.h:2,Sa", true },
		{ "1.h:2,SF", false },	 { "1.h:2,SS", false },
		{ "1.h:2,S,", false },	 { "1.h:2,S1", false },
		{ "1.h:2", false },	 { "1.h:", false },
		{ "1.h:1,S", false },	 { "1.h:2,aS", false },
		{ "1.h:2,\xc3", false },
	};
	struct maildir_name name;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(maildir_parse(str_of(rows[i].in), &name), 0);
		assert_int_equal(name.regular, rows[i].want);
	}
}

static void
formats_what_it_parses(void **state)
{
	struct buf b;
	struct maildir_name name;
	uint64_t flags = MAILDIR_SEEN | MAILDIR_DRAFT | MAILDIR_FLAG('z');

	(void)state;
	buf_init(&b, 255);
	maildir_format(&b, STR("1.h,S=3"), flags);
	assert_string_equal(buf_cstr(&b), "1.h,S=3:2,DSz");
	assert_int_equal(maildir_parse(buf_str(&b), &name), 0);
	assert_int_equal(name.flags, flags);
	assert_int_equal(name.size, 3);
	buf_fini(&b);
}

static void
base_is_a_function_of_the_queue_file(void **state)
{
	struct maildir_origin o = { .arrival_us = 1700000000123456,
				    .spool_id = 0xa1,
				    .queue_id = 0xb2 };
	struct buf a, b;

	(void)state;
	buf_init(&a, 255);
	buf_init(&b, 255);
	o.rcpt = maildir_rcpt(o.spool_id, o.queue_id, 0, STR("d/alice/"),
			      STR("alice@d"));
	assert_true(o.rcpt != maildir_rcpt(o.spool_id, o.queue_id, 1,
					   STR("d/alice/"), STR("alice@d")));
	assert_true(o.rcpt != maildir_rcpt(o.spool_id, o.queue_id, 0,
					   STR("d/alice"), STR("alice@d")));
	assert_true(o.rcpt != maildir_rcpt(o.spool_id, o.queue_id, 0,
					   STR("d/alice/"), STR("alicf@d")));
	/* Known value: names must not change between versions. */
	o.rcpt = 0x0123456789abcdef;
	maildir_base(&a, &o, STR("mail.posthouse.test"), 10, 12);
	assert_string_equal(buf_cstr(&a),
			    "1700000000.P00000000000000a1Q00000000000000b2"
			    "R0123456789abcdef.mail.posthouse.test,S=10,W=12");
	maildir_prefix(&b, &o);
	assert_true(str_starts(buf_str(&a), buf_str(&b)));
	buf_reset(&b);
	maildir_base(&b, &o, STR("a/b:c,d"), 0, 0);
	assert_true(str_search(buf_str(&b), STR(".a\\057b\\072c\\054d,S=0")) >
		    0);
	buf_fini(&a);
	buf_fini(&b);
}

static void
longest_name_has_room_for_flags(void **state)
{
	struct maildir_origin o = { UINT64_MAX, UINT64_MAX, UINT64_MAX,
				    UINT64_MAX };
	struct maildir_name name;
	struct buf base, whole;
	char host[300];

	(void)state;
	memset(host, '/', sizeof(host));
	buf_init(&base, 1000);
	buf_init(&whole, 1000);
	maildir_base(&base, &o, str_mem(host, sizeof(host)), INT64_MAX,
		     INT64_MAX);
	maildir_format(&whole, buf_str(&base), (1ull << 52) - 1);
	assert_true(whole.n <= MAILDIR_NAME_MAX);
	assert_int_equal(maildir_parse(buf_str(&whole), &name), 0);
	assert_int_equal(name.flags, (1ull << 52) - 1);
	assert_int_equal(name.wsize, INT64_MAX);
	buf_reset(&base);
	buf_reset(&whole);
	maildir_base_random(&base, STR("h"), 1, 2);
	maildir_base_random(&whole, STR("h"), 1, 2);
	assert_false(str_eq(buf_str(&base), buf_str(&whole)));
	assert_int_equal(maildir_parse(buf_str(&base), &name), 0);
	buf_fini(&base);
	buf_fini(&whole);
}

static void
counts_line_ends(void **state)
{
	static const struct {
		const char *in;
		uint64_t want;
	} rows[] = {
		{ "", 0 },	 { "a", 0 },	    { "\n", 1 },
		{ "a\nb\n", 2 }, { "a\r\nb\n", 1 }, { "\r\n\n\r\n", 1 },
	};
	size_t i, n, cut;
	uint64_t got;
	char last;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		n = strlen(rows[i].in);
		for (cut = 0; cut <= n; cut++) {
			last = 0;
			got = maildir_count_lf(rows[i].in, cut, &last);
			got += maildir_count_lf(rows[i].in + cut, n - cut,
						&last);
			assert_int_equal(got, rows[i].want);
		}
	}
}

static int
make_root(char *tmpl)
{
	snprintf(tmpl, 32, "/tmp/maildir_test.XXXXXX");
	assert_non_null(mkdtemp(tmpl));
	return fsx_open(AT_FDCWD, tmpl, O_RDONLY | O_DIRECTORY, 0);
}

static void
remove_root(int root, const char *path)
{
	char cmd[100];

	fsx_close(root);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", path);
	assert_int_equal(system(cmd), 0);
}

static void
creates_and_opens(void **state)
{
	static const char *const paths[] = { "d/alice/", "d/alice", "", ".",
					     "a/b/c/d" };
	struct maildir_box box;
	char dir[40];
	struct stat st;
	struct err err;
	int root;
	size_t i;

	(void)state;
	root = make_root(dir);
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (i != 1 && i != 3) { /* the same as the one before */
			assert_int_equal(
				maildir_open(root, paths[i], &box, &err), -1);
			assert_int_equal(err.code, ENOENT);
		}
		assert_int_equal(maildir_create(root, paths[i], &err), 0);
		assert_int_equal(maildir_open(root, paths[i], &box, &err), 0);
		maildir_close(&box);
		assert_int_equal(maildir_create(root, paths[i], &err), 0);
	}
	assert_int_equal(fsx_fstatat(root, "d/alice/cur", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	remove_root(root, dir);
}

static void
refuses_paths_that_lead_out(void **state)
{
	static const char *const bad[] = {
		"..",	     "../x", "a/../b", "a/..",	      "/etc",	 "/",
		"a//b",	     "./a",  "a/./b",  "a/.",	      "link/x/", "link",
		"a/link2/x", "file", "file/x", "new-is-link", "long",
	};
	char dir[40], path[1100];
	struct maildir_box box;
	struct err err;
	int root, fd;
	size_t i;

	(void)state;
	root = make_root(dir);
	assert_int_equal(maildir_create(root, "a", &err), 0);
	assert_int_equal(symlinkat("/tmp", root, "link"), 0);
	assert_int_equal(symlinkat("../a", root, "a/link2"), 0);
	assert_int_equal(fsx_mkdir(root, "new-is-link", 0700), 0);
	assert_int_equal(fsx_mkdir(root, "new-is-link/tmp", 0700), 0);
	assert_int_equal(symlinkat("../a/new", root, "new-is-link/new"), 0);
	fd = fsx_open(root, "file", O_WRONLY | O_CREAT, 0600);
	fsx_close(fd);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(path, sizeof(path), "%s", bad[i]);
		if (strcmp(bad[i], "long") == 0)
			snprintf(path, sizeof(path), "%01050d", 0);
		assert_int_equal(maildir_create(root, path, &err), -1);
		assert_int_equal(maildir_open(root, path, &box, &err), -1);
		assert_int_not_equal(err.code, ENOENT);
		assert_int_equal(box.new, -1);
	}
	remove_root(root, dir);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_names),
		cmocka_unit_test(odd_bytes_are_found),
		cmocka_unit_test(regular_names_are_as_we_write_them),
		cmocka_unit_test(formats_what_it_parses),
		cmocka_unit_test(base_is_a_function_of_the_queue_file),
		cmocka_unit_test(longest_name_has_room_for_flags),
		cmocka_unit_test(counts_line_ends),
		cmocka_unit_test(creates_and_opens),
		cmocka_unit_test(refuses_paths_that_lead_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
