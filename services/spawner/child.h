/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_CHILD_H
#define SPAWNER_CHILD_H

#include "frame/entry.h"
#include "frame/service.h"
#include "policy.h"

/*
 * The way from a fork of spawner to a user's process: close what is not its
 * own, take the user's ids, open the mailbox as that user without following a
 * link, make that the root directory, drop the last capability, enter the
 * jail, prove it, serve.
 */
struct child_spec {
	uint8_t service; /* SVC_DELIVER, SVC_MBOX, SVC_IMAPD, SVC_POP3D ... */
	struct identity id;
	const struct tree *tree;
	size_t below; /* id.home from here on is relative to tree */
	/* The root is the tree itself, whose owner uid is: no Maildir is
	 * made (deliver for virtual mailboxes). */
	bool whole_tree;
	bool in_spool; /* SVC_MBOX: id.mail stands in the spool directory,
			  readable for its group */
};

struct child_env {
	const struct params *params;
	user_entry_fn *entry;
	int log; /* log channel of the service, -1: none */
	bool unprivileged, allow_missing;
};

/* What the child says through its birth pipe when it is ready, or why it will
 * not be: CHILD_READY, or 'T' or 'P' (the class) and a text. */
enum { CHILD_READY = 'R', BIRTH_MAX = 260 };
/* Its exit status in the latter case: EX_CANTCREAT of sysexits(3). */
enum { EX_NO_MAILBOX = 73 };

/* In the child, after fork; never returns.  spawner: service end of its
 * channel; birth: writing end of the birth pipe. */
void child_main(const struct child_spec *spec, const struct child_env *env,
		int spawner, int birth) __attribute__((noreturn));

/* Close everything above standard error but these n (-1: none), whose order
 * changes. */
ERR_WARN_UNUSED int child_close_others(int *keep, size_t n, struct err *err);
void child_reset_signals(void);

/* The part that opens the mailbox, as the user already: the directory that
 * becomes the root, or -1 with err.  For SVC_MBOX *mbox is the file, otherwise
 * -1. */
ERR_WARN_UNUSED int child_open_root(const struct child_spec *spec,
				    const struct child_env *env, int *mbox,
				    struct err *err);

#endif
