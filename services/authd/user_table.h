/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_USER_TABLE_H
#define AUTHD_USER_TABLE_H

#include "base/map.h"
#include "base/pool.h"
#include "mail/users_file.h"

/*
 * A users file or a passwd file, indexed.  The text is the sealed memfd from
 * master, mapped: no hash is copied into memory that would have to be wiped.
 */
struct user {
	struct str name; /* lower case */
	struct users_line line;
};

enum table_kind { TABLE_USERS, TABLE_PASSWD };

struct user_table {
	enum table_kind kind;
	struct str text; /* the mapping; n = 0: none */
	struct pool pool;
	struct map by_name;
	/* What an unknown user's password is checked against, so that it costs
	 * what most users' cost: the setting (scheme, cost, salt) of one of
	 * them without the hash, or keys that fit nothing. */
	enum users_scheme dummy_scheme;
	char dummy[USERS_HASH_MAX + 1];
	/* What SCRAM shows of a user without keys: as most users have it. */
	struct user_fake {
		uint32_t iterations;
		size_t salt_n;
	} fake[2]; /* SHA-1, SHA-256 */
	uint8_t secret[32];
};

/* Reads the whole table; bad lines and repeated names (the first one counts)
 * are logged and left out.  Takes fd in every case.  NULL with err: the
 * descriptor is not a sealed file of tolerable size, or memory is short. */
struct user_table *user_table_new(enum table_kind kind, int fd,
				  struct err *err);
void user_table_free(struct user_table *t);

/* Names do not distinguish upper and lower case (of ASCII). */
const struct user *user_table_find(const struct user_table *t, struct str name);

/*
 * SCRAM keys in the form libsasl2 wants of "*authPassword"; false if they are
 * made up: the user is unknown, locked, or has no keys of this kind.
 *
 * Made-up keys fit no password.  Salt and iteration count must not tell them
 * from real ones, however often one asks: the salt comes from the name under
 * the secret of the users file ("#secret:", which "posthouse user" writes and
 * every edition keeps), so that it is the same tomorrow.  A file without one
 * serves with the hash of its first user: then all of them change when that
 * user's password does.
 */
enum { USER_KEYS_MAX = 400 };
bool user_table_keys(const struct user_table *t, const struct user *u,
		     struct str name, enum users_scheme scheme,
		     char out[USER_KEYS_MAX]);

/* Differs when the user's password or keys do; 0: NULL, or locked.  For
 * comparison within this process. */
uint64_t user_credential(const struct user *u);

/* The setting at the front of a crypt(3) string: all but the hash itself. */
struct str crypt_setting(struct str hash);
/* Scheme and cost alone: "$6$rounds=9000$", "$y$j9T$", "$2b$05$". */
struct str crypt_class(struct str hash);

#endif
