/* SPDX-License-Identifier: ISC */
#ifndef MAIL_USERS_APP_H
#define MAIL_USERS_APP_H

#include "base/buf.h"
#include "base/err.h"

/*
 * A line of the file of app passwords:
 *
 *   user:name:services:expires:{SSHA256}base64
 *
 * services are of imap, pop3, smtp, separated by commas, or empty for all;
 * expires is in seconds since 1970, or empty for never; the base64 is SHA-256
 * of password and salt, then the salt.  Empty lines and lines beginning with
 * "#" say nothing.  A fast hash is enough for passwords that we make ourselves
 * from 125 random bits, and for no others: the users file does not take it.
 */
enum {
	USERS_APP_NAME_MAX = 64,
	USERS_APP_DIGEST = 32,
	USERS_APP_SALT_MIN = 8,
	USERS_APP_SALT_MAX = 32,
	USERS_APP_PER_USER = 32,
};

enum users_app_service { /* bits */
			 USERS_APP_IMAP = 1,
			 USERS_APP_POP3 = 2,
			 USERS_APP_SMTP = 4,
			 USERS_APP_ALL = 7,
};

struct users_app {
	struct str user, name; /* slices of the line */
	unsigned services;     /* bits, never 0 */
	uint64_t expires;      /* seconds since 1970; UINT64_MAX: never */
	uint8_t digest[USERS_APP_DIGEST];
	uint8_t salt[USERS_APP_SALT_MAX];
	size_t salt_n;
};

/* line without its LF.  0: *a is filled; 1: nothing on this line; -1: a bad
 * line; err says why and quotes nothing. */
ERR_WARN_UNUSED int users_app_parse(struct str line, struct users_app *a,
				    struct err *err);
/* The line without LF; -1: out is full. */
ERR_WARN_UNUSED int users_app_format(struct buf *out,
				     const struct users_app *a);

/* "imap,smtp" as bits; "" is all of them; -1: something else. */
ERR_WARN_UNUSED int users_app_services(struct str s, unsigned *bits);

/* 1 to USERS_APP_NAME_MAX bytes of UTF-8 without controls and ":", no blank at
 * either end, no "#" in front. */
bool users_app_name_ok(struct str name);

#endif
