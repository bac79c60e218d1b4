/* SPDX-License-Identifier: ISC */
#ifndef FRAME_JAIL_H
#define FRAME_JAIL_H

#include "frame/service.h"

/*
 * The jail of a process, from its row of the service table: limits, root
 * directory, ids, no_new_privs, Landlock as far as the kernel goes, then it is
 * proved (ids cannot come back, root cannot be left), then seccomp.  What the
 * kernel cannot give is refused; sandbox_missing = allow lets Landlock be
 * absent where the row needs it.
 */
struct jail {
	const struct service *svc;
	uint32_t uid, gid;
	int root; /* directory to chroot to and to allow in Landlock; -1: none
		   */
	/* Leave ids and root directory as they are: `master -u`, and spawner's
	 * children, which have changed them already. root is then the only
	 * directory Landlock leaves open. */
	bool keep_ids;
	bool allow_missing;
	/* ROOT_SLASH: directories that may be read, and written below;
	 * NULL or descriptors up to -1.  Closed by jail_enter(). */
	const int *read_below, *write_below;
	/* CALLS_CONNECT: TCP ports of others that may be connected to, up to
	 * 0; NULL: none.  (Landlock, from ABI 4 on; UDP is not limited.) */
	const uint16_t *ports;
	/* CALLS_FORK: ids that children may take. */
	uint32_t uid_min, uid_max, gid_min, gid_max;
	uint32_t gid_mail; /* one more gid; 0: none */
};

/* Of a process that keeps uid 0: nobody's, so that it has no group's rights. */
enum { JAIL_ROOT_GID = 65534 };

/* 0, or -1 with err (PERM): then the caller exits. */
ERR_WARN_UNUSED int jail_enter(const struct jail *j, struct err *err);

/* A part of it, for who takes a user's ids first: these capabilities
 * (1u << CAP_...) become the effective and permitted ones, the others go. */
ERR_WARN_UNUSED int jail_set_caps(uint32_t mask, struct err *err);

/* The parts, for the jail test: what this kernel can do. */
int jail_landlock_abi(void); /* 0: no Landlock */

#endif
