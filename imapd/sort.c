/* SPDX-License-Identifier: ISC */
#include <endian.h>
#include <stdlib.h>

#include "sort.h"

enum {
	BYTES_MAX = 1 << 28,
	ROW_MAX = SORT_CRITERIA_MAX * 1024,
	NUMBER = 2,   /* bytes of that before a row */
	STEP = 16384, /* messages of a portion */
};

_Static_assert(ROW_MAX / SORT_CRITERIA_MAX > KEYS_SORT_MAX + NUMBER &&
		       ROW_MAX <= UINT16_MAX,
	       "a text fits");

static const struct {
	const char *name;
	enum imap_sort_by by;
} names[] = {
	{ "ARRIVAL", SORT_ARRIVAL },
	{ "CC", SORT_CC },
	{ "DATE", SORT_DATE },
	{ "FROM", SORT_FROM },
	{ "SIZE", SORT_SIZE },
	{ "SUBJECT", SORT_SUBJECT },
	{ "TO", SORT_TO },
	{ "DISPLAYFROM", SORT_DISPLAYFROM },
	{ "DISPLAYTO", SORT_DISPLAYTO },
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static bool
read_criterion(struct imap_in *in, struct imap_sort_criterion *c)
{
	size_t i;

	c->reverse = imap_word(in, "REVERSE");
	if (c->reverse && !imap_space(in))
		return false;
	for (i = 0; i < NAMES; i++)
		if (imap_word(in, names[i].name))
			break;
	if (i == NAMES)
		return imap_fail(in, "Unknown sort criterion");
	c->by = names[i].by;
	return true;
}

bool
imap_sort_parse(struct imap_in *in, struct imap_sort_program *out)
{
	struct imap_sort_criterion *c;

	*out = (struct imap_sort_program){ 0 };
	if (!imap_char(in, '('))
		return false;
	do {
		if (out->n == SORT_CRITERIA_MAX)
			return imap_fail(in, "Too many sort criteria");
		if (out->n && !imap_space(in))
			return false;
		c = &out->v[out->n++];
		if (!read_criterion(in, c))
			return false;
		out->needs_size |= c->by == SORT_SIZE;
		out->needs_arrival |= c->by == SORT_ARRIVAL;
		out->needs_sent |= c->by == SORT_DATE;
		out->needs_keys |= c->by != SORT_SIZE && c->by != SORT_ARRIVAL;
	} while (imap_peek(in) != ')');
	return imap_char(in, ')');
}

/* --- rows ------------------------------------------------------------------
 */

void
imap_sorter_init(struct imap_sorter *s)
{
	*s = (struct imap_sorter){ 0 };
	buf_init(&s->bytes, BYTES_MAX);
}

void
imap_sorter_fini(struct imap_sorter *s)
{
	free(s->v);
	free(s->tmp);
	free(s->tied);
	buf_fini(&s->bytes);
	*s = (struct imap_sorter){ 0 };
}

/* Eight bytes, the highest first; a reversed one is complemented. */
static char *
put_number(char *to, uint64_t v, bool reverse)
{
	v = htobe64(reverse ? ~v : v);
	memcpy(to, &v, 8);
	return to + 8;
}

/* Ends with a byte below (reversed: above) any other, so that a text is before
 * a longer one that begins with it, and what follows does not count. */
static char *
put_text(char *to, struct str s, bool reverse)
{
	size_t n = s.n < KEYS_SORT_MAX ? s.n : KEYS_SORT_MAX, i;
	char *nul;

	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
	while ((nul = memchr(to, '\0', n + 1)) != to + n)
		*nul = 1;
	n++;
	for (i = 0; reverse && i < n; i++)
		to[i] = (char)~to[i];
	return to + n;
}

static uint64_t
of_moment(int64_t t)
{
	return (uint64_t)t ^ 1ull << 63;
}

static char *
put_criterion(char *to, const struct imap_sort_criterion *c,
	      const struct imap_sort_values *m)
{
	static const int fields[] = {
		[SORT_CC] = KEYS_SORT_CC,
		[SORT_FROM] = KEYS_SORT_FROM,
		[SORT_SUBJECT] = KEYS_BASE,
		[SORT_TO] = KEYS_SORT_TO,
		[SORT_DISPLAYFROM] = KEYS_DISPLAY_FROM,
		[SORT_DISPLAYTO] = KEYS_DISPLAY_TO,
	};

	switch (c->by) {
	case SORT_ARRIVAL:
		return put_number(to, of_moment(m->arrival), c->reverse);
	case SORT_DATE:
		return put_number(to, of_moment(m->sent), c->reverse);
	case SORT_SIZE:
		return put_number(to, m->size, c->reverse);
	default:
		return put_text(to, m->keys->field[fields[c->by]], c->reverse);
	}
}

/* Up to eight bytes as a number. */
static uint64_t
part_of(struct str s)
{
	uint64_t v = 0;
	size_t i;

	if (s.n >= 8) {
		memcpy(&v, s.p, 8);
		return be64toh(v);
	}
	for (i = 0; i < 8; i++)
		v = v << 8 | (i < s.n ? (unsigned char)s.p[i] : 0);
	return v;
}

static bool
grow(struct imap_sorter *s)
{
	size_t size = s->size ? 2 * s->size : 1024;
	struct imap_sort_item *v;

	if (s->n < s->size)
		return true;
	v = realloc(s->v, size * sizeof(*v));
	if (!v)
		return false;
	s->v = v;
	s->size = size;
	return true;
}

int
imap_sorter_add(struct imap_sorter *s, const struct imap_sort_program *p,
		uint32_t number, const struct imap_sort_values *m)
{
	char *at = buf_reserve(&s->bytes, ROW_MAX), *row = at + NUMBER, *to;
	uint16_t rest;
	size_t i, n;

	if (!at || !grow(s))
		return -1;
	for (to = row, i = 0; i < p->n; i++)
		to = put_criterion(to, &p->v[i], m);
	n = (size_t)(to - row);
	s->v[s->n++] = (struct imap_sort_item){ part_of(str_mem(row, n)),
						number, (uint32_t)s->bytes.n };
	rest = n > 8 ? (uint16_t)(n - 8) : 0;
	memcpy(at, &rest, NUMBER);
	if (rest)
		memmove(row, row + 8, rest);
	s->bytes.n += NUMBER + rest;
	return 0;
}

int
imap_sorter_add_rank(struct imap_sorter *s, uint32_t number, uint64_t rank)
{
	if (!grow(s))
		return -1;
	s->v[s->n++] =
		(struct imap_sort_item){ .part = rank, .number = number };
	return 0;
}

/* --- order -----------------------------------------------------------------
 * By parts, then those whose parts are equal by their next ones, and so on: no
 * comparison looks into the rows, and each group is done while it is at hand.
 */

static void
insert(struct imap_sort_item *v, size_t n)
{
	struct imap_sort_item x;
	size_t i, k;

	for (i = 1; i < n; i++) {
		x = v[i];
		for (k = i; k > 0 && v[k - 1].part > x.part; k--)
			v[k] = v[k - 1];
		v[k] = x;
	}
}

/* a and b, which are in order, into to. */
static void
merge(struct imap_sort_item *to, const struct imap_sort_item *a, size_t na,
      const struct imap_sort_item *b, size_t nb)
{
	while (na && nb) {
		if (b->part < a->part) {
			*to++ = *b++;
			nb--;
		} else {
			*to++ = *a++;
			na--;
		}
	}
	memcpy(to, na ? a : b, (na + nb) * sizeof(*to));
}

/* Byte by byte, the last one first. */
static void
sort_many(struct imap_sort_item *v, size_t n, struct imap_sort_item *tmp)
{
	struct imap_sort_item *from = v, *to = tmp, *t;
	uint32_t starts[8][256] = { { 0 } }, *start, sum, count;
	unsigned byte, b;
	size_t i;

	for (i = 0; i < n; i++)
		for (byte = 0; byte < 8; byte++)
			starts[byte][v[i].part >> 8 * byte & 255]++;
	for (byte = 0; byte < 8; byte++) {
		start = starts[byte];
		if (start[v[0].part >> 8 * byte & 255] == n)
			continue; /* all have the same */
		for (sum = 0, b = 0; b < 256; b++) {
			count = start[b];
			start[b] = sum;
			sum += count;
		}
		for (i = 0; i < n; i++)
			to[start[from[i].part >> 8 * byte & 255]++] = from[i];
		t = from;
		from = to;
		to = t;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(*v));
}

/* Stable; tmp has room for as many. */
static void
sort_parts(struct imap_sort_item *v, size_t n, struct imap_sort_item *tmp)
{
	enum { RUN = 16, MANY = 2048 };
	struct imap_sort_item *from = v, *to = tmp, *t;
	size_t width, i, mid, end;

	if (n >= MANY) {
		sort_many(v, n, tmp);
		return;
	}
	for (i = 0; i < n; i += RUN)
		insert(v + i, n - i < RUN ? n - i : RUN);
	for (width = RUN; width < n; width *= 2) {
		for (i = 0; i < n; i = end) {
			mid = n - i < width ? n : i + width;
			end = n - mid < width ? n : mid + width;
			merge(to + i, from + i, mid - i, from + mid, end - mid);
		}
		t = from;
		from = to;
		to = t;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(*v));
}

static struct str
row_of(const struct imap_sorter *s, const struct imap_sort_item *it)
{
	const char *at = s->bytes.p + it->row;
	uint16_t n;

	memcpy(&n, at, NUMBER);
	return str_mem(at + NUMBER, n);
}

/* The parts behind depth bytes; false: there are none. */
static bool
next_parts(const struct imap_sorter *s, struct imap_sort_item *v, size_t n,
	   size_t depth)
{
	struct str row = row_of(s, &v[0]);
	size_t i;

	if (depth >= row.n) /* as all of them: they were equal up to there */
		return false;
	for (i = 0; i < n; i++) {
		row = row_of(s, &v[i]);
		v[i].part = part_of(str_mem(row.p + depth, row.n - depth));
	}
	return true;
}

/*
 * n items with equal parts.  tied: each is equal to the next one as far as was
 * looked; room for n.
 */
static void
sort_tied(const struct imap_sorter *s, struct imap_sort_item *v, size_t n,
	  struct imap_sort_item *tmp, bool *tied)
{
	size_t depth, i, end, k;
	bool any = true;

	memset(tied, true, n);
	tied[n - 1] = false;
	for (depth = 0; any; depth += 8) {
		any = false;
		for (i = 0; i < n; i = end) {
			for (end = i + 1; tied[end - 1]; end++)
				continue;
			if (end == i + 1)
				continue;
			if (!next_parts(s, v + i, end - i, depth)) {
				memset(tied + i, false, end - i);
				continue;
			}
			sort_parts(v + i, end - i, tmp);
			for (k = i; k + 1 < end; k++) {
				tied[k] = v[k].part == v[k + 1].part;
				any |= tied[k];
			}
		}
	}
}

static int
sort_begin(struct imap_sorter *s)
{
	s->tmp = malloc((s->n + 1) * sizeof(*s->tmp));
	s->tied = malloc(s->n + 1);
	if (!s->tmp || !s->tied)
		return -1;
	sort_parts(s->v, s->n, s->tmp);
	return 1;
}

int
imap_sorter_step(struct imap_sorter *s)
{
	size_t i, end, stop = s->at + STEP;

	if (!s->tied)
		return sort_begin(s);
	for (i = s->at; i < s->n && i < stop; i = end) {
		for (end = i + 1; end < s->n && s->v[end].part == s->v[i].part;
		     end++)
			continue;
		if (end > i + 1)
			sort_tied(s, s->v + i, end - i, s->tmp, s->tied);
	}
	s->at = i;
	return i < s->n;
}
