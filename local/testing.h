/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_TESTING_H
#define LOCAL_TESTING_H

/* A directory of its own for each test, and questions about what is in it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fsx.h"
#include "base/str.h"

struct scratch {
	char path[40];
	int root;
};

static inline void
scratch_open(struct scratch *s)
{
	snprintf(s->path, sizeof(s->path), "/tmp/deliver_test.XXXXXX");
	assert_non_null(mkdtemp(s->path));
	s->root = fsx_open(AT_FDCWD, s->path, O_RDONLY | O_DIRECTORY, 0);
	assert_true(s->root >= 0);
}

static inline void
scratch_close(struct scratch *s)
{
	char cmd[80];

	fsx_close(s->root);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", s->path);
	assert_int_equal(system(cmd), 0);
}

/* How many files stand there; name (256 bytes, may be NULL) gets the last. */
static inline int
scratch_count(struct scratch *s, const char *dir, char *name)
{
	struct fsx_dir *d = fsx_opendir(s->root, dir);
	const char *entry;
	int n = 0;

	assert_non_null(d);
	while ((entry = fsx_readdir(d, NULL))) {
		n++;
		if (name)
			snprintf(name, 256, "%s", entry);
	}
	fsx_closedir(d);
	return n;
}

/* The file's text, in a buffer of size bytes; the path is dir/name. */
static inline void
scratch_read(struct scratch *s, const char *dir, const char *name, char *buf,
	     size_t size)
{
	char path[600];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = openat(s->root, path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, buf, size - 1);
	assert_true(n >= 0);
	buf[n] = '\0';
	close(fd);
}

#endif
