/* SPDX-License-Identifier: ISC */
#ifndef MAIL_LAST_USE_H
#define MAIL_LAST_USE_H

#include "base/str.h"

/*
 * The file of last logins: authd writes it, posthouse(8) reads it.  It is a
 * table of LAST_USE_BUCKETS buckets of LAST_USE_WAYS records of LAST_USE_SIZE
 * bytes, each with a CRC; nothing is synced, and a record that is torn or zero
 * is no record.  A user (or an app password of a user) is in one bucket, by
 * hash; a full bucket loses its oldest record.  Holes need no space.
 *
 * A record, little-endian: u32 CRC-32C of the rest, u32 magic, u64 seconds
 * since 1970, u8 service, u8 lengths of user, name and client, then these
 * three; zero to the end.
 */
enum {
	LAST_USE_SIZE = 512,
	LAST_USE_WAYS = 8,
	LAST_USE_BUCKET = LAST_USE_SIZE * LAST_USE_WAYS,
	LAST_USE_BUCKETS = 2048,
	LAST_USE_USER_MAX = 255,
	LAST_USE_NAME_MAX = 64,
	LAST_USE_CLIENT_MAX = 64,
};

enum last_use_service {
	LAST_USE_IMAP = 1,
	LAST_USE_POP3,
	LAST_USE_SMTP,
	LAST_USE_OTHER,
};

struct last_use {
	struct str user, name; /* name: of the app password; "" for the user's
				  own */
	uint64_t time;	       /* seconds since 1970 */
	uint8_t service;       /* enum last_use_service */
	struct str client;     /* "192.0.2.1"; "" unknown */
};

/* Where the bucket of this user and name begins in the file. */
uint64_t last_use_offset(struct str user, struct str name);
/* Which of a bucket's records to write for this one: its own, else a free one,
 * else the oldest. Bytes beyond n count as zero. */
unsigned last_use_way(const uint8_t *bucket, size_t n,
		      const struct last_use *u);
/* False: a string is too long. */
bool last_use_encode(uint8_t record[LAST_USE_SIZE], const struct last_use *u);
/* Slices point into record.  False: there is none. */
bool last_use_decode(const uint8_t record[LAST_USE_SIZE], struct last_use *u);
/* The record of this user and name in its bucket. */
bool last_use_find(const uint8_t *bucket, size_t n, struct str user,
		   struct str name, struct last_use *u);

const char *last_use_service_name(uint8_t service); /* "imap"; "other" */

#endif
