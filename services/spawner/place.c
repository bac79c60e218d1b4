/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "place.h"

/* NAME in the spool directory, and NAME.lock beside it: no user's lock is
 * another user's mailbox. */
static bool
is_spool_name(struct str user)
{
	return user.n && user.p[0] != '.' && str_find(user, '/') < 0 &&
	       !str_ends(user, STR(".lock"));
}

static int
in_spool(struct spawner *s, struct str user, struct child_spec *spec,
	 struct err *err)
{
	struct identity *id = &spec->id;

	if (!s->spool.path[0])
		return err_set(err, ERR_TEMP, EINVAL,
			       "home_mailbox is empty, and there was no "
			       "mail_spool_directory at the start");
	if (policy_passwd(s->passwd, user, user, id, err) < 0)
		return -1;
	if (!is_spool_name(user))
		return err_set(err, ERR_TEMP, EINVAL,
			       "%s: a name that no file in "
			       "mail_spool_directory may have",
			       id->user);
	spec->service = SVC_MBOX;
	spec->in_spool = true;
	if (!str_copy(id->home, sizeof(id->home), str_of(s->spool.path)))
		return err_set(err, ERR_TEMP, ENAMETOOLONG, "%s",
			       s->spool.path);
	return 0;
}

int
place_local(struct spawner *s, struct str user, struct child_spec *spec,
	    struct err *err)
{
	struct str box = params_str(s->params, "home_mailbox");

	if (box.n == 0)
		return in_spool(s, user, spec, err);
	spec->service = str_ends(box, STR("/")) ? SVC_DELIVER : SVC_MBOX;
	return policy_passwd(s->passwd, user, box, &spec->id, err);
}

int
place_virtual(struct spawner *s, struct str path, struct child_spec *spec,
	      struct err *err)
{
	struct msg_identity m = {
		.user = STR("virtual mailboxes"),
		.home = params_str(s->params, "virtual_mailbox_base"),
		.mail = path,
	};

	if (m.home.n == 0)
		return err_set(err, ERR_TEMP, EINVAL,
			       "virtual_mailbox_base is not set, so there are "
			       "no virtual mailboxes");
	if (policy_static_id(params_str(s->params, "virtual_uid_maps"),
			     "virtual_uid_maps", &m.uid, err) < 0 ||
	    policy_static_id(params_str(s->params, "virtual_gid_maps"),
			     "virtual_gid_maps", &m.gid, err) < 0)
		return -1;
	spec->service = path.n ? SVC_MBOX : SVC_DELIVER;
	spec->whole_tree = path.n == 0;
	return policy_identity(&m, &spec->id, err);
}

int
place_check(struct spawner *s, struct child_spec *spec, struct err *err)
{
	struct identity *id = &spec->id;

	if (policy_ids(&s->bounds, id->uid, id->gid, id->user, err) < 0)
		return -1;
	if (spec->in_spool) {
		spec->tree = &s->spool;
		spec->below = strlen(id->home);
		if (s->spool_gid)
			id->gid = s->spool_gid;
	} else {
		spec->tree =
			policy_tree(s->trees, s->ntrees, id, &spec->below, err);
	}
	return spec->tree ? 0 : -1;
}
