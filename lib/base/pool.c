/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pool.h"

enum { POOL_BLOCK = 4096 - 64 };

struct pool_block {
	struct pool_block *next;
	size_t used, size;
	max_align_t data[];
};

void
pool_init(struct pool *p, size_t limit)
{
	*p = (struct pool){ .limit = limit };
}

void
pool_fini(struct pool *p)
{
	struct pool_block *b, *next;

	for (b = p->head; b; b = next) {
		next = b->next;
		free(b);
	}
	pool_init(p, p->limit);
}

void
pool_reset(struct pool *p)
{
	struct pool_block *keep = p->head;

	if (keep && keep->size <= POOL_BLOCK) {
		p->head = keep->next;
		keep->next = NULL;
		keep->used = 0;
	} else {
		keep = NULL;
	}
	pool_fini(p);
	p->head = keep;
}

void *
pool_alloc(struct pool *p, size_t n)
{
	struct pool_block *b = p->head;
	size_t size, align = _Alignof(max_align_t);
	void *at;

	if (n > SIZE_MAX / 2)
		return NULL;
	n = (n + align - 1) & ~(align - 1);
	if (!b || b->size - b->used < n) {
		size = n > POOL_BLOCK ? n : POOL_BLOCK;
		if (p->used > p->limit || n > p->limit - p->used)
			return NULL;
		b = malloc(sizeof(*b) + size);
		if (!b)
			return NULL;
		b->used = 0;
		b->size = size;
		b->next = p->head;
		p->head = b;
	}
	if (p->used > p->limit || n > p->limit - p->used)
		return NULL;
	at = (char *)b->data + b->used;
	b->used += n;
	p->used += n;
	return memset(at, 0, n);
}

struct str
pool_str(struct pool *p, struct str s)
{
	char *at;

	if (s.n == SIZE_MAX)
		return STR_NULL;
	at = pool_alloc(p, s.n + 1);
	if (!at)
		return STR_NULL;
	if (s.n)
		memcpy(at, s.p, s.n);
	return (struct str){ at, s.n };
}

struct str
pool_strf(struct pool *p, const char *fmt, ...)
{
	va_list ap, again;
	char *at;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	at = n < 0 ? NULL : pool_alloc(p, (size_t)n + 1);
	if (at)
		vsnprintf(at, (size_t)n + 1, fmt, again);
	va_end(again);
	return at ? (struct str){ at, (size_t)n } : STR_NULL;
}
