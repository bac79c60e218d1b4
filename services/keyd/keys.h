/* SPDX-License-Identifier: ISC */
#ifndef KEYD_KEYS_H
#define KEYD_KEYS_H

#include "base/list.h"
#include "cert/cert.h"
#include "frame/msg_keyd.h"

/*
 * The files that master has read, and the sets of chains made of them, one set
 * for each group of tlsd, and one for tlsd_mx as the client of other hosts.  A
 * file that is faulty does not displace the good one that was there under its
 * name.
 */
enum {
	KEYS_OLD_MS = 60 * 1000, /* a set is replaced: still signed with */
	KEYS_OUT = 2,		 /* the group of what servers are shown */
	KEYS_GROUPS = 3,
};

/* What was good of a file, shared by the entry and the sets. */
struct key_material {
	unsigned refs;
	unsigned said; /* of expiry: see keys_warn_expiry() */
	struct cert_file certs;
};

/* A line of the configuration. */
struct key_entry {
	struct list link; /* keys.entries */
	uint8_t groups;
	char *names, *path, *key_path;
	char *label;		   /* both paths, for the log */
	struct key_material *good; /* NULL: there never was one */
	char complaint[300];	   /* what was said last about a faulty one */
};

struct key_set {
	struct list link; /* keys.old */
	uint32_t id;
	uint64_t retired_ms;
	uint16_t n;
	struct key_ref {
		struct key_material *material;
		const struct cert_chain *chain;
		char *names; /* of its SNI, "" */
	} v[KEY_SET_MAX];
};

struct keys {
	struct list entries;
	struct key_set *set[KEYS_GROUPS]; /* as the bits of enum
						key_group; never NULL */
	struct list old[KEYS_GROUPS];
	uint32_t next_id;
	bool not_yet; /* a certificate was refused for its first day */
	char myhostname[256];
};

ERR_WARN_UNUSED int keys_init(struct keys *k, struct err *err);
void keys_fini(struct keys *k);

/*
 * A new edition of the table "keys" (the bytes of the memfd), at the wall clock
 * now (seconds).  Result: bit i set: set[i] is a new one.  -1 with err: the
 * table cannot be read, or no memory; everything stays as it was.
 */
ERR_WARN_UNUSED int keys_take(struct keys *k, struct str table, int64_t now,
			      uint64_t mono_ms, struct err *err);

/* The key of a set that is in force or was until a minute ago; NULL. */
EVP_PKEY *keys_find(const struct keys *k, size_t group, uint32_t set,
		    uint16_t key);

/* Forget sets that have been replaced for KEYS_OLD_MS. */
void keys_drop_old(struct keys *k, uint64_t mono_ms);

/* Log what expires soon: at 21, 7 and 1 days before, and daily after. */
void keys_warn_expiry(struct keys *k, int64_t now);

#endif
