/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fsx.h"
#include "base/log.h"
#include "child.h"
#include "frame/debug.h"
#include "frame/jail.h"
#include "store/maildir.h"
#include "store/mbox_file.h"

/* --- descriptors and signals --------------------------------------------- */

int
child_close_others(int *keep, size_t n, struct err *err)
{
	unsigned from = STDERR_FILENO + 1;
	size_t i, k;
	int t;

	for (i = 1; i < n; i++) /* few: by insertion */
		for (k = i; k && keep[k - 1] > keep[k]; k--) {
			t = keep[k];
			keep[k] = keep[k - 1];
			keep[k - 1] = t;
		}
	for (i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue; /* -1: none */
		if ((unsigned)keep[i] > from &&
		    close_range(from, (unsigned)keep[i] - 1, 0) < 0)
			return err_sys(err, errno, "close_range");
		from = (unsigned)keep[i] + 1;
	}
	if (close_range(from, ~0u, 0) < 0)
		return err_sys(err, errno, "close_range");
	return 0;
}

void
child_reset_signals(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < 32; i++)
		if (i != SIGKILL && i != SIGSTOP)
			signal(i, SIG_DFL);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* --- ids and root directory ---------------------------------------------- */

/* Groups and gid first: afterwards nobody could drop them. */
static int
take_ids(const struct identity *id, struct err *err)
{
	if (setgroups(0, NULL) < 0)
		return err_sys(err, errno, "setgroups");
	if (setresgid(id->gid, id->gid, id->gid) < 0)
		return err_sys(err, errno, "setresgid %u", id->gid);
	if (setresuid(id->uid, id->uid, id->uid) < 0)
		return err_sys(err, errno, "setresuid %u", id->uid);
	return jail_set_caps(1u << CAP_SYS_CHROOT, err);
}

/* The file's own name, of a path. */
static const char *
name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The mbox and its directory. */
static int
open_mbox(const struct child_spec *spec, const struct child_env *env, int home,
	  int *mbox, struct err *err)
{
	const char *name = name_of(spec->id.mail);
	char dir[PATH_LEN_MAX + 1] = "";
	int root;

	if (name > spec->id.mail)
		(void)str_copy(dir, sizeof(dir),
			       str_mem(spec->id.mail,
				       (size_t)(name - spec->id.mail) - 1));
	root = maildir_walk(home, dir, true, err);
	if (root < 0)
		return -1;
	umask(0); /* or the group could not have what is its own */
	*mbox = mbox_file_open(
		root, name, spec->in_spool && spec->id.gid ? 0660 : 0600,
		params_bool(env->params, "strict_mailbox_ownership"), err);
	umask(077);
	if (*mbox >= 0)
		return root;
	fsx_close(root);
	return -1;
}

int
child_open_root(const struct child_spec *spec, const struct child_env *env,
		int *mbox, struct err *err)
{
	int home, root;

	*mbox = -1;
	home = maildir_walk(spec->tree->fd, spec->id.home + spec->below,
			    spec->tree->is_virtual, err);
	if (home < 0)
		return err_prefix(err, "home of %s", spec->id.user);
	if (spec->whole_tree)
		return home;
	root = -1;
	if (spec->service == SVC_MBOX)
		root = open_mbox(spec, env, home, mbox, err);
	else if (maildir_create(home, spec->id.mail, err) == 0)
		root = maildir_walk(home, spec->id.mail, false, err);
	if (root < 0)
		err_prefix(err, "mailbox of %s", spec->id.user);
	fsx_close(home);
	return root;
}

static int
confine(int root, struct err *err)
{
	if (fchdir(root) < 0 || chroot(".") < 0)
		return err_sys(err, errno, "chroot");
	return jail_set_caps(0, err);
}

/* All of it is gone and stays gone.  (Trying to become root again would end
 * this process: the filter inherited from spawner sees to that.) */
static int
prove(const struct identity *id, int root, struct err *err)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct caps[2] = { { 0 } };
	struct stat at, above;
	uid_t r, e, s;
	gid_t gr, ge, gs;

	if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0 ||
	    r != id->uid || e != id->uid || s != id->uid || gr != id->gid ||
	    ge != id->gid || gs != id->gid || getgroups(0, NULL) != 0)
		return err_set(err, ERR_TEMP, EPERM, "ids did not change");
	if (syscall(SYS_capget, &head, caps) < 0 || caps[0].effective ||
	    caps[0].permitted || caps[0].inheritable || caps[1].effective ||
	    caps[1].permitted || caps[1].inheritable)
		return err_set(err, ERR_TEMP, EPERM,
			       "capabilities are left over");
	if (chroot(".") == 0)
		return err_set(err, ERR_TEMP, EPERM,
			       "chroot is still possible");
	if (fsx_fstat(root, &at) < 0 ||
	    fsx_fstatat(AT_FDCWD, "/..", &above) < 0 ||
	    at.st_ino != above.st_ino || at.st_dev != above.st_dev)
		return err_set(err, ERR_TEMP, EPERM,
			       "the root directory is not the mailbox");
	return 0;
}

/* The root directory's descriptor, jailed; -1 with err. */
static int
enter(const struct child_spec *spec, const struct child_env *env, int *mbox,
      struct err *err)
{
	struct jail j = {
		.svc = &services[spec->service],
		.keep_ids = true,
		.allow_missing = env->allow_missing,
	};

	if (!env->unprivileged && take_ids(&spec->id, err) < 0)
		return -1;
	j.root = child_open_root(spec, env, mbox, err);
	close(spec->tree->fd);
	if (j.root < 0)
		return -1;
	if (!env->unprivileged &&
	    (confine(j.root, err) < 0 || prove(&spec->id, j.root, err) < 0))
		return -1;
	return jail_enter(&j, err) < 0 ? -1 : j.root;
}

void
child_main(const struct child_spec *spec, const struct child_env *env,
	   int spawner, int birth)
{
	const struct service *svc = &services[spec->service];
	int keep[] = { spawner, birth, env->log, spec->tree->fd };
	char word[BIRTH_MAX] = { CHILD_READY };
	struct user_entry e = {
		.service = spec->service,
		.spawner = spawner,
		.mail = spec->service == SVC_MBOX ? name_of(spec->id.mail)
						  : ".",
		.user = spec->id.user,
		.params = env->params,
	};
	struct err err;
	size_t n = 1;
	int rc;

	child_reset_signals();
	prctl(PR_SET_NAME, svc->name, 0, 0, 0);
	log_open(env->log, svc->name);
	debug_follow(env->params, svc->name);
	e.root = e.mbox = -1;
	if (child_close_others(keep, sizeof(keep) / sizeof(keep[0]), &err) == 0)
		e.root = enter(spec, env, &e.mbox, &err);
	if (e.root < 0) {
		log_warn("%s", err.text);
		word[0] = err.class == ERR_PERM ? 'P' : 'T';
		for (n = 1; err.text[n - 1] && n < sizeof(word); n++)
			word[n] = err.text[n - 1];
	}
	if (write(birth, word, n) != (ssize_t)n)
		_exit(EX_NO_MAILBOX); /* spawner has gone */
	close(birth);
	rc = e.root < 0 ? EX_NO_MAILBOX : user_serve(env->entry, &e);
	log_flush();
	_exit(rc);
}
