/* SPDX-License-Identifier: ISC */
#ifndef FRAME_IDENTITY_H
#define FRAME_IDENTITY_H

#include "frame/msg_authd.h"
#include "mail/users_file.h"

/* What main.cf says about mailboxes. */
struct identity_conf {
	uint32_t vmail_uid, vmail_gid; /* USERS_NO_ID: not configured */
	char base[PATH_LEN_MAX + 1];   /* virtual_mailbox_base */
	char system_mail[256];	       /* Maildir below a system user's home */
};

/* "static:5000" is all virtual_uid_maps may be; anything else gives
 * USERS_NO_ID. */
uint32_t identity_static_id(struct str maps);

/* As whom a user's process runs, and where the mail is. */
struct identity {
	uint32_t uid, gid;
	char home[PATH_LEN_MAX + 1];
	char mail[PATH_LEN_MAX + 1];
};

/* system_mail, from home_mailbox: without "/" at the end; "Maildir" if that is
 * no Maildir but an mbox, from which mail is taken in there. */
struct str identity_system_mail(struct str home_mailbox);

/*
 * From the line of the user of this name (lower case) in the users file, and:
 * - without uid and gid, "user@domain" is a virtual user: the static ids, home
 *   virtual_mailbox_base/domain/user, which itself is the Maildir;
 * - without uid and gid, a plain name is a system user: ids and home from
 *   passwd;
 * - a home on the line goes before either; the extra field
 *   userdb_mail=maildir:~/PATH (or maildir:PATH) names the Maildir below it.
 * passwd: the user's line there; NULL if there is none.  -1 with err: this
 * gives no identity.
 */
ERR_WARN_UNUSED int identity_of(struct str name, const struct users_line *u,
				const struct users_line *passwd,
				const struct identity_conf *conf,
				struct identity *id, struct err *err);

#endif
