/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fsx.h"
#include "base/log.h"
#include "frame/msg_control.h"
#include "master.h"

enum { TABLE_MAX = 256 * 1024 * 1024 };

int
sealed_memfd(const char *name, struct str content)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct err err;

	if (fd < 0)
		return -1;
	if (fsx_write_all(fd, content.p, content.n, &err) < 0 ||
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
		    0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The file's bytes, unread by us, as a sealed memfd; -1. */
static int
read_file(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), out = -1;
	struct buf b;
	struct err err;
	char *to;

	if (fd < 0)
		return -1;
	buf_init(&b, TABLE_MAX);
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
	    (to = buf_reserve(&b, (size_t)st->st_size)) &&
	    fsx_pread_all(fd, to, (size_t)st->st_size, 0, &err) == 0)
		out = sealed_memfd("table", str_mem(to, (size_t)st->st_size));
	if (b.p)
		explicit_bzero(b.p, b.size);
	buf_fini(&b);
	close(fd);
	return out;
}

static bool
table_read(struct table *t)
{
	struct stat st;
	int fd;

	if (stat(t->path, &st) < 0 ||
	    (st.st_mtim.tv_sec == t->mtime.tv_sec &&
	     st.st_mtim.tv_nsec == t->mtime.tv_nsec &&
	     (uint64_t)st.st_size == t->size && st.st_ino == t->inode))
		return false;
	fd = read_file(t->path, &st);
	if (fd < 0) {
		log_warn("%s: cannot be read: %s", t->path, strerror(errno));
		return false;
	}
	if (t->memfd >= 0)
		close(t->memfd);
	t->memfd = fd;
	t->mtime = st.st_mtim;
	t->size = (uint64_t)st.st_size;
	t->inode = st.st_ino;
	return true;
}

void
tables_init(struct master *m)
{
	struct table *users = &m->tables[0], *passwd = &m->tables[1];

	users->name = "users";
	snprintf(users->path, sizeof(users->path), "%s",
		 config_get(&m->conf, "users_file").p);
	passwd->name = "passwd";
	snprintf(passwd->path, sizeof(passwd->path), "/etc/passwd");
}

static bool
row_has(const struct service *svc, const char *name)
{
	struct str rest = str_of(svc->fds), word;

	while (str_token(&rest, " ", &word))
		if (str_eq(word, str_of(name)))
			return true;
	return false;
}

void
tables_watch(struct master *m)
{
	size_t i;

	for (i = 0; i < sizeof(m->tables) / sizeof(m->tables[0]); i++) {
		struct table *t = &m->tables[i];
		struct msg_table msg = { str_of(t->name), -1 };
		struct list *it;

		if (!table_read(t))
			continue;
		msg.fd = t->memfd;
		list_for_each (it, &m->children) {
			struct child *c = LIST_OF(it, struct child, link);

			if (c->control && row_has(c->svc, t->name))
				chan_send(c->control, 0, &msg_table_def, &msg);
		}
	}
}

int
table_fd(struct master *m, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(m->tables) / sizeof(m->tables[0]); i++)
		if (strcmp(m->tables[i].name, name) == 0)
			return m->tables[i].memfd;
	return -1;
}

int
syslog_connect(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
				   .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}
