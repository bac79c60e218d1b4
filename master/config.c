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

int
master_ids(struct master *m, const struct service *svc, struct ids *ids,
	   struct err *err)
{
	struct passwd *pw;
	char name[64];

	if (svc->as_root) {
		*ids = (struct ids){ 0, JAIL_ROOT_GID };
		return 0;
	}
	if (m->opt.unprivileged) {
		ids->uid = ids->gid = geteuid() ? geteuid() : 65534;
		return 0;
	}
	if (m->opt.uid_base) {
		ids->uid = ids->gid = m->opt.uid_base + svc->uid_slot;
		return 0;
	}
	snprintf(name, sizeof(name), "posthouse-%s", svc->name);
	pw = getpwnam(name);
	if (!pw)
		return err_set(err, ERR_PERM, 0,
			       "there is no user %s; create it (see "
			       "sysusers.d) or give --uid-base",
			       name);
	if (pw->pw_uid == 0 || pw->pw_gid == 0)
		return err_set(err, ERR_PERM, 0, "user %s is root", name);
	*ids = (struct ids){ pw->pw_uid, pw->pw_gid };
	return 0;
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
	struct ids ids;
	int fd = -1;

	if (master_ids(m, svc, &ids, &err) < 0) {
		log_error("%s", err.text);
		return -1;
	}
	buf_init(&b, 256 * 1024);
	if (config_params_for(&m->conf, svc->id, &b) == 0 &&
	    buf_addf(&b,
		     "jail_uid = %u\njail_gid = %u\njail_unprivileged = %d\n",
		     ids.uid, ids.gid, m->opt.unprivileged) == 0)
		fd = sealed_memfd("params", buf_str(&b));
	buf_fini(&b);
	return fd;
}

/* A directory of the instance: opened, made if it is missing, and refused if
 * somebody else could change what is in it. */
static int
open_dir(struct master *m, const char *param, struct ids owner, mode_t mode,
	 struct buf *out)
{
	const char *path = config_get(&m->conf, param).p;
	struct stat st;
	int fd;

	if (mkdir(path, mode) == 0 && !m->opt.unprivileged &&
	    (chown(path, owner.uid, owner.gid) < 0 || chmod(path, mode) < 0))
		buf_addf(out, "%s: %s: %s\n", param, path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		buf_addf(out, "%s: %s: %s\n", param, path, strerror(errno));
		goto fail;
	}
	if (m->opt.unprivileged)
		return fd;
	if (st.st_uid != owner.uid || (st.st_mode & 07777) != mode) {
		buf_addf(out,
			 "%s: %s must belong to uid %u with mode %04o, but "
			 "belongs to %u with mode %04o\n",
			 param, path, owner.uid, (unsigned)mode, st.st_uid,
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
	struct ids ids[SVC_COUNT] = { 0 };
	struct err err;
	size_t i;

	for (i = SVC_LOGD; i <= SVC_SPAWNER; i++) {
		if (master_ids(m, &services[i], &ids[i], &err) < 0) {
			buf_addf(out, "%s\n", err.text);
			return -1;
		}
	}
	m->empty_dir =
		open_dir(m, "empty_directory", ids[SVC_MASTER], 0555, out);
	m->spool_dir = open_dir(m, "queue_directory", ids[SVC_QMGR], 0700, out);
	m->log_dir = open_dir(m, "log_directory", ids[SVC_LOGD], 0700, out);
	if (m->empty_dir < 0 || m->spool_dir < 0 || m->log_dir < 0)
		return -1;
	tables_init(m);
	tables_watch(m);
	return listeners_update(m, out);
}
