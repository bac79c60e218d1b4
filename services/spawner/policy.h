/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_POLICY_H
#define SPAWNER_POLICY_H

#include "base/err.h"
#include "frame/msg_authd.h"

/*
 * Who may have a process, and where: pure functions.  Errors are ERR_PERM for
 * what the asker named wrongly (no such user) and ERR_TEMP for what an
 * administrator can put right.
 */
struct id_bounds {
	uint32_t uid_min, uid_max, gid_min, gid_max;
};

struct identity {
	char user[USER_MAX + 1];
	uint32_t uid, gid;
	char home[PATH_LEN_MAX + 1]; /* absolute */
	char mail[PATH_LEN_MAX + 1]; /* below home, or "" */
};

/* A directory that the jail leaves open. */
struct tree {
	char path[PATH_LEN_MAX + 1]; /* absolute, no "/" at the end */
	bool is_virtual; /* virtual_mailbox_base: homes are made when missing */
	int fd;
};

ERR_WARN_UNUSED int policy_ids(const struct id_bounds *b, uint32_t uid,
			       uint32_t gid, const char *user, struct err *err);

/* "static:1234", the value of parameter name. */
ERR_WARN_UNUSED int policy_static_id(struct str value, const char *name,
				     uint32_t *id, struct err *err);

/* What authd said. */
ERR_WARN_UNUSED int policy_identity(const struct msg_identity *m,
				    struct identity *id, struct err *err);

/* A system user, from the text of passwd(5). */
ERR_WARN_UNUSED int policy_passwd(struct str passwd, struct str user,
				  struct str mail, struct identity *id,
				  struct err *err);

/*
 * The tree that home stands in, the deepest if several; id->home from *below on
 * is the rest, without "/" in front.  Paths with empty, "." or ".." components
 * are in no tree.
 */
ERR_WARN_UNUSED const struct tree *policy_tree(const struct tree *trees,
					       size_t n,
					       const struct identity *id,
					       size_t *below, struct err *err);

#endif
