/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "mail/users_file.h"
#include "policy.h"

int
policy_ids(const struct id_bounds *b, uint32_t uid, uint32_t gid,
	   const char *user, struct err *err)
{
	if (uid < b->uid_min || uid > b->uid_max)
		return err_set(err, ERR_TEMP, EPERM,
			       "uid %u of %s is not between first_valid_uid "
			       "(%u) and last_valid_uid (%u)",
			       uid, user, b->uid_min, b->uid_max);
	if (gid < b->gid_min || gid > b->gid_max)
		return err_set(err, ERR_TEMP, EPERM,
			       "gid %u of %s is not between first_valid_gid "
			       "(%u) and last_valid_gid (%u)",
			       gid, user, b->gid_min, b->gid_max);
	return 0;
}

int
policy_static_id(struct str value, const char *name, uint32_t *id,
		 struct err *err)
{
	struct str number = str_trim(value);
	uint64_t n;

	if (number.n == 0)
		return err_set(err, ERR_TEMP, EINVAL,
			       "%s is not set, so there are no virtual "
			       "mailboxes",
			       name);
	if (!str_starts(number, STR("static:")) ||
	    str_u64(str_from(number, 7), UINT32_MAX - 2, &n) < 0 || n == 0)
		return err_set(err, ERR_TEMP, EINVAL,
			       "%s = %.*s: want static:NUMBER", name,
			       STR_FMT(value));
	*id = (uint32_t)n;
	return 0;
}

static int
fill(struct identity *id, struct str user, struct str home, struct str mail,
     struct err *err)
{
	while (mail.n && mail.p[mail.n - 1] == '/')
		mail.n--;
	while (home.n > 1 && home.p[home.n - 1] == '/')
		home.n--;
	if (user.n == 0 || !str_copy(id->user, sizeof(id->user), user) ||
	    !str_copy(id->home, sizeof(id->home), home) ||
	    !str_copy(id->mail, sizeof(id->mail), mail))
		return err_set(err, ERR_TEMP, EINVAL,
			       "name, home or mailbox of a user is too long");
	if (home.n == 0 || home.p[0] != '/')
		return err_set(err, ERR_TEMP, EINVAL,
			       "%s has no home directory", id->user);
	return 0;
}

int
policy_identity(const struct msg_identity *m, struct identity *id,
		struct err *err)
{
	*id = (struct identity){ .uid = m->uid, .gid = m->gid };
	return fill(id, m->user, m->home, m->mail, err);
}

int
policy_passwd(struct str passwd, struct str user, struct str mail,
	      struct identity *id, struct err *err)
{
	struct users_line u;
	struct str line;

	*id = (struct identity){ 0 };
	while (user.n && passwd.n) {
		if (!str_cut(&passwd, '\n', &line)) {
			line = passwd;
			passwd.n = 0;
		}
		if (!str_starts(line, user) || line.n == user.n ||
		    line.p[user.n] != ':' ||
		    users_passwd_parse(line, &u, NULL) != 0 ||
		    !str_eq(u.user, user))
			continue;
		id->uid = u.uid;
		id->gid = u.gid;
		return fill(id, user, u.home, mail, err);
	}
	return err_set(err, ERR_PERM, ENOENT, "no such user");
}

static bool
is_plain(struct str path)
{
	struct str part;
	bool more;

	do {
		more = str_cut(&path, '/', &part);
		if (!more)
			part = path;
		if (part.n == 0 || str_eq(part, STR(".")) ||
		    str_eq(part, STR("..")))
			return false;
	} while (more);
	return true;
}

const struct tree *
policy_tree(const struct tree *trees, size_t n, const struct identity *id,
	    size_t *below, struct err *err)
{
	const struct tree *best = NULL;
	size_t best_len = 0, len, i;
	struct str home = str_of(id->home), rest;

	for (i = 0; i < n; i++) {
		len = strlen(trees[i].path);
		if (!str_starts(home, str_of(trees[i].path)) ||
		    (home.n > len && home.p[len] != '/') ||
		    (best && len <= best_len))
			continue;
		rest = str_from(home, len + 1);
		if (rest.n && !is_plain(rest))
			continue;
		best = &trees[i];
		best_len = len;
		*below = home.n > len ? len + 1 : len;
	}
	if (!best)
		err_set(err, ERR_TEMP, EPERM,
			"home %s of %s is not below virtual_mailbox_base or "
			"home_parents",
			id->home, id->user);
	return best;
}
