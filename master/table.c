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

#include "base/enc.h"
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

/* Which file is there, and in which state; its size.  A file that cannot be
 * looked at is a state as well. */
size_t
table_look(struct buf *seen, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		(void)buf_addf(seen, "%s %d\n", path, errno);
		return 0;
	}
	(void)buf_addf(seen, "%s %ju %ju %jd %jd.%09ld %jd.%09ld\n", path,
		       (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
		       (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
		       st.st_mtim.tv_nsec, (intmax_t)st.st_ctim.tv_sec,
		       st.st_ctim.tv_nsec);
	return S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
}

void
table_set(struct table *t, int memfd, uint64_t seen)
{
	if (t->memfd >= 0)
		close(t->memfd);
	t->memfd = memfd;
	t->seen = seen;
}

/* The file's bytes, unread by us, as a sealed memfd; -1. */
static int
read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), out = -1;
	struct stat st;
	struct buf b;
	struct err err;
	char *to;

	if (fd < 0)
		return -1;
	buf_init(&b, TABLE_MAX);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (to = buf_reserve(&b, (size_t)st.st_size)) &&
	    fsx_pread_all(fd, to, (size_t)st.st_size, 0, &err) == 0)
		out = sealed_memfd("table", str_mem(to, (size_t)st.st_size));
	if (b.p)
		explicit_bzero(b.p, b.size);
	buf_fini(&b);
	close(fd);
	return out;
}

/* A table that is one file; without a name it is empty. */
static bool
file_read(struct master *m, struct table *t)
{
	struct buf look;
	uint64_t seen;
	int fd;

	(void)m;
	buf_init(&look, sizeof(t->path) + 200);
	if (t->path[0])
		(void)table_look(&look, t->path);
	seen = enc_hash(buf_str(&look));
	buf_fini(&look);
	if (t->memfd >= 0 && seen == t->seen)
		return false;
	fd = t->path[0] ? read_file(t->path) : -1;
	if (fd < 0 && (!t->path[0] || (t->optional && errno == ENOENT)))
		fd = sealed_memfd("table", STR(""));
	if (fd >= 0) {
		table_set(t, fd, seen);
		return true;
	}
	if (t->complained != seen)
		log_warn("%s: cannot be read: %s", t->path, strerror(errno));
	t->complained = seen;
	return false;
}

void
tables_init(struct master *m)
{
	static const struct {
		const char *name, *param, *path;
		table_read *read;
		bool optional;
	} rows[MASTER_TABLES] = {
		{ "users", "users_file", "", file_read },
		{ "passwd", NULL, "/etc/passwd", file_read },
		{ "keys", NULL, "", keys_read },
		{ "tls_ca", "smtpd_tls_CAfile", "", file_read },
		{ "smtp_tls_ca", NULL, "", authorities_read },
		{ "app_passwords", "app_passwords_file", "", file_read, true },
		{ "resolv_conf", "resolv_conf_file", "", file_read, true },
		{ "hosts", "hosts_file", "", file_read, true },
		{ "bounce_templates", "bounce_template_file", "", file_read,
		  true },
		{ "dns_anchors", "dns_trust_anchor_file", "", file_read, true },
	};
	size_t i;

	for (i = 0; i < MASTER_TABLES; i++) {
		struct table *t = &m->tables[i];
		struct str path = str_of(rows[i].path);

		if (rows[i].param)
			path = config_get(&m->conf, rows[i].param);
		t->name = rows[i].name;
		t->read = rows[i].read;
		t->optional = rows[i].optional;
		if (!str_copy(t->path, sizeof(t->path), path))
			log_error("%s: its path is too long", t->name);
	}
}

bool
table_is_of(const struct service *svc, const char *name)
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

	for (i = 0; i < MASTER_TABLES; i++) {
		struct table *t = &m->tables[i];
		struct msg_table msg = { str_of(t->name), -1 };
		struct list *it;

		if (!t->read(m, t))
			continue;
		msg.fd = t->memfd;
		list_for_each (it, &m->children) {
			struct child *c = LIST_OF(it, struct child, link);

			if (c->control && table_is_of(c->svc, t->name))
				chan_send(c->control, 0, &msg_table_def, &msg);
		}
	}
}

int
table_fd(struct master *m, const char *name)
{
	size_t i;

	for (i = 0; i < MASTER_TABLES; i++)
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

int
last_use_open(const struct config *c)
{
	struct str path = config_get(c, "last_use_file");
	struct stat st;
	int fd;

	if (path.n == 0)
		return -1;
	fd = open(path.p,
		  O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0) {
		log_warn("last_use_file: %s: %m", path.p);
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    st.st_uid == geteuid() && !(st.st_mode & 077))
		return fd;
	log_warn("last_use_file: %s: want a plain file of our own with mode "
		 "0600",
		 path.p);
	close(fd);
	return -1;
}
