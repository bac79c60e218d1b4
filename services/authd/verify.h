/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_VERIFY_H
#define AUTHD_VERIFY_H

#include "app_passwords.h"
#include "frame/msg_authd.h"
#include "mail/users_file.h"
#include "workers.h"

/*
 * Is this the password?  The one place where a password that came in the clear
 * meets what is known of it.
 */
struct verify {
	struct work work;		 /* must be first */
	char password[PASSWORD_MAX + 1]; /* wiped when it is done */
	enum users_scheme scheme;
	char secret[USERS_HASH_MAX + 1];  /* a hash, a setting alone, or keys */
	struct app_check apps;		  /* the user's app passwords */
	bool keep;			  /* the password is wanted again */
	bool checked, match;		  /* unchecked: the threads ended */
	char app[USERS_APP_NAME_MAX + 1]; /* the one that fits; "": none */
};

/* The run of the work: password against secret and app passwords, in a time
 * that tells neither whether there are app passwords nor which of all fits. */
void verify_run(struct work *w);
void verify_wipe(struct verify *v);

/* False for a setting without a hash, and for what crypt(3) refuses;
 * comparison in constant time. */
bool secret_matches(enum users_scheme scheme, const char *secret,
		    const char *password);

#endif
