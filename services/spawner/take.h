/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_TAKE_H
#define SPAWNER_TAKE_H

#include "spawner.h"

/*
 * Mail of a system user that stands in an mbox is taken into the Maildir which
 * imapd and pop3d serve (mbox_take_in): the process of the mbox locks it and
 * lends it out, a taker that is forked for this once moves the messages, and
 * the lock ends with the taker.  It happens at each login, and while the user
 * has an imapd: when that mbox was delivered to, when somebody changed a file
 * in the spool directory (inotify), and by looking there every TAKE_LOOK_S.
 */
enum { TAKE_LOOK_S = 30, TAKE_WAIT_S = 5 };

struct take_wait {
	struct list link;
	void (*fn)(struct take_wait *w);
};

/* From here on; after spawner_init() and the jail. */
ERR_WARN_UNUSED int take_init(struct spawner *s, struct err *err);
void take_fini(struct spawner *s);

/* For the user of this imapd or pop3d, which is about to be given a client:
 * w->fn is called when what there was has been taken in, or cannot be now, or
 * after TAKE_WAIT_S.  False: there is nothing to wait for, and no call. */
bool take_before(struct spawner *s, const struct child_spec *reader,
		 struct take_wait *w);

#endif
