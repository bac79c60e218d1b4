/* SPDX-License-Identifier: ISC */
#ifndef SUBMITD_H
#define SUBMITD_H

#include "receive/session.h"

extern const struct daemon_ops submitd_ops;

/* The parts of submission, for the engine (receive/receiver.h). */
void auth_mechs(struct session *s, char *to, size_t size);
struct reply auth_begin(struct session *s, struct str args);
struct reply auth_response(struct session *s, struct str line);
void header_fix(struct session *s);
struct reply sender_check(struct session *s);
struct reply local_verb(struct session *s, const struct smtp_line *l);

/* Lists of users (authorized.c).  Is this one of names, "!name" and static:
 * alone? */
ERR_WARN_UNUSED int authorized_check(struct str list, const char *param,
				     struct err *err);
/* May the user of this local session do what the list is for?  If not, *no
 * says so. */
bool is_authorized(struct session *s, struct str list, const char *what,
		   struct reply *no);
/* The password file, which has the names, and what the engine takes. */
void authorized_table(struct daemon *d, struct str name, int fd);

#endif
