/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "frame/jail.h"
#include "frame/registry.h"
#include "master.h"

int
master_load(struct master *m, struct config *c, struct buf *out)
{
	struct err err;

	err.text[0] = '\0';
	if (config_load(c, param_sets, m->opt.confdir, out, &err) == 0 &&
	    keys_check(c, out) == 0)
		return 0;
	if (out->n == 0)
		buf_addf(out, "%s\n", err.text);
	config_fini(c);
	return -1;
}

uint32_t
master_uid(struct master *m, const struct service *svc, struct err *err)
{
	struct passwd *pw;
	char name[64];

	if (m->opt.unprivileged)
		return geteuid() ? geteuid() : 65534;
	if (m->opt.uid_base)
		return m->opt.uid_base + svc->uid_slot;
	snprintf(name, sizeof(name), "posthouse-%s", svc->name);
	pw = getpwnam(name);
	if (!pw || pw->pw_uid == 0) {
		err_set(err, ERR_PERM, 0,
			"there is no user %s; create it (see sysusers.d) or "
			"give --uid-base",
			name);
		return 0;
	}
	return pw->pw_uid;
}

unsigned
master_workers(struct master *m, const struct service *svc)
{
	int64_t n;

	if (svc->when && config_get(&m->conf, svc->when).n == 0)
		return 0;
	if (!svc->workers)
		return 1;
	n = config_number(&m->conf, svc->workers);
	if (n == 0) /* one a core */
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (unsigned)n;
}

int
master_params_fd(struct master *m, const struct service *svc)
{
	struct err err;
	struct buf b;
	uint32_t uid = 0, gid = JAIL_ROOT_GID;
	int fd = -1;

	if (!svc->as_root) {
		uid = gid = master_uid(m, svc, &err);
		if (!uid) {
			log_error("%s", err.text);
			return -1;
		}
	}
	buf_init(&b, 256 * 1024);
	if (config_params_for(&m->conf, svc->id, &b) == 0 &&
	    buf_addf(&b,
		     "jail_uid = %u\njail_gid = %u\njail_unprivileged = %d\n",
		     uid, gid, m->opt.unprivileged) == 0)
		fd = sealed_memfd("params", buf_str(&b));
	buf_fini(&b);
	return fd;
}

/* A directory of the instance: opened, made if it is missing, and refused if
 * somebody else could change what is in it. */
static int
open_dir(struct master *m, const char *param, uint32_t owner, mode_t mode,
	 struct buf *out)
{
	const char *path = config_get(&m->conf, param).p;
	struct stat st;
	int fd;

	if (mkdir(path, mode) == 0 && !m->opt.unprivileged &&
	    (chown(path, owner, owner) < 0 || chmod(path, mode) < 0))
		buf_addf(out, "%s: %s: %s\n", param, path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		buf_addf(out, "%s: %s: %s\n", param, path, strerror(errno));
		goto fail;
	}
	if (m->opt.unprivileged)
		return fd;
	if (st.st_uid != owner || (st.st_mode & 07777) != mode) {
		buf_addf(out,
			 "%s: %s must belong to uid %u with mode %04o, but "
			 "belongs to %u with mode %04o\n",
			 param, path, owner, (unsigned)mode, st.st_uid,
			 (unsigned)(st.st_mode & 07777));
		goto fail;
	}
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}

int
master_prepare(struct master *m, struct buf *out)
{
	struct err err;
	uint32_t uid;
	size_t i;

	for (i = SVC_LOGD; i <= SVC_SPAWNER; i++) {
		if (services[i].as_root)
			continue;
		uid = master_uid(m, &services[i], &err);
		if (!uid) {
			buf_addf(out, "%s\n", err.text);
			return -1;
		}
	}
	m->empty_dir = open_dir(m, "empty_directory", 0, 0555, out);
	m->spool_dir =
		open_dir(m, "queue_directory",
			 master_uid(m, &services[SVC_QMGR], &err), 0700, out);
	m->log_dir =
		open_dir(m, "log_directory",
			 master_uid(m, &services[SVC_LOGD], &err), 0700, out);
	if (m->empty_dir < 0 || m->spool_dir < 0 || m->log_dir < 0)
		return -1;
	tables_init(m);
	tables_watch(m);
	return listeners_update(m, out);
}
