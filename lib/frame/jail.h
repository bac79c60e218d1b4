/* SPDX-License-Identifier: ISC */
#ifndef FRAME_JAIL_H
#define FRAME_JAIL_H

#include "frame/service.h"

/*
 * The jail of a process, from its row of the service table: root directory,
 * ids, limits, no_new_privs, Landlock as far as the kernel goes, seccomp; then
 * it is proved (ids cannot come back, root cannot be left) or the process
 * ends.  Everything that can be had from the kernel is entered or refused; the
 * parameter sandbox_missing = allow lets Landlock be absent where the row
 * needs it.
 */
struct jail {
	const struct service *svc;
	uint32_t uid, gid; /* 0: keep (master -u) */
	int root;	   /* directory descriptor to chroot to, -1: none */
	bool unprivileged; /* master -u: no ids, no chroot; the rest stays */
	bool allow_missing;
	bool write_only_root; /* deliver */
	/* ROOT_SLASH: directories that may be read, and written (spawner). */
	const int *read_below, *write_below; /* descriptors, end: -1 */
	uint32_t uid_min, uid_max; /* spawner: first/last_valid_uid */
	uint32_t gid_min, gid_max;
};

/* 0, or -1 with err: then the caller exits (78). */
ERR_WARN_UNUSED int jail_enter(const struct jail *j, struct err *err);

#endif
