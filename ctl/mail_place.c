/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fsx.h"
#include "edit.h"
#include "frame/identity.h"
#include "frame/jail.h"
#include "mail.h"
#include "store/maildir.h"
#include "user_text.h"

/* --- the way -------------------------------------------------------------- */

/* From at, which is taken, along path as far as it is there; *rest is what is
 * not.  A link is an error. */
static int
walk(int at, const char *path, char *rest, size_t size, struct err *err)
{
	struct str way = str_of(path), part;
	char name[256];
	struct stat st;
	int fd;

	*rest = '\0';
	while (str_token(&way, "/", &part)) {
		if (str_eq(part, STR(".")))
			continue;
		if (str_eq(part, STR("..")) ||
		    !str_copy(name, sizeof(name), part)) {
			close(at);
			return err_set(err, ERR_PERM, EINVAL,
				       "%s: \"..\" in a path", path);
		}
		fd = fsx_open(at, name, O_PATH, 0);
		if (fd < 0 && errno == ENOENT &&
		    str_copy(rest, size,
			     str_from(str_of(path), (size_t)(part.p - path))))
			return at;
		if (fd < 0 || fsx_fstat(fd, &st) < 0) {
			err_sys(err, errno, "%s: %s", path, name);
		} else if (S_ISLNK(st.st_mode)) {
			err_set(err, ERR_PERM, ELOOP,
				"%s: %s is a symbolic link", path, name);
		} else if (!S_ISDIR(st.st_mode)) {
			err_set(err, ERR_PERM, ENOTDIR,
				"%s: %s is not a directory", path, name);
		} else {
			close(at);
			at = fd;
			continue;
		}
		if (fd >= 0)
			close(fd);
		close(at);
		return -1;
	}
	return at;
}

static int
open_top(const char *path, struct err *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, errno, "%s", path) : fd;
}

int
mail_path(const char *path, struct err *err)
{
	int fd = open_top(path[0] == '/' ? "/" : ".", err);
	char rest[1025];

	if (fd >= 0)
		fd = walk(fd, path, rest, sizeof(rest), err);
	if (fd >= 0 && *rest) {
		close(fd);
		return err_set(err, ERR_PERM, ENOENT, "%s: there is no %s",
			       path, rest);
	}
	return fd;
}

/* --- a user's ------------------------------------------------------------- */

static void
passwd_line(const char *user, struct users_line *u)
{
	const struct passwd *p = getpwnam(user);

	*u = (struct users_line){ .uid = USERS_NO_ID, .gid = USERS_NO_ID };
	if (!p)
		return;
	u->user = str_of(p->pw_name);
	u->uid = p->pw_uid;
	u->gid = p->pw_gid;
	u->home = str_of(p->pw_dir);
}

static int
identify(struct ctl *c, const char *user, struct identity *id, struct err *err)
{
	struct identity_conf conf = {
		.vmail_uid = identity_static_id(
			config_get(&c->conf, "virtual_uid_maps")),
		.vmail_gid = identity_static_id(
			config_get(&c->conf, "virtual_gid_maps")),
	};
	struct users_line u = { .uid = USERS_NO_ID, .gid = USERS_NO_ID }, p;
	struct edit users = { .lock = -1 };
	struct str line;
	int rc;

	(void)str_copy(conf.base, sizeof(conf.base),
		       config_get(&c->conf, "virtual_mailbox_base"));
	(void)str_copy(
		conf.system_mail, sizeof(conf.system_mail),
		identity_system_mail(config_get(&c->conf, "home_mailbox")));
	passwd_line(user, &p);
	rc = edit_open(&users, config_get(&c->conf, "users_file"), 0600, NULL,
		       err);
	if (rc == 0 &&
	    users_text_find(buf_str(&users.text), str_of(user), &line))
		rc = users_line_parse(line, &u, err) < 0 ? -1 : 0;
	else if (rc == 0 && p.uid == USERS_NO_ID)
		rc = err_set(err, ERR_PERM, ENOENT, "there is no user %s",
			     user);
	if (rc == 0)
		rc = identity_of(str_of(user), &u,
				 p.uid == USERS_NO_ID ? NULL : &p, &conf, id,
				 err);
	edit_close(&users);
	return rc;
}

/* As the server has it: spawner's bounds. */
static int
check_ids(struct ctl *c, const struct identity *id, struct err *err)
{
	if (id->uid < config_number(&c->conf, "first_valid_uid") ||
	    id->uid > config_number(&c->conf, "last_valid_uid") ||
	    id->gid < config_number(&c->conf, "first_valid_gid") ||
	    id->gid > config_number(&c->conf, "last_valid_gid"))
		return err_set(err, ERR_PERM, EPERM,
			       "uid %u or gid %u is not between first_valid_* "
			       "and last_valid_*",
			       id->uid, id->gid);
	return 0;
}

