/* SPDX-License-Identifier: ISC */
#ifndef MAIL_USERS_FILE_H
#define MAIL_USERS_FILE_H

#include "base/err.h"
#include "base/str.h"

/*
 * A line of the users file, in the form of Dovecot's passwd-file:
 *
 *   user:password:uid:gid:gecos:home:shell:extra fields
 *
 * Fields at the end may be missing.  The password is a crypt(3) string
 * beginning with "$", alone or after {CRYPT}, {SHA512-CRYPT}, {SHA256-CRYPT},
 * {MD5-CRYPT} or {BLF-CRYPT}; "" or one beginning with "!" or "*" lets nobody
 * in.  Any other scheme, plain text before all, makes the line bad.  Empty
 * lines and lines beginning with "#" say nothing.
 */
enum {
	USERS_FILE_MAX = 64 * 1024 * 1024,
	USERS_LINE_MAX = 4096,
	USERS_NAME_MAX = 255,
	USERS_HASH_MAX = 255,
	USERS_HOME_MAX = 1000,
};

#define USERS_NO_ID UINT32_MAX /* the field is empty */

struct users_line {
	struct str user;
	struct str hash; /* for crypt(3); n = 0: no password fits */
	uint32_t uid, gid;
	struct str home;  /* absolute without "." and ".." components, or "" */
	struct str extra; /* extra fields, as they stand */
};

/* Slices point into line (without its LF).  0: *u is filled; 1: nothing on
 * this line; -1: a bad line; err says why and never quotes the password. */
ERR_WARN_UNUSED int users_line_parse(struct str line, struct users_line *u,
				     struct err *err);

/* The value of extra field "name=value"; STR_NULL if it is not there. */
struct str users_line_extra(const struct users_line *u, const char *name);

/* The same for a line of passwd(5), whose password field means nothing here:
 * hash is always empty. */
ERR_WARN_UNUSED int users_passwd_parse(struct str line, struct users_line *u,
				       struct err *err);

/* May this be a user's name: 1 to USERS_NAME_MAX bytes, a path component or
 * two joined by "@"; no control, blank, ":", "/" or quote, no "." at the front
 * of a part, nothing above ASCII unless it is UTF-8. */
bool users_name_ok(struct str name);

#endif
