/* SPDX-License-Identifier: ISC */
#include "base/str.h"

int
str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}

int
str_icmp(struct str a, struct str b)
{
	size_t i, n = a.n < b.n ? a.n : b.n;

	for (i = 0; i < n; i++) {
		int c = (unsigned char)ascii_lower(a.p[i]) -
			(unsigned char)ascii_lower(b.p[i]);

		if (c)
			return c;
	}
	return a.n < b.n ? -1 : a.n > b.n;
}

bool
str_ieq_bytes(const char *a, const char *b, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

bool
str_istarts(struct str s, struct str prefix)
{
	return str_ieq(str_head(s, prefix.n), prefix);
}

bool
str_iends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && str_ieq(str_from(s, s.n - suffix.n), suffix);
}

ptrdiff_t
str_find(struct str s, char c)
{
	const char *p = s.n ? memchr(s.p, c, s.n) : NULL;

	return p ? p - s.p : -1;
}

ptrdiff_t
str_rfind(struct str s, char c)
{
	const char *p = s.n ? memrchr(s.p, c, s.n) : NULL;

	return p ? p - s.p : -1;
}

ptrdiff_t
str_search(struct str s, struct str needle)
{
	const char *p;

	if (needle.n == 0)
		return 0;
	p = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
	return p ? p - s.p : -1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str
str_trim(struct str s)
{
	while (s.n && is_blank(s.p[0]))
		s = str_from(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* strchr() for the few there mostly are; NUL is none of them. */
static bool
is_one_of(char c, const char *seps)
{
	for (; *seps; seps++)
		if (*seps == c)
			return true;
	return false;
}

bool
str_token(struct str *s, const char *seps, struct str *tok)
{
	size_t i = 0;

	while (s->n && is_one_of(s->p[0], seps))
		*s = str_from(*s, 1);
	if (s->n == 0)
		return false;
	while (i < s->n && !is_one_of(s->p[i], seps))
		i++;
	*tok = str_head(*s, i);
	*s = str_from(*s, i);
	return true;
}

bool
str_cut(struct str *s, char c, struct str *before)
{
	ptrdiff_t i = str_find(*s, c);

	if (i < 0)
		return false;
	*before = str_head(*s, (size_t)i);
	*s = str_from(*s, (size_t)i + 1);
	return true;
}

int
str_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (s.n == 0)
		return -1;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return -1;
	}
	if (v > max)
		return -1;
	*out = v;
	return 0;
}

bool
str_copy(char *dst, size_t size, struct str s)
{
	dst[0] = '\0';
	if (s.n >= size || str_find(s, '\0') >= 0)
		return false;
	if (s.n)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return true;
}
