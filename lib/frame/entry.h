/* SPDX-License-Identifier: ISC */
#ifndef FRAME_ENTRY_H
#define FRAME_ENTRY_H

#include "base/param.h"
#include "net/loop.h"

/*
 * How spawner starts a user's process: a fork, already under the user's ids,
 * chrooted, under the tightened filter; log and signal state are set up.  The
 * function builds its own loop, serves, and returns the exit status.
 */
struct user_entry {
	uint8_t service; /* enum service_id */
	int spawner; /* channel to spawner: rows CH_SPAWNER_*; service end */
	int root;    /* directory descriptor of "/", which is the root the
			user is confined to; paths go below it by openat */
	const char *mail;	     /* imapd, pop3d: Maildir below root, "." or
					"Maildir"; deliver: "." */
	int mbox;		     /* mbox: the open file, whose name below
					root is mail; otherwise -1 */
	const char *user;	     /* name for the log */
	const struct params *params; /* spawner's copy, read only */
};

/* Each of local/entry.h, imapd/entry.h, pop3d/entry.h declares one:
 * deliver_entry, imapd_entry, pop3d_entry. */
typedef int user_entry_fn(const struct user_entry *e);

/* How spawner calls it, jailed: as daemon_serve(), a place for the jail test to
 * stand in. */
int user_serve(user_entry_fn *fn, const struct user_entry *e);

#endif
