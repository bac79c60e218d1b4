/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_HASHER_H
#define AUTHD_HASHER_H

#include "base/list.h"
#include "frame/msg_authd.h"
#include "mail/users_file.h"
#include "net/loop.h"

/*
 * Threads that hash passwords (1 to 100 ms each), so that the loop never
 * waits.  The queue before them is bounded.
 */
struct hash_job {
	struct list link;
	char password[PASSWORD_MAX + 1]; /* wiped as soon as it is hashed */
	char hash[USERS_HASH_MAX + 1];	 /* a hash, or a setting alone */
	bool match;
	/* In the loop's thread, once; the job is the owner's again. */
	void (*done)(struct hash_job *j);
};

struct hasher;

struct hasher *hasher_new(struct loop *l, unsigned threads, unsigned limit,
			  struct err *err);
/* Waits for what is being hashed; done() is called for every job, those not
 * begun do not match. */
void hasher_free(struct hasher *h);
/* -1: the queue is full; the job stays the caller's. */
ERR_WARN_UNUSED int hasher_submit(struct hasher *h, struct hash_job *j);

/* Does the password have this hash?  False for a setting without a hash, and
 * for what crypt(3) refuses; comparison in constant time. */
bool hash_matches(const char *password, const char *hash);

#endif
