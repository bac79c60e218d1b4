/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_PLACE_H
#define SPAWNER_PLACE_H

#include "spawner.h"

/*
 * Where mail is delivered to: the process for a mailbox, by what main.cf and
 * passwd say.  Each fills spec but for its tree, which place_check() finds.
 */

/* A system user: a Maildir or an mbox below the home (home_mailbox), or an mbox
 * in mail_spool_directory. */
ERR_WARN_UNUSED int place_local(struct spawner *s, struct str user,
				struct child_spec *spec, struct err *err);
/* All Maildirs below virtual_mailbox_base; path: the mbox there of that name,
 * and no other. */
ERR_WARN_UNUSED int place_virtual(struct spawner *s, struct str path,
				  struct child_spec *spec, struct err *err);

/* Ids within their bounds, and a directory that the jail leaves open. */
ERR_WARN_UNUSED int place_check(struct spawner *s, struct child_spec *spec,
				struct err *err);

#endif
