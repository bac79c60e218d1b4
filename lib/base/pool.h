/* SPDX-License-Identifier: ISC */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/str.h"

/*
 * Memory that is freed at once: one pool a session, one a transaction.  A pool
 * has a hard limit in bytes; past it, or out of memory, allocation returns
 * NULL (the caller answers "temporary problem").
 */
struct pool {
	struct pool_block *head;
	size_t used;
	size_t limit;
};

void pool_init(struct pool *p, size_t limit);
/* Free everything; the pool can be used again. */
void pool_fini(struct pool *p);
/* The same, but one block is kept for what comes next. */
void pool_reset(struct pool *p);

/* n zeroed bytes, aligned for any type. */
void *pool_alloc(struct pool *p, size_t n);
/* A copy of s; .p is never NULL on success, also for n = 0, and is followed by
 * a NUL that does not count. On failure .p is NULL. */
struct str pool_str(struct pool *p, struct str s);
struct str pool_strf(struct pool *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
