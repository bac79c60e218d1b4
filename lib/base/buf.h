/* SPDX-License-Identifier: ISC */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/str.h"

/*
 * The only growable bytes.  A buf has a hard limit, given once; an append that
 * would pass it changes nothing, marks the buf as overflown and returns -1.
 * Running out of memory counts as overflow.  Writers may therefore append a
 * whole reply and look at buf_overflown() once.
 */
struct buf {
	char *p;
	size_t n;     /* bytes in use */
	size_t size;  /* bytes that may be used, never more than limit */
	size_t limit; /* never more than this in use */
	bool overflown;
};

void buf_init(struct buf *b, size_t limit);
void buf_fini(struct buf *b);

/* Forget the content and the overflow, keep the memory. */
void buf_reset(struct buf *b);
/* As buf_reset(), and give memory above keep bytes back. */
void buf_shrink(struct buf *b, size_t keep);

/* Room for n more bytes; NULL if the limit forbids it.  After writing m <= n
 * bytes there the caller adds m to b->n. */
char *buf_grow(struct buf *b, size_t n); /* the same */
static inline char *
buf_reserve(struct buf *b, size_t n)
{
	return n <= b->size - b->n && b->p ? b->p + b->n : buf_grow(b, n);
}

static inline int
buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = buf_reserve(b, n);

	if (!to)
		return -1;
	if (n)
		memcpy(to, p, n);
	b->n += n;
	return 0;
}

static inline int
buf_add_byte(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

static inline int
buf_add_str(struct buf *b, struct str s)
{
	return buf_add(b, s.p, s.n);
}

static inline int
buf_add_c(struct buf *b, const char *cstring)
{
	return buf_add(b, cstring, strlen(cstring));
}

int buf_addf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int buf_vaddf(struct buf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Decimal without stdio: for the hot paths. */
int buf_add_u64(struct buf *b, uint64_t v);

/* Drop the first n bytes (n <= b->n). */
void buf_drop(struct buf *b, size_t n);

static inline struct str
buf_str(const struct buf *b)
{
	return (struct str){ b->p, b->n };
}

static inline bool
buf_overflown(const struct buf *b)
{
	return b->overflown;
}

/* The content with a NUL after it (not counted); "" if that overflows. */
const char *buf_cstr(struct buf *b);

#endif
