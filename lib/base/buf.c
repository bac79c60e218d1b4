/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"

void
buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){ .limit = limit };
}

void
buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ .limit = b->limit };
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->overflown = false;
}

void
buf_shrink(struct buf *b, size_t keep)
{
	buf_reset(b);
	if (b->size > keep) {
		free(b->p);
		b->p = NULL;
		b->size = 0;
	}
}

char *
buf_grow(struct buf *b, size_t n)
{
	size_t need, size;
	char *p;

	if (__builtin_add_overflow(b->n, n, &need) || need > b->limit) {
		b->overflown = true;
		return NULL;
	}
	if (need <= b->size && b->p)
		return b->p + b->n;
	size = b->size ? b->size : 256;
	while (size < need)
		size = size > SIZE_MAX / 2 ? need : size * 2;
	if (size > b->limit)
		size = b->limit;
	p = realloc(b->p, size ? size : 1);
	if (!p) {
		b->overflown = true;
		return NULL;
	}
	b->p = p;
	b->size = size;
	return b->p + b->n;
}

int
buf_add_u64(struct buf *b, uint64_t v)
{
	static const char pairs[] = "00010203040506070809"
				    "10111213141516171819"
				    "20212223242526272829"
				    "30313233343536373839"
				    "40414243444546474849"
				    "50515253545556575859"
				    "60616263646566676869"
				    "70717273747576777879"
				    "80818283848586878889"
				    "90919293949596979899";
	char digits[20];
	size_t i = sizeof(digits);

	for (; v >= 100; v /= 100) {
		i -= 2;
		memcpy(digits + i, pairs + 2 * (v % 100), 2);
	}
	if (v >= 10) {
		i -= 2;
		memcpy(digits + i, pairs + 2 * v, 2);
	} else {
		digits[--i] = (char)('0' + v);
	}
	return buf_add(b, digits + i, sizeof(digits) - i);
}

int
buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	char small[512];
	va_list again;
	char *to;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n < 0) {
		va_end(again);
		b->overflown = true;
		return -1;
	}
	if ((size_t)n < sizeof(small)) {
		va_end(again);
		return buf_add(b, small, (size_t)n);
	}
	to = malloc((size_t)n + 1);
	if (!to) {
		va_end(again);
		b->overflown = true;
		return -1;
	}
	vsnprintf(to, (size_t)n + 1, fmt, again);
	va_end(again);
	n = buf_add(b, to, (size_t)n);
	free(to);
	return n;
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_vaddf(b, fmt, ap);
	va_end(ap);
	return rc;
}

void
buf_drop(struct buf *b, size_t n)
{
	BUG_ON(n > b->n);
	b->n -= n;
	if (b->n && n)
		memmove(b->p, b->p + n, b->n);
}

const char *
buf_cstr(struct buf *b)
{
	char *end = buf_reserve(b, 1);

	if (!end)
		return "";
	*end = '\0';
	return b->p;
}
