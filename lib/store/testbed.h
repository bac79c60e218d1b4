/* SPDX-License-Identifier: ISC */
#ifndef STORE_TESTBED_H
#define STORE_TESTBED_H

/* A store in a directory of its own, for the tests of how it behaves: what a
 * session does to it, and other programs. */
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

#include "base/fsx.h"
#include "store/store_int.h"

enum { HANGS_S = 60 };

struct env {
	char path[64];
	int root;
	struct store *st;
	struct err err;
};
static inline void
reopen(struct env *e)
{
	if (e->st)
		store_close(e->st);
	e->st = store_open(e->root, "Maildir", "host.example", &e->err);
	assert_non_null(e->st);
	assert_true(store_watch_fd(e->st) >= 0);
}
static inline int
setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	snprintf(e->path, sizeof(e->path), "/tmp/store_test.XXXXXX");
	assert_non_null(mkdtemp(e->path));
	e->root = open(e->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	reopen(e);
	alarm(HANGS_S);
	*state = e;
	return 0;
}
static inline void
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
static inline int
teardown(void **state)
{
	struct env *e = *state;

	alarm(0);
	if (e->st)
		store_close(e->st);
	remove_below(AT_FDCWD, e->path);
	close(e->root);
	free(e);
	return 0;
}
/* A file as another program would put it there. */
static inline void
put(struct env *e, const char *path, const char *text)
{
	int fd;

	fd = fsx_open(e->root, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fsx_write_all(fd, text, strlen(text), &e->err), 0);
	fsx_close(fd);
}
static inline bool
there(struct env *e, const char *path)
{
	struct stat sb;

	return fsx_fstatat(e->root, path, &sb) == 0;
}
static inline struct mailbox *
box(struct env *e, const char *name)
{
	struct mailbox *mb = mailbox_open(e->st, str_of(name), &e->err);

	if (!mb)
		fail_msg("%s: %s", name, e->err.text);
	return mb;
}
static inline size_t
count(struct mailbox *mb)
{
	struct index_totals t;

	mailbox_totals(mb, &t);
	return t.messages;
}
static inline uint32_t
validity_of(struct mailbox *mb)
{
	struct index_totals t;

	mailbox_totals(mb, &t);
	return t.uidvalidity;
}
/* The n-th message that is there. */
static inline const struct message *
nth(struct mailbox *mb, size_t n)
{
	size_t i;

	for (i = 0; i < mailbox_slots(mb); i++)
		if (!mailbox_at(mb, i)->gone && n-- == 0)
			return mailbox_at(mb, i);
	fail_msg("there are not so many");
	return NULL;
}
static inline void
refresh(struct env *e, struct mailbox *mb)
{
	if (mailbox_refresh(mb, &e->err) < 0)
		fail_msg("%s", e->err.text);
}
static inline void
flag(struct env *e, struct mailbox *mb, uint32_t uid, int how, uint64_t flags)
{
	struct flag_change c = { .how = how, .flags = flags };

	assert_int_equal(mailbox_change(mb, &uid, 1, &c, &e->err), 0);
}
static inline uint32_t
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
static inline void
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

#define ROW(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

#endif
