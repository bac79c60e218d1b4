/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "sort.h"

enum { BYTES_MAX = 1 << 28, ROW_MAX = SORT_CRITERIA_MAX * 1024 };

_Static_assert(ROW_MAX / SORT_CRITERIA_MAX > KEYS_SORT_MAX, "a text fits");

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
	buf_init(&s->row, ROW_MAX);
}

void
imap_sorter_fini(struct imap_sorter *s)
{
	free(s->v);
	s->v = NULL;
	buf_fini(&s->bytes);
	buf_fini(&s->row);
}

/* Eight bytes, the highest first; a reversed one is complemented. */
static void
add_number(struct buf *row, uint64_t v, bool reverse)
{
	char b[8];
	size_t i;

	if (reverse)
		v = ~v;
	for (i = 0; i < 8; i++)
		b[i] = (char)(v >> (56 - 8 * i));
	buf_add(row, b, 8);
}

/* Ends with a byte below (reversed: above) any other, so that a text is before
 * a longer one that begins with it, and what follows does not count. */
static void
add_text(struct buf *row, struct str s, bool reverse)
{
	const unsigned char flip = reverse ? 0xff : 0;
	unsigned char c;
	size_t i;

	for (i = 0; i < s.n && i < KEYS_SORT_MAX; i++) {
		c = (unsigned char)s.p[i];
		buf_add_byte(row, (char)((c ? c : 1) ^ flip));
	}
	buf_add_byte(row, (char)flip);
}

static uint64_t
of_moment(int64_t t)
{
	return (uint64_t)t ^ 1ull << 63;
}

static void
add_criterion(struct buf *row, const struct imap_sort_criterion *c,
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
		add_number(row, of_moment(m->arrival), c->reverse);
		break;
	case SORT_DATE:
		add_number(row, of_moment(m->sent), c->reverse);
		break;
	case SORT_SIZE:
		add_number(row, m->size, c->reverse);
		break;
	default:
		add_text(row, m->keys->field[fields[c->by]], c->reverse);
		break;
	}
}

static uint64_t
first_bytes(struct str row)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < 8; i++)
		v = v << 8 | (i < row.n ? (unsigned char)row.p[i] : 0);
	return v;
}

int
imap_sorter_add(struct imap_sorter *s, const struct imap_sort_program *p,
		uint32_t number, const struct imap_sort_values *m)
{
	struct imap_sort_item *v;
	struct str rest;
	size_t i, size;

	if (s->n == s->size) {
		size = s->size ? 2 * s->size : 1024;
		v = realloc(s->v, size * sizeof(*v));
		if (!v)
			return -1;
		s->v = v;
		s->size = size;
	}
	buf_reset(&s->row);
	for (i = 0; i < p->n; i++)
		add_criterion(&s->row, &p->v[i], m);
	rest = str_from(buf_str(&s->row), 8);
	s->v[s->n++] = (struct imap_sort_item){
		.first = first_bytes(buf_str(&s->row)),
		.at = (uint32_t)s->bytes.n,
		.n = (uint32_t)rest.n,
		.number = number,
	};
	if (buf_overflown(&s->row) || buf_add_str(&s->bytes, rest) < 0)
		return -1;
	return 0;
}

static int
compare(const void *a, const void *b, void *arg)
{
	const struct imap_sort_item *x = a, *y = b;
	const struct buf *bytes = arg;
	size_t n = x->n < y->n ? x->n : y->n;
	int d;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	d = n ? memcmp(bytes->p + x->at, bytes->p + y->at, n) : 0;
	if (d)
		return d;
	/* Rows end differently, or are equal. */
	return x->number < y->number ? -1 : x->number > y->number;
}

void
imap_sorter_run(struct imap_sorter *s)
{
	if (s->n)
		qsort_r(s->v, s->n, sizeof(s->v[0]), compare, &s->bytes);
}
