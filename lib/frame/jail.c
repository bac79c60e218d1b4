/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "frame/jail.h"
#include "frame/jail_filter.h"
#include "frame/jail_landlock.h"

/* --- limits ------------------------------------------------------------------
 */

static int
limit(int what, rlim_t n, const char *name, struct err *err)
{
	struct rlimit rl = { n, n };
	struct rlimit old;

	/* Without root the hard limit can only go down. */
	if (getrlimit(what, &old) == 0 && old.rlim_max < n)
		rl = (struct rlimit){ old.rlim_max, old.rlim_max };
	if (setrlimit(what, &rl) < 0)
		return err_sys(err, errno, "setrlimit %s", name);
	return 0;
}

static int
set_limits(const struct jail *j, struct err *err)
{
	const struct service *s = j->svc;

	if (limit(RLIMIT_CORE, 0, "CORE", err) < 0 ||
	    limit(RLIMIT_NOFILE, s->nofile, "NOFILE", err) < 0)
		return -1;
	/* The sanitizers map terabytes and need threads of their own. */
	if (POSTHOUSE_SANITIZED)
		return 0;
	/* NPROC counts the uid's processes elsewhere too: without an own uid
	 * it would say nothing about this one.  seccomp forbids clone. */
	if (!j->keep_ids && limit(RLIMIT_NPROC, s->nproc, "NPROC", err) < 0)
		return -1;
	return limit(RLIMIT_DATA, (rlim_t)s->data_mb << 20, "DATA", err);
}

/* --- root directory and ids
 * ----------------------------------------------------- */

int
jail_set_caps(uint32_t mask, struct err *err)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2] = { { .effective = mask,
						    .permitted = mask } };

	if (syscall(SYS_capset, &head, data) < 0)
		return err_sys(err, errno, "capset");
	return 0;
}

static int
drop_bounding(uint32_t keep, struct err *err)
{
	unsigned long cap;

	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if ((cap >= 32 || !(keep & 1u << cap)) &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_sys(err, errno, "dropping capability %lu",
				       cap);
	return 0;
}

static int
change_root(const struct jail *j, struct err *err)
{
	if (j->root < 0) {
		if (j->svc->root != ROOT_SLASH)
			return err_set(err, ERR_PERM, 0, "no root directory");
		return 0;
	}
	if (fchdir(j->root) < 0 || chroot(".") < 0)
		return err_sys(err, errno, "chroot");
	return 0;
}

static int
change_ids(const struct jail *j, struct err *err)
{
	uint32_t keep = 0;

	if (j->svc->calls & CALLS_FORK)
		keep = 1u << CAP_SETUID | 1u << CAP_SETGID |
		       1u << CAP_SYS_CHROOT;
	if (j->gid == 0 || (j->uid == 0) != j->svc->as_root)
		return err_set(err, ERR_PERM, 0,
			       "a daemon may not run as root");
	if (drop_bounding(keep, err) < 0)
		return -1;
	if (keep && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "keeping capabilities");
	if (setgroups(0, NULL) < 0 || setresgid(j->gid, j->gid, j->gid) < 0 ||
	    setresuid(j->uid, j->uid, j->uid) < 0)
		return err_sys(err, errno, "changing to uid %u", j->uid);
	return jail_set_caps(keep, err);
}

/* --- proof
 * ------------------------------------------------------------------------ */

static int
prove(const struct jail *j, struct err *err)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;
	int fd;

	if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0)
		return err_sys(err, errno, "ids");
	if (r != e || e != s || gr != ge || ge != gs)
		return err_set(err, ERR_PERM, 0, "ids differ");
	if (!j->keep_ids && (r != j->uid || gr != j->gid || getgroups(0, NULL)))
		return err_set(err, ERR_PERM, 0, "ids did not change");
	if (j->svc->calls & CALLS_FORK || j->keep_ids)
		return 0;
	if ((!j->svc->as_root && setresuid(0, 0, 0) == 0) ||
	    setresgid(0, 0, 0) == 0)
		return err_set(err, ERR_PERM, 0, "root came back");
	if (chroot("/") == 0)
		return err_set(err, ERR_PERM, 0, "chroot is still possible");
	if (j->svc->as_root && open("/", O_RDONLY | O_CLOEXEC) >= 0)
		return err_set(err, ERR_PERM, 0, "Landlock does not hold");
	if (j->svc->root == ROOT_SLASH)
		return 0;
	fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return err_set(err, ERR_PERM, 0, "/etc/passwd can be opened");
	}
	return 0;
}

static void
close_all(const int *fds)
{
	for (; fds && *fds >= 0; fds++)
		close(*fds);
}

int
jail_enter(const struct jail *j, struct err *err)
{
	if (set_limits(j, err) < 0)
		return -1;
	if (!j->keep_ids && (change_root(j, err) < 0 || change_ids(j, err) < 0))
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "no_new_privs");
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (jail_landlock(j, err) < 0)
		return -1;
	close_all(j->read_below);
	close_all(j->write_below);
	if (prove(j, err) < 0)
		return -1;
	/* A directory stays open only where it is the root itself. */
	if (j->root >= 0 && j->svc->root == ROOT_EMPTY)
		close(j->root);
	return jail_filter(j, err);
}
