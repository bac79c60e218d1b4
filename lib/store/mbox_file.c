/* SPDX-License-Identifier: ISC */
#include "store/mbox_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fsx.h"
#include "base/log.h"

static int
check_file(const char *name, const struct stat *st, bool strict,
	   struct err *err)
{
	const char *wrong = NULL;

	if (!S_ISREG(st->st_mode))
		wrong = "is not a regular file";
	else if (st->st_nlink != 1)
		wrong = "has several names (hard links)";
	else if (strict && st->st_uid != geteuid())
		wrong = "is not owned by the recipient "
			"(strict_mailbox_ownership)";
	if (!wrong)
		return 0;
	return err_set(err, ERR_TEMP, EPERM, "mailbox %s %s", name, wrong);
}

int
mbox_file_open(int dir, const char *name, mode_t mode, bool strict,
	       struct err *err)
{
	/* Should a FIFO stand there: no waiting. */
	const int flags = O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY;
	struct stat st;
	int fd = -1;

	if (fsx_fstatat(dir, name, &st) < 0) {
		if (errno != ENOENT)
			return err_sys(err, errno, "mailbox %s", name);
		if (fsx_make_file(dir, name, mode) < 0 && errno != EEXIST)
			return err_sys(err, errno, "create mailbox %s", name);
	} else if (check_file(name, &st, strict, err) < 0) {
		return -1; /* before it is opened, be it a device */
	}
	fd = fsx_open(dir, name, flags, 0);
	if (fd < 0)
		return err_sys(err, errno, "open mailbox %s", name);
	if (fsx_fstat(fd, &st) < 0)
		err_sys(err, errno, "mailbox %s", name);
	else if (check_file(name, &st, strict, err) == 0)
		return fd;
	fsx_close(fd);
	return -1;
}

const char *
mbox_dir_problem(const struct stat *st)
{
	if (!S_ISDIR(st->st_mode))
		return "is not a directory";
	if (st->st_mode & S_ISVTX || !(st->st_mode & (S_IWGRP | S_IWOTH)))
		return NULL;
	return "others than root may write there, and it is not sticky: a "
	       "process that handles one user's mail could remove another's "
	       "mailbox (chmod +t)";
}

int
mbox_file_init(struct mbox_file *f, int dir, const char *name, int fd,
	       struct err *err)
{
	*f = (struct mbox_file){ .dir = dir,
				 .fd = fd,
				 .name = name,
				 .use_fcntl = true,
				 .use_dotlock = true,
				 .local = fsx_is_local(fd) };
	if (strlen(name) > MBOX_NAME_MAX)
		return err_set(err, ERR_PERM, ENAMETOOLONG,
			       "mailbox %s: name too long", name);
	(void)snprintf(f->lock_name, sizeof(f->lock_name), "%s.lock", name);
	return 0;
}

/* Is it still this file that the name stands for? */
static bool
is_current(const struct mbox_file *f)
{
	struct stat mine, there;

	return fsx_fstat(f->fd, &mine) == 0 &&
	       fsx_fstatat(f->dir, f->name, &there) == 0 &&
	       mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

/* We have the fcntl lock of the file that stands there: if the maker of this
 * one had to have it, too, it has died. */
static bool
is_orphan(const struct mbox_file *f, const struct stat *st)
{
	return f->use_fcntl && f->local && S_ISREG(st->st_mode) &&
	       (st->st_mode & 07777) == MBOX_LOCK_MODE && st->st_size == 0 &&
	       st->st_uid == geteuid() && is_current(f);
}

static bool
is_old(const struct mbox_file *f, const struct stat *st)
{
	return f->stale_s && st->st_mtime + (time_t)f->stale_s <
				     (time_t)(clock_wall_us() / 1000000);
}

/* Why the NAME.lock that stands there is nobody's; NULL: it is somebody's. */
static const char *
why_void(const struct mbox_file *f)
{
	struct stat st;

	if (fsx_fstatat(f->dir, f->lock_name, &st) < 0)
		return NULL;
	if (is_orphan(f, &st))
		return "was left behind by a process that died";
	return is_old(f, &st) ? "is older than stale_lock_time" : NULL;
}

static bool
make_lock(struct mbox_file *f)
{
	bool marked = f->use_fcntl && f->local;

	if (fsx_make_file(f->dir, f->lock_name,
			  marked ? MBOX_LOCK_MODE : 0600) < 0)
		return false;
	if (fsx_fstatat(f->dir, f->lock_name, &f->lock) < 0)
		f->lock.st_ino = 0;
	return true;
}

static enum mbox_lock
dotlock(struct mbox_file *f, struct err *err)
{
	const char *why = NULL;

	if (make_lock(f))
		return MBOX_LOCKED;
	if (errno == EEXIST) {
		why = why_void(f);
		if (!why)
			return MBOX_BUSY;
		log_warn("%s %s: removed", f->lock_name, why);
		if (fsx_unlink(f->dir, f->lock_name) < 0 && errno != ENOENT) {
			err_sys(err, errno, "remove %s", f->lock_name);
			return MBOX_FAILED;
		}
		if (make_lock(f))
			return MBOX_LOCKED;
		if (errno == EEXIST) /* somebody was faster */
			return MBOX_BUSY;
	}
	err_sys(err, errno, "create %s", f->lock_name);
	return MBOX_FAILED;
}

enum mbox_lock
mbox_file_lock(struct mbox_file *f, struct err *err)
{
	enum mbox_lock r = MBOX_LOCKED;

	if (f->use_fcntl && fsx_lock(f->fd, false) < 0) {
		if (errno == EAGAIN || errno == EACCES)
			return MBOX_BUSY;
		err_sys(err, errno, "lock mailbox %s", f->name);
		return MBOX_FAILED;
	}
	if (f->use_dotlock)
		r = dotlock(f, err);
	f->locked = r == MBOX_LOCKED;
	if (f->locked && !is_current(f)) {
		mbox_file_unlock(f);
		return MBOX_REPLACED;
	}
	/* Who has the other lock waits for this one: never keep one alone. */
	if (!f->locked && f->use_fcntl)
		(void)!fsx_unlock(f->fd);
	return r;
}

/* Others remove lock files that they find too old, and make their own, maybe
 * with the same number. */
static bool
is_others_lock(const struct mbox_file *f)
{
	const struct stat *ours = &f->lock;
	struct stat st;

	return ours->st_ino && fsx_fstatat(f->dir, f->lock_name, &st) == 0 &&
	       (st.st_ino != ours->st_ino ||
		st.st_ctim.tv_sec != ours->st_ctim.tv_sec ||
		st.st_ctim.tv_nsec != ours->st_ctim.tv_nsec);
}

void
mbox_file_unlock(struct mbox_file *f)
{
	if (f->use_dotlock && is_others_lock(f))
		log_warn("%s was replaced while it was ours", f->lock_name);
	else if (f->use_dotlock && fsx_unlink(f->dir, f->lock_name) < 0 &&
		 errno != ENOENT)
		log_warn("%s: cannot be removed: %m", f->lock_name);
	if (f->use_fcntl)
		(void)!fsx_unlock(f->fd);
	f->locked = false;
}
