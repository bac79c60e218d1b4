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
 * Fields at the end may be missing.  The password is one of
 * - a crypt(3) string beginning with "$", alone or after {CRYPT},
 *   {SHA512-CRYPT}, {SHA256-CRYPT}, {MD5-CRYPT} or {BLF-CRYPT};
 * - {SCRAM-SHA-256} or {SCRAM-SHA-1}, then "ITERATIONS,SALT,STOREDKEY,
 *   SERVERKEY" (the latter three in base64): what SCRAM needs (RFC 5802 3), and
 *   a password that comes in the clear can be checked against it as well;
 * - "" or one beginning with "!" or "*", which lets nobody in.
 * Any other scheme, plain text before all, makes the line bad.
 *
 * The extra fields scram_sha_256= and scram_sha_1= hold keys of the same
 * password beside the password field, in the same form.  They serve SCRAM
 * alone, and only as long as the password field lets somebody in.
 *
 * Empty lines and lines beginning with "#" say nothing, but for
 * "#secret:BASE64", 32 bytes or more, the first of which keys what must look
 * like a user who is not there (user_table.h).
 */
enum {
	USERS_FILE_MAX = 64 * 1024 * 1024,
	USERS_LINE_MAX = 4096,
	USERS_NAME_MAX = 255,
	USERS_HASH_MAX = 255,
	USERS_HOME_MAX = 1000,
	/* What RFC 7677 4 demands; what a login may cost: 0.3 s.  libsasl2's
	 * clients refuse more than 65536. */
	USERS_SCRAM_ITERATIONS_MIN = 4096,
	USERS_SCRAM_ITERATIONS_MAX = 1000000,
	USERS_SCRAM_SALT_MIN = 8,
	USERS_SCRAM_SALT_MAX = 32,
	USERS_SECRET_MIN = 32,
};

#define USERS_NO_ID UINT32_MAX /* the field is empty */

enum users_scheme {
	USERS_LOCKED, /* no password fits */
	USERS_CRYPT,
	USERS_SCRAM_SHA_1,
	USERS_SCRAM_SHA_256,
};

struct users_line {
	struct str user;
	enum users_scheme scheme;
	struct str hash; /* as crypt(3) or users_scram_parse() want it */
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

/* Keys for SCRAM. */
struct users_scram {
	uint32_t iterations;
	struct str salt, stored, server; /* base64 */
	size_t salt_n;			 /* bytes of the salt, decoded */
};

/* "ITERATIONS,SALT,STOREDKEY,SERVERKEY" of a SCRAM scheme; slices point into
 * text. */
ERR_WARN_UNUSED int users_scram_parse(enum users_scheme scheme, struct str text,
				      struct users_scram *s, struct err *err);
/* The keys by which this user may use SCRAM with this hash; false: none. */
bool users_line_scram(const struct users_line *u, enum users_scheme scheme,
		      struct users_scram *s);
/* The name of the extra field: "scram_sha_256". */
const char *users_scram_field(enum users_scheme scheme);

/* Is this the line of the secret?  Then *secret is what it says, base64. */
bool users_line_secret(struct str line, struct str *secret);

/* The same for a line of passwd(5), whose password field means nothing here:
 * it is always locked. */
ERR_WARN_UNUSED int users_passwd_parse(struct str line, struct users_line *u,
				       struct err *err);

/* May this be a user's name: 1 to USERS_NAME_MAX bytes, a path component or
 * two joined by "@"; no control, blank, ":", "/" or quote, no "." at the front
 * of a part, nothing above ASCII unless it is UTF-8. */
bool users_name_ok(struct str name);

#endif
