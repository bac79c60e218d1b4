/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_APP_PASSWORDS_H
#define AUTHD_APP_PASSWORDS_H

#include "base/map.h"
#include "base/pool.h"
#include "mail/users_app.h"

/*
 * The file of app passwords, indexed by user, and the check of one password
 * against those of a user.
 */
struct app_passwords {
	struct pool pool;
	struct map by_user;
	size_t n;
};

/* Reads a sealed memfd from master, which is taken in every case.  Bad lines,
 * and those beyond USERS_APP_PER_USER of a user, are logged and left out.
 * NULL with err: the descriptor is no sealed file of tolerable size, or memory
 * is short. */
struct app_passwords *app_passwords_new(int fd, struct err *err);
void app_passwords_free(struct app_passwords *t);

/* What a thread needs to compare, copied: the table may go meanwhile. */
struct app_check {
	unsigned n;
	struct {
		uint8_t digest[USERS_APP_DIGEST];
		uint8_t salt[USERS_APP_SALT_MAX];
		size_t salt_n;
		char name[USERS_APP_NAME_MAX + 1];
	} v[USERS_APP_PER_USER];
};

/* Those of this user that are good for one of these services now.  t may be
 * NULL. */
void app_passwords_collect(const struct app_passwords *t, struct str user,
			   unsigned services, uint64_t now_s,
			   struct app_check *c);
/* The name of the one that fits, or NULL.  Costs the same USERS_APP_PER_USER
 * hashes whether there are any, and whichever fits. */
const char *app_check_match(const struct app_check *c, struct str password);

#endif
