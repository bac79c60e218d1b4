/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fsx.h"
#include "base/str.h"

int
fsx_write_all(int fd, const void *p, size_t n, struct err *err)
{
	const char *from = p;
	ssize_t got;

	while (n) {
		got = fsx_write(fd, from, n);
		if (got < 0)
			return err_sys(err, errno, "write");
		from += got;
		n -= (size_t)got;
	}
	return 0;
}

int
fsx_pwrite_all(int fd, const void *p, size_t n, off_t at, struct err *err)
{
	const char *from = p;
	ssize_t got;

	while (n) {
		got = fsx_pwrite(fd, from, n, at);
		if (got < 0)
			return err_sys(err, errno, "write");
		from += got;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

int
fsx_pread_all(int fd, void *p, size_t n, off_t at, struct err *err)
{
	char *to = p;
	ssize_t got;

	while (n) {
		got = fsx_pread(fd, to, n, at);
		if (got < 0)
			return err_sys(err, errno, "read");
		if (got == 0)
			return err_set(err, ERR_PERM, 0, "file is too short");
		to += got;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

int
fsx_replace(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
	    struct err *err)
{
	char tmp[256];
	int fd, dir, rc = -1;

	if (snprintf(tmp, sizeof(tmp), ".%s.new", name) >= (int)sizeof(tmp))
		return err_set(err, ERR_PERM, ENAMETOOLONG, "%s: name too long",
			       name);
	/* Should a FIFO stand there: an error, no waiting. */
	fd = fsx_open(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK,
		      mode);
	if (fd < 0)
		return err_sys(err, errno, "%s", tmp);
	if (fsx_write_all(fd, p, n, err) < 0)
		goto out;
	if (fsx_fsync(fd) < 0) {
		err_sys(err, errno, "%s: fsync", tmp);
		goto out;
	}
	if (fsx_rename(dirfd, tmp, dirfd, name) < 0) {
		err_sys(err, errno, "%s: rename", tmp);
		goto out;
	}
	dir = fsx_open(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0 || fsx_fsync(dir) < 0)
		err_sys(err, errno, "fsync of the directory of %s", name);
	else
		rc = 0;
	if (dir >= 0)
		fsx_close(dir);
out:
	fsx_close(fd);
	return rc;
}

static int
step_into(int dirfd, const char *name, mode_t mkdir_mode)
{
	int fd;

	fd = fsx_open(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd >= 0 || errno != ENOENT || !mkdir_mode)
		return fd;
	if (fsx_mkdir(dirfd, name, mkdir_mode) < 0 && errno != EEXIST)
		return -1;
	return fsx_open(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
}

int
fsx_open_below(int dirfd, const char *path, int flags, mode_t mode,
	       mode_t mkdir_mode, struct err *err)
{
	struct str rest = str_of(path), part;
	char name[256];
	int fd = dirfd, next;
	bool last;

	do {
		last = !str_cut(&rest, '/', &part);
		if (last)
			part = rest;
		if (str_eq(part, STR(".")) || str_eq(part, STR("..")) ||
		    part.n == 0 || !str_copy(name, sizeof(name), part)) {
			if (fd != dirfd)
				fsx_close(fd);
			return err_set(err, ERR_PERM, EINVAL,
				       "%s: not a plain relative path", path);
		}
		if (last && flags & O_DIRECTORY)
			next = step_into(fd, name, mkdir_mode);
		else if (last)
			next = fsx_open(fd, name, flags, mode);
		else
			next = step_into(fd, name, mkdir_mode);
		if (next < 0)
			err_sys(err, errno, "%s", path);
		if (fd != dirfd)
			fsx_close(fd);
		fd = next;
	} while (fd >= 0 && !last);
	return fd;
}
