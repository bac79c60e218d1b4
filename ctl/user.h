/* SPDX-License-Identifier: ISC */
#ifndef CTL_USER_H
#define CTL_USER_H

#include "ctl.h"
#include "edit.h"

/* A new password as the users file has it. */
struct user_secret {
	struct buf password; /* the password field */
	struct buf keys;     /* extra fields: what SCRAM needs beside it */
};

void user_secret_init(struct user_secret *s);
void user_secret_fini(struct user_secret *s);
/* Ask for a password, on the terminal (twice) or from standard input, and hash
 * it as user_password_scheme says. */
ERR_WARN_UNUSED int user_secret_ask(struct user_secret *s, struct ctl *c,
				    bool from_stdin, struct err *err);

/* "posthouse user app ...": argv[0] is "app". */
int cmd_user_app(struct ctl *c, int argc, char **argv);
/* Remove all app passwords of a user.  held: an open edit. */
ERR_WARN_UNUSED int user_app_forget(struct ctl *c, struct str user,
				    const struct edit *held, struct err *err);

/* The file of last logins (last_use_file) for reading; -1 and errno, ENOENT:
 * there is none. */
int user_last_open(struct ctl *c);
/* "2026-11-22T05:00:00Z imap 192.0.2.1" of this user, or of the app password
 * name; "" if there was no login or fd is -1. */
enum { USER_LAST_MAX = 128 };
void user_last(int fd, struct str user, struct str name,
	       char text[USER_LAST_MAX]);

/* Exit status for err. */
int user_status(const struct err *err);

#endif
