/* SPDX-License-Identifier: ISC */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A borrowed slice of bytes: not owned, not terminated, may hold any byte. */
struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
#define STR_NULL ((struct str){ NULL, 0 })
/* For printf's "%.*s". */
#define STR_FMT(s) (int)(s).n, (s).p ? (s).p : ""

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static inline struct str
str_of(const char *cstring)
{
	return (struct str){ cstring, cstring ? strlen(cstring) : 0 };
}

static inline struct str
str_mem(const void *p, size_t n)
{
	return (struct str){ p, n };
}

static inline bool
str_eq(struct str a, struct str b)
{
	/* With bytes, no p is NULL: for the analyzer. */
	return a.n == b.n &&
	       (a.n == 0 || (a.p && b.p && memcmp(a.p, b.p, a.n) == 0));
}
/* ASCII case-insensitive, whatever the locale. */
bool str_ieq_bytes(const char *a, const char *b, size_t n);
static inline bool
str_ieq(struct str a, struct str b)
{
	return a.n == b.n && str_ieq_bytes(a.p, b.p, a.n);
}

int str_cmp(struct str a, struct str b);
int str_icmp(struct str a, struct str b);
/* The part from offset a (clamped); the first n bytes (clamped). */
static inline struct str
str_from(struct str s, size_t a)
{
	if (a < s.n)
		return (struct str){ s.p + a, s.n - a };
	return (struct str){ s.n ? s.p + s.n : s.p, 0 };
}

static inline struct str
str_head(struct str s, size_t n)
{
	return (struct str){ s.p, n < s.n ? n : s.n };
}

static inline bool
str_starts(struct str s, struct str prefix)
{
	return str_eq(str_head(s, prefix.n), prefix);
}

static inline bool
str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_eq(str_from(s, s.n - suffix.n), suffix);
}

bool str_istarts(struct str s, struct str prefix);
bool str_iends(struct str s, struct str suffix);

/* Index of the first / last byte c, or -1. */
ptrdiff_t str_find(struct str s, char c);
ptrdiff_t str_rfind(struct str s, char c);
/* Index of needle in s, or -1. */
ptrdiff_t str_search(struct str s, struct str needle);

/* Without blanks (space, tab, CR, LF) at both ends. */
struct str str_trim(struct str s);

/* Cut the next token off *s: bytes up to one of seps; skips leading seps.
 * False at the end. */
bool str_token(struct str *s, const char *seps, struct str *tok);
/* Cut off *s what stands before the first c (c itself is dropped); false if
 * there is none, then *s is unchanged. */
bool str_cut(struct str *s, char c, struct str *before);

/* Decimal digits only, the whole of s, no sign; -1 if not, or above max. */
int str_u64(struct str s, uint64_t max, uint64_t *out);

/* Copy into a fixed array with a NUL; false (and an empty string) if it does
 * not fit or holds a NUL. */
bool str_copy(char *dst, size_t size, struct str s);

#endif
