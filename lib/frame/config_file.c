/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame/config.h"

enum { READ_SIZE = 16384 };

/* Could anybody but root and the caller have written this? */
static int
check_owner(int fd, const char *path, bool dir, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "%s", path);
	if (dir ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return err_set(err, ERR_PERM, EINVAL, "%s: want a %s", path,
			       dir ? "directory" : "plain file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(err, ERR_PERM, EPERM,
			       "%s belongs to uid %u, want root or uid %u",
			       path, (unsigned)st.st_uid, (unsigned)geteuid());
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, ERR_PERM, EPERM,
			       "%s has mode %04o, others can write it, want "
			       "%04o (chmod go-w)",
			       path, (unsigned)st.st_mode & 07777u,
			       (unsigned)st.st_mode & 07755u);
	return 0;
}

static int
read_all(int fd, struct buf *text, const char *path, struct err *err)
{
	ssize_t n;
	char *to;

	while ((to = buf_reserve(text, READ_SIZE))) {
		n = read(fd, to, READ_SIZE);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "%s", path);
		if (n > 0)
			text->n += (size_t)n;
	}
	return err_set(err, ERR_PERM, EFBIG, "%s: more than %d bytes", path,
		       MAINCF_MAX);
}

int
config_read(const char *confdir, char **dir, int *dirfd, struct buf *text,
	    struct err *err)
{
	struct str path;
	struct pool pool;
	int fd = -1, rc = -1;

	pool_init(&pool, 16384);
	*dirfd = -1;
	*dir = realpath(confdir, NULL);
	if (!*dir)
		return err_sys(err, errno, "%s", confdir);
	path = pool_strf(&pool, "%s/main.cf", *dir);
	if (!path.p) {
		err_set(err, ERR_PERM, ENAMETOOLONG, "%s", confdir);
		goto out;
	}
	*dirfd = open(*dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dirfd < 0) {
		err_sys(err, errno, "%s", *dir);
		goto out;
	}
	if (check_owner(*dirfd, *dir, true, err) < 0)
		goto out;
	fd = openat(*dirfd, "main.cf",
		    O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		err_sys(err, errno, "%s", path.p);
	else if (check_owner(fd, path.p, false, err) == 0)
		rc = read_all(fd, text, path.p, err);
out:
	if (fd >= 0)
		close(fd);
	pool_fini(&pool);
	return rc;
}

int
config_load(struct config *c, const struct param *const *sets,
	    const char *confdir, struct buf *messages, struct err *err)
{
	struct err unreadable, ignored;
	struct buf text;
	int dirfd, rc;
	char *dir;

	buf_init(&text, MAINCF_MAX + READ_SIZE);
	rc = config_read(confdir, &dir, &dirfd, &text, &unreadable);
	if (rc < 0)
		buf_reset(&text); /* the defaults then */
	if (config_load_text(c, sets, dir ? dir : confdir, buf_str(&text),
			     messages, rc < 0 ? &ignored : err) < 0 &&
	    rc == 0)
		rc = -1;
	else if (rc < 0)
		*err = unreadable;
	if (dirfd >= 0)
		close(dirfd);
	free(dir);
	buf_fini(&text);
	return rc;
}
