/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>

#include "frame/identity.h"

uint32_t
identity_static_id(struct str maps)
{
	uint64_t v;

	maps = str_trim(maps);
	if (!str_starts(maps, STR("static:")) ||
	    str_u64(str_trim(str_from(maps, 7)), USERS_NO_ID - 1, &v) < 0)
		return USERS_NO_ID;
	return (uint32_t)v;
}

struct str
identity_system_mail(struct str home_mailbox)
{
	if (!str_ends(home_mailbox, STR("/")))
		return STR("Maildir");
	while (str_ends(home_mailbox, STR("/")))
		home_mailbox.n--;
	return home_mailbox;
}

/* A path below the home: no "..", nothing absolute. */
static bool
is_below(struct str path)
{
	struct str rest = path, part;

	if (path.n && path.p[0] == '/')
		return false;
	while (str_token(&rest, "/", &part))
		if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return false;
	return str_find(path, ':') < 0;
}

static int
take_mail(const struct users_line *u, struct identity *id, struct err *err)
{
	struct str mail = users_line_extra(u, "userdb_mail");

	if (!mail.p)
		return 0;
	if (!str_istarts(mail, STR("maildir:")))
		return err_set(err, ERR_PERM, EINVAL,
			       "userdb_mail: want maildir:~/PATH");
	mail = str_from(mail, 8);
	if (str_eq(mail, STR("~")))
		mail = STR("");
	else if (str_starts(mail, STR("~/")))
		mail = str_from(mail, 2);
	while (mail.n && mail.p[mail.n - 1] == '/')
		mail.n--;
	if (!is_below(mail) || !str_copy(id->mail, sizeof(id->mail), mail))
		return err_set(err, ERR_PERM, EINVAL,
			       "userdb_mail: want maildir:~/PATH, a directory "
			       "below the home");
	return 0;
}

static int
virtual_user(struct str name, const struct users_line *u,
	     const struct identity_conf *conf, struct identity *id,
	     struct err *err)
{
	struct str domain = name, local;
	int n;

	if (conf->vmail_uid == USERS_NO_ID || conf->vmail_gid == USERS_NO_ID)
		return err_set(err, ERR_PERM, EINVAL,
			       "no uid on the line, and virtual_uid_maps and "
			       "virtual_gid_maps are not static:N");
	id->uid = conf->vmail_uid;
	id->gid = conf->vmail_gid;
	id->mail[0] = '\0';
	(void)!str_cut(&domain, '@', &local);
	n = snprintf(id->home, sizeof(id->home), "%s/%.*s/%.*s", conf->base,
		     STR_FMT(domain), STR_FMT(local));
	if (u->home.n)
		return 0;
	if (!conf->base[0] || n < 0 || (size_t)n >= sizeof(id->home))
		return err_set(err, ERR_PERM, EINVAL,
			       "no home on the line, and no "
			       "virtual_mailbox_base to make one");
	return 0;
}

static int
system_user(const struct users_line *passwd, struct identity *id,
	    struct err *err)
{
	if (!passwd)
		return err_set(err, ERR_PERM, ENOENT,
			       "no uid on the line, and no such system user");
	id->uid = passwd->uid;
	id->gid = passwd->gid;
	(void)!str_copy(id->home, sizeof(id->home), passwd->home);
	return 0;
}

int
identity_of(struct str name, const struct users_line *u,
	    const struct users_line *passwd, const struct identity_conf *conf,
	    struct identity *id, struct err *err)
{
	int rc = 0;

	*id = (struct identity){ .uid = u->uid, .gid = u->gid };
	(void)!str_copy(id->mail, sizeof(id->mail), str_of(conf->system_mail));
	if (u->uid == USERS_NO_ID)
		rc = str_find(name, '@') >= 0
			     ? virtual_user(name, u, conf, id, err)
			     : system_user(passwd, id, err);
	if (rc < 0)
		return -1;
	if (u->home.n && !str_copy(id->home, sizeof(id->home), u->home))
		return err_set(err, ERR_PERM, EINVAL, "home: too long");
	if (!id->home[0])
		return err_set(err, ERR_PERM, EINVAL, "no home");
	return take_mail(u, id, err);
}
