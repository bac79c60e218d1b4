/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "master.h"

enum { PROBE_PAUSE_US = 50 * 1000 };

/* 0: the name is free, or a dead process's and now removed.  We are in its
 * directory, so that long paths and directories that only root can walk are no
 * hindrance. */
static int
clear_name(const struct sockaddr_un *sun, int type)
{
	const char *name = sun->sun_path;
	struct stat st;
	int fd, rc;

	if (lstat(name, &st) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return -1;
	}
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	/* Whatever else it says, somebody holds it. */
	if (rc == 0 || errno != ECONNREFUSED) {
		close(fd);
		errno = EADDRINUSE;
		return -1;
	}
	close(fd);
	return unlink(name);
}

/* The file is made with its mode and group: nothing of it has to be changed by
 * name afterwards. */
static int
bind_here(const struct unix_place *p, const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, p->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool group = p->gid != (gid_t)-1;
	gid_t own = getegid();
	mode_t mask;
	int rc, err;

	if (fd < 0)
		return -1;
	if (group && setegid(p->gid) < 0) {
		close(fd);
		return -1;
	}
	mask = umask(0777 & ~p->mode);
	rc = bind(fd, (const struct sockaddr *)sun, sizeof(*sun));
	err = errno;
	umask(mask);
	if (group && setegid(own) < 0)
		BUG("setegid");
	if (rc < 0 || listen(fd, p->backlog) < 0) {
		errno = rc < 0 ? err : errno;
		close(fd);
		return -1;
	}
	return fd;
}

/* The directory of the path, opened; the last name goes to sun. */
static int
open_directory(const struct unix_place *p, struct sockaddr_un *sun,
	       struct err *err)
{
	struct str path = str_of(p->path);
	ptrdiff_t slash = str_rfind(path, '/');
	struct str name = str_from(path, (size_t)(slash + 1));
	char dir[PATH_MAX];
	struct stat st;
	int fd;

	if (slash < 0 || name.n == 0 ||
	    !str_copy(dir, sizeof(dir),
		      str_head(path, slash ? (size_t)slash : 1)) ||
	    !str_copy(sun->sun_path, sizeof(sun->sun_path), name))
		return err_set(err, ERR_PERM, EINVAL,
			       "%s: not the name of a socket", p->path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(err, errno, "%s", dir);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if ((st.st_mode & 022) != 0 && geteuid() == 0) {
		close(fd);
		return err_set(err, ERR_PERM, 0,
			       "%s: others than its owner may write %s",
			       p->path, dir);
	}
	return fd;
}

int
unix_listen(const struct unix_place *p, struct err *err)
{
	uint64_t end = clock_mono_ms() + (uint64_t)p->patience_ms;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int dir = open_directory(p, &sun, err), back, fd = -1;

	if (dir < 0)
		return -1;
	back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (back < 0 || fchdir(dir) < 0) {
		err_sys(err, errno, "%s", p->path);
		goto out;
	}
	while (clear_name(&sun, p->type) < 0) {
		err_sys(err, errno, "%s", p->path);
		if (errno != EADDRINUSE || clock_mono_ms() >= end)
			goto out;
		usleep(PROBE_PAUSE_US);
	}
	fd = bind_here(p, &sun);
	if (fd < 0)
		err_sys(err, errno, "%s", p->path);
out:
	if (back >= 0) {
		(void)!fchdir(back);
		close(back);
	}
	close(dir);
	return fd;
}
