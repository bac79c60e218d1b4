/* SPDX-License-Identifier: ISC */
#ifndef BASE_FSX_H
#define BASE_FSX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/err.h"

/*
 * Every call that reads or changes the spool or a mailbox goes through here, so
 * that one of two back ends can be linked: fsx.c (the kernel, nothing more
 * than a retry on EINTR) or fsx_mem.c (files in memory, a record of every
 * change and sync, injected errors; the power-cut simulator builds its images
 * from that record).  Chosen at link time, no #ifdef, no mode.
 *
 * All return as the system call does: -1 and errno.  Paths are relative to a
 * directory descriptor; no call follows a symbolic link in its last component.
 * Descriptors of the test back end are not kernel descriptors: use nothing but
 * fsx_* on them, except where fsx_real_fd() gives one to pass on.
 */
int fsx_open(int dirfd, const char *name, int flags, mode_t mode);
int fsx_close(int fd);
ssize_t fsx_read(int fd, void *p, size_t n);
ssize_t fsx_pread(int fd, void *p, size_t n, off_t at);
ssize_t fsx_write(int fd, const void *p, size_t n);
ssize_t fsx_writev(int fd, const struct iovec *iov, int niov);
ssize_t fsx_pwrite(int fd, const void *p, size_t n, off_t at);
int fsx_ftruncate(int fd, off_t size);
int fsx_fstat(int fd, struct stat *st);
int fsx_fstatat(int dirfd, const char *name, struct stat *st);
int fsx_fsync(int fd);
int fsx_fdatasync(int fd);
/* Everything changed so far in the file system fd stands in: one commit for a
 * batch of files.  An error there, whoever's, is an error. */
int fsx_syncfs(int fd);
/* A hint: start writing the file's data back, wait for nothing.  Before a
 * batch of fdatasync() calls it lets one journal commit serve them all. */
void fsx_start_write(int fd);
int fsx_mkdir(int dirfd, const char *name, mode_t mode);
int fsx_rmdir(int dirfd, const char *name);
int fsx_unlink(int dirfd, const char *name);
/* A new empty file, not opened; EEXIST whatever stands there, a link too. */
int fsx_make_file(int dirfd, const char *name, mode_t mode);
/* Replaces an existing target. */
int fsx_rename(int olddir, const char *old, int newdir, const char *name);
/* Never replaces: EEXIST. */
int fsx_rename_new(int olddir, const char *old, int newdir, const char *name);
int fsx_link(int olddir, const char *old, int newdir, const char *name);
/* Exclusive OFD lock on the whole file; EAGAIN: somebody else has it, with wait
 * for so long: any program of the same user may hold it, or be stopped while it
 * does. */
enum { FSX_LOCK_MS = 5000 };
int fsx_lock(int fd, bool wait);
int fsx_unlock(int fd);
int fsx_futimens(int fd, const struct timespec ts[2]);
/* A descriptor of this file that another process can read (SCM_RIGHTS); the
 * caller closes it with close(2). */
int fsx_real_fd(int fd);
/* Free bytes of the file system, for queue_minfree. */
int fsx_free_bytes(int fd, uint64_t *bytes);

/* Does a file system of this machine alone hold it, so that a lock by
 * fsx_lock() keeps out everybody who could?  Of a kind that is not known: no.
 */
bool fsx_is_local(int fd);

/* Directory walk in no order; "." and ".." are left out. */
struct fsx_dir;
struct fsx_dir *fsx_opendir(int dirfd, const char *name);
/* The next name, valid until the next call, or NULL at the end (errno 0) or on
 * error; *type is a DT_ value, possibly DT_UNKNOWN. */
const char *fsx_readdir(struct fsx_dir *d, unsigned char *type);
void fsx_closedir(struct fsx_dir *d);

/* --- built on the above, the same for both back ends (fsx_util.c) --------- */

/* Write all of it or fail: 0 / -1 with err. */
ERR_WARN_UNUSED int fsx_write_all(int fd, const void *p, size_t n,
				  struct err *err);
ERR_WARN_UNUSED int fsx_pwrite_all(int fd, const void *p, size_t n, off_t at,
				   struct err *err);
/* Exactly n bytes or an error. */
ERR_WARN_UNUSED int fsx_pread_all(int fd, void *p, size_t n, off_t at,
				  struct err *err);
/* Replace name in dirfd: write ".NAME.new" beside it, fsync, rename, fsync the
 * directory: after 0 the new content is durable, before it the old one stands.
 */
ERR_WARN_UNUSED int fsx_replace(int dirfd, const char *name, const void *p,
				size_t n, mode_t mode, struct err *err);
/*
 * Open "a/b/c" below dirfd component by component, following no link, refusing
 * "", ".", ".." and absolute paths.  flags as open(2) for the last component;
 * the others are opened O_DIRECTORY.  mkdir_mode != 0 creates missing
 * directories on the way.
 */
ERR_WARN_UNUSED int fsx_open_below(int dirfd, const char *path, int flags,
				   mode_t mode, mode_t mkdir_mode,
				   struct err *err);

#endif
