/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fsx.h"
#include "edit.h"
#include "mail/users_file.h"
#include "table/db.h"

void
edit_close(struct edit *e)
{
	if (e->lock >= 0)
		close(e->lock);
	free(e->dir);
	if (e->text.n)
		explicit_bzero(e->text.p, e->text.n);
	buf_fini(&e->text);
}

static bool
same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* A lock is per opening of the directory: whoever waited for one of its own
 * would wait for ever. */
static int
lock_dir(struct edit *e, const struct edit *held, struct err *err)
{
	e->lock = open(dirname(e->dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->lock >= 0 && held && same_file(e->lock, held->lock)) {
		close(e->lock);
		e->lock = fcntl(held->lock, F_DUPFD_CLOEXEC, 3);
		if (e->lock >= 0)
			return 0;
	}
	if (e->lock < 0 || flock(e->lock, LOCK_EX) < 0)
		return err_sys(err, errno, "the directory of %s", e->path);
	return 0;
}

int
edit_open(struct edit *e, struct str path, mode_t mode, const struct edit *held,
	  struct err *err)
{
	*e = (struct edit){ .lock = -1, .mode = mode };
	buf_init(&e->text, USERS_FILE_MAX);
	if (!str_copy(e->path, sizeof(e->path), path))
		return err_set(err, ERR_PERM, ENAMETOOLONG, "%.*s: too long",
			       STR_FMT(path));
	e->dir = strdup(e->path);
	e->name = strrchr(e->path, '/');
	if (!e->dir || !e->name++)
		return err_set(err, ERR_PERM, EINVAL,
			       "%s: want an absolute path", e->path);
	if (lock_dir(e, held, err) < 0)
		return -1;
	if (table_read_file(e->path, USERS_FILE_MAX, &e->text, err) < 0 &&
	    err->code != ENOENT)
		return -1;
	return 0;
}

static int
write_beside(const struct edit *e, const char *name, struct str text,
	     struct err *err)
{
	int fd, rc = -1;
	struct stat st;

	fd = openat(e->lock, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "%s.new", e->path);
	if (fstatat(e->lock, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		st.st_mode = e->mode;
		st.st_uid = geteuid();
		st.st_gid = getegid();
	}
	/* The owner first: chown takes bits away. */
	if ((fchown(fd, st.st_uid, st.st_gid) < 0 && errno != EPERM) ||
	    fchmod(fd, st.st_mode & e->mode) < 0 ||
	    fsx_write_all(fd, text.p, text.n, err) < 0 || fsync(fd) < 0)
		err_sys(err, errno, "writing %s", e->path);
	else
		rc = 0;
	close(fd);
	return rc;
}

/* A link is followed by nobody: the new file would take its place. */
int
edit_commit(struct edit *e, struct str text, struct err *err)
{
	char fresh[300];
	struct stat st;

	if (fstatat(e->lock, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISREG(st.st_mode))
		return err_set(err, ERR_PERM, ELOOP,
			       "%s is a link, want a plain file", e->path);
	if ((size_t)snprintf(fresh, sizeof(fresh), ".%s.new", e->name) >=
	    sizeof(fresh))
		return err_set(err, ERR_PERM, ENAMETOOLONG, "%s: too long",
			       e->path);
	/* What a crash has left; the lock is ours. */
	(void)unlinkat(e->lock, fresh, 0);
	if (write_beside(e, fresh, text, err) < 0)
		goto fail;
	if (renameat(e->lock, fresh, e->lock, e->name) < 0 ||
	    fsync(e->lock) < 0) {
		err_sys(err, errno, "%s", e->path);
		goto fail;
	}
	return 0;
fail:
	(void)unlinkat(e->lock, fresh, 0);
	return -1;
}
