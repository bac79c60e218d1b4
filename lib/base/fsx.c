/* SPDX-License-Identifier: ISC */
/* The real disk: system calls, retried on EINTR. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx.h"

enum {
	LOCK_PAUSE_NS = 50000, /* between two attempts, doubled each time */
	LOCK_PAUSE_MAX_NS = 3000000,
};

#define RETRY(call)                                \
	({                                         \
		long rc_;                          \
		do                                 \
			rc_ = (call);              \
		while (rc_ < 0 && errno == EINTR); \
		rc_;                               \
	})

int
fsx_open(int dirfd, const char *name, int flags, mode_t mode)
{
	return (int)RETRY(
		openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, mode));
}

int
fsx_close(int fd)
{
	return close(fd);
}

ssize_t
fsx_read(int fd, void *p, size_t n)
{
	return RETRY(read(fd, p, n));
}

ssize_t
fsx_pread(int fd, void *p, size_t n, off_t at)
{
	return RETRY(pread(fd, p, n, at));
}

ssize_t
fsx_write(int fd, const void *p, size_t n)
{
	return RETRY(write(fd, p, n));
}

ssize_t
fsx_writev(int fd, const struct iovec *iov, int niov)
{
	return RETRY(writev(fd, iov, niov));
}

ssize_t
fsx_pwrite(int fd, const void *p, size_t n, off_t at)
{
	return RETRY(pwrite(fd, p, n, at));
}

int
fsx_ftruncate(int fd, off_t size)
{
	return (int)RETRY(ftruncate(fd, size));
}

int
fsx_fstat(int fd, struct stat *st)
{
	return fstat(fd, st);
}

int
fsx_fstatat(int dirfd, const char *name, struct stat *st)
{
	return fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW);
}

int
fsx_fsync(int fd)
{
	return (int)RETRY(fsync(fd));
}

int
fsx_fdatasync(int fd)
{
	return (int)RETRY(fdatasync(fd));
}

void
fsx_start_write(int fd)
{
	if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) < 0)
		return; /* only a hint: fdatasync() reports errors */
}

int
fsx_syncfs(int fd)
{
	return (int)RETRY(syncfs(fd));
}

int
fsx_mkdir(int dirfd, const char *name, mode_t mode)
{
	return mkdirat(dirfd, name, mode);
}

int
fsx_rmdir(int dirfd, const char *name)
{
	return unlinkat(dirfd, name, AT_REMOVEDIR);
}

int
fsx_unlink(int dirfd, const char *name)
{
	return unlinkat(dirfd, name, 0);
}

int
fsx_make_file(int dirfd, const char *name, mode_t mode)
{
	return mknodat(dirfd, name, S_IFREG | mode, 0);
}

int
fsx_rename(int olddir, const char *old, int newdir, const char *name)
{
	return renameat(olddir, old, newdir, name);
}

int
fsx_rename_new(int olddir, const char *old, int newdir, const char *name)
{
	return renameat2(olddir, old, newdir, name, RENAME_NOREPLACE);
}

int
fsx_link(int olddir, const char *old, int newdir, const char *name)
{
	return linkat(olddir, old, newdir, name, 0);
}

/* Not F_OFD_SETLKW: who waits there waits for ever, or needs a signal. */
int
fsx_lock(int fd, bool wait)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	uint64_t until = wait ? clock_mono_ms() + FSX_LOCK_MS : 0;
	long rc;

	while ((rc = RETRY(fcntl(fd, F_OFD_SETLK, &fl))) < 0 &&
	       errno == EAGAIN && clock_mono_ms() < until) {
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < LOCK_PAUSE_MAX_NS)
			pause.tv_nsec *= 2;
	}
	return (int)rc;
}

int
fsx_unlock(int fd)
{
	struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &fl);
}

int
fsx_futimens(int fd, const struct timespec ts[2])
{
	return futimens(fd, ts);
}

int
fsx_real_fd(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int
fsx_free_bytes(int fd, uint64_t *bytes)
{
	struct statvfs vfs;

	if (fstatvfs(fd, &vfs) < 0)
		return -1;
	*bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return 0;
}

bool
fsx_is_local(int fd)
{
	static const uint32_t kinds[] = {
		0xef53,	    /* ext2, ext3, ext4 */
		0x58465342, /* xfs */
		0x9123683e, /* btrfs */
		0xf2f52010, /* f2fs */
		0x2fc12fc1, /* zfs */
		0x01021994, /* tmpfs */
		0x794c7630, /* overlayfs, whose upper layer is one of these */
	};
	struct statfs st;
	size_t i;

	if (fstatfs(fd, &st) < 0)
		return false;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((uint32_t)st.f_type == kinds[i])
			return true;
	return false;
}

struct fsx_dir {
	DIR *dir;
};

struct fsx_dir *
fsx_opendir(int dirfd, const char *name)
{
	struct fsx_dir *d = malloc(sizeof(*d));
	int fd;

	if (!d)
		return NULL;
	fd = fsx_open(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	d->dir = fd < 0 ? NULL : fdopendir(fd);
	if (!d->dir) {
		if (fd >= 0)
			close(fd);
		free(d);
		return NULL;
	}
	return d;
}

const char *
fsx_readdir(struct fsx_dir *d, unsigned char *type)
{
	struct dirent *e;

	do {
		errno = 0;
		e = readdir(d->dir);
	} while (e &&
		 (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	if (!e)
		return NULL;
	if (type)
		*type = e->d_type;
	return e->d_name;
}

void
fsx_closedir(struct fsx_dir *d)
{
	closedir(d->dir);
	free(d);
}
