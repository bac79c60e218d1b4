/* SPDX-License-Identifier: ISC */
#ifndef QUEUE_SPOOL_INT_H
#define QUEUE_SPOOL_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "queue/spool.h"

/* Shared by spool*.c only. */
enum { SPOOL_DIRS = 256, SPOOL_NAME_MAX = 32 };

struct spool_reap {
	uint64_t id;
	uint8_t body; /* enum qfile_body */
};

/* A finished message's file, for the next one (spool_spare.c). */
enum { SPOOL_SPARES = 128 };
struct spool_spare {
	uint64_t id;
	bool blank; /* it is emptied */
};

struct spool {
	int root;	     /* the caller's */
	int msg;	     /* msg/ */
	int dir[SPOOL_DIRS]; /* msg/XX/ */
	uint64_t id;
	bool is_new;
	_Atomic uint64_t apart_until; /* monotonic ms: no syncfs before */
	pthread_mutex_t lock;	      /* of all below */
	uint64_t next, reserved;
	bool dirty[SPOOL_DIRS]; /* names went, not synced yet */
	bool any_dirty;
	struct spool_spare spare[SPOOL_SPARES];
	size_t nspare, fresh_spares;
	uint64_t spares_taken; /* since the last round */
	unsigned idle_rounds;
	struct spool_reap *reap; /* bodies to unlink after that sync */
	size_t nreap, reap_size;
};

/* 256 neighbours share a directory: few directories are busy at a time. */
static inline unsigned
spool_dir_of(uint64_t id)
{
	return (unsigned)(id >> 8) & (SPOOL_DIRS - 1);
}

/* "ID", "ID.b", ... */
const char *spool_name(uint64_t id, const char *suffix,
		       char out[SPOOL_NAME_MAX]);
/* ".b" or ".h" */
const char *spool_body_suffix(enum qfile_body body);
/* Reserve ids from a number on. */
ERR_WARN_UNUSED int spool_reserve_from(struct spool *sp, uint64_t next,
				       struct err *err);

/* Keep the file of a finished message; false: enough are kept. */
bool spool_spare_put(struct spool *sp, uint64_t id, bool at_once);
/* A spare under a new id's name, empty and open for writing; -1: there is none.
 * Its name is durable with fsx_fsync() of the file. */
int spool_spare_reuse(struct spool *sp, uint64_t id);
/* Once a second: wipe those that are not; remove all when none was wanted for
 * a while. */
void spool_spare_tidy(struct spool *sp);
void spool_spare_drop_all(struct spool *sp);

#endif