/* The deepest of the trees that main.cf names. */
static struct str
find_tree(struct ctl *c, struct str home, bool *is_virtual)
{
	struct str base = config_get(&c->conf, "virtual_mailbox_base");
	struct str list = config_get(&c->conf, "home_parents"), item;
	struct str best = STR_NULL;

	*is_virtual = false;
	for (item = base;;) {
		while (item.n > 1 && str_ends(item, STR("/")))
			item.n--;
		if (item.n > best.n && str_starts(home, item) &&
		    (home.n == item.n || home.p[item.n] == '/')) {
			best = item;
			*is_virtual = item.p == base.p;
		}
		if (!str_token(&list, ", \t", &item))
			return best;
	}
}

static int
locate_user(struct ctl *c, const char *user, struct mail_place *p,
	    struct err *err)
{
	char path[2 * PATH_LEN_MAX + 3], tree[PATH_LEN_MAX + 1];
	struct identity id = { .uid = 0 };
	struct str best;

	if (identify(c, user, &id, err) < 0 || check_ids(c, &id, err) < 0)
		return -1;
	best = find_tree(c, str_of(id.home), &p->may_create);
	if (!str_copy(tree, sizeof(tree), best) || !best.n)
		return err_set(err, ERR_PERM, EPERM,
			       "home %s is not below virtual_mailbox_base or "
			       "home_parents",
			       id.home);
	(void)snprintf(path, sizeof(path), "%s/%s", id.home + best.n, id.mail);
	p->uid = id.uid;
	p->gid = id.gid;
	p->base = open_top(tree, err);
	if (p->base >= 0)
		p->base = walk(p->base, path, p->rest, sizeof(p->rest), err);
	return p->base < 0 ? -1 : 0;
}

int
mail_locate(struct ctl *c, const char *who, struct mail_place *p,
	    struct err *err)
{
	struct stat st;

	*p = (struct mail_place){ .base = -1 };
	if (!strchr(who, '/'))
		return locate_user(c, who, p, err);
	p->base = mail_path(who, err);
	if (p->base < 0)
		return -1;
	if (fsx_fstat(p->base, &st) < 0)
		return err_sys(err, errno, "%s", who);
	p->uid = st.st_uid;
	p->gid = st.st_gid;
	return 0;
}

/* --- as the user ---------------------------------------------------------- */

/* Groups and gid first: afterwards nobody could drop them. */
static int
take_ids(const struct mail_place *p, struct err *err)
{
	if (p->uid == 0 || p->gid == 0)
		return err_set(err, ERR_PERM, EPERM,
			       "the mailbox belongs to root: give it to its "
			       "user and a group of theirs (chown -R)");
	if (geteuid() != 0)
		return geteuid() == p->uid
			       ? 0
			       : err_set(err, ERR_PERM, EPERM,
					 "the mailbox belongs to uid %u: run "
					 "this as root, or as that user",
					 p->uid);
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(p->gid, p->gid, p->gid) < 0 ||
	    setresuid(p->uid, p->uid, p->uid) < 0)
		return err_sys(err, errno, "taking uid %u, gid %u", p->uid,
			       p->gid);
	return jail_set_caps(1u << CAP_SYS_CHROOT, err);
}

static int
open_mail(const struct mail_place *p, bool create, struct err *err)
{
	int fd = fsx_open(p->base, ".", O_RDONLY | O_DIRECTORY, 0), mail;

	if (fd < 0)
		return err_sys(err, errno, "the mailbox");
	if (!*p->rest && !create)
		return fd;
	if (*p->rest && (!create || !p->may_create)) {
		fsx_close(fd);
		return err_set(err, ERR_PERM, ENOENT, "there is no %s",
			       p->rest);
	}
	mail = maildir_create(fd, p->rest, err);
	if (mail == 0)
		mail = maildir_walk(fd, p->rest, false, err);
	fsx_close(fd);
	return mail;
}

/* The ids cannot come back, and the root cannot be left. */
static int
confine(int mail, struct err *err)
{
	if (geteuid() == 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, ERR_BUG, 0, "still root");
	if (prctl(PR_GET_KEEPCAPS) == 0)
		return 0; /* never was */
	if (fchdir(mail) < 0 || chroot(".") < 0)
		return err_sys(err, errno, "chroot");
	if (jail_set_caps(0, err) < 0)
		return -1;
	if (setuid(0) == 0 || chroot(".") == 0)
		return err_set(err, ERR_BUG, 0, "ids did not change");
	return 0;
}

int
mail_enter(const struct mail_place *p, bool create,
	   int (*before)(void *arg, struct err *err), void *arg,
	   struct err *err)
{
	int mail;

	umask(077);
	if (take_ids(p, err) < 0)
		return -1;
	mail = open_mail(p, create, err);
	if (mail < 0 || before(arg, err) < 0 || confine(mail, err) < 0)
		return -1;
	return mail;
}
