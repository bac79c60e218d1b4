/* SPDX-License-Identifier: ISC */
/* Parameters in pieces: NAME*0="..."; NAME*1*=... (RFC 2231 3, 4.1). */
#include <stdlib.h>

#include "mail/imf_int.h"

struct piece {
	struct imf_param *param;
	struct str name; /* before the first "*" */
	uint64_t number;
	size_t order; /* as written */
	bool extended;
};

/* NAME*, NAME*0, NAME*0*; false: an ordinary parameter. */
static bool
is_piece(struct imf_param *p, struct piece *out)
{
	struct str rest = p->name;

	*out = (struct piece){ .param = p };
	if (!str_cut(&rest, '*', &out->name))
		return false;
	if (rest.n == 0) {
		out->extended = true;
		return true;
	}
	if (str_ends(rest, STR("*"))) {
		out->extended = true;
		rest.n--;
	}
	return str_u64(rest, IMF_PARAMS_MAX, &out->number) == 0;
}

static int
by_name_and_number(const void *va, const void *vb)
{
	const struct piece *a = va, *b = vb;
	int c = str_icmp(a->name, b->name);

	if (c)
		return c;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* What stands in a piece that is not extended says what it says. */
static void
add_escaped(struct buf *out, struct str s)
{
	static const char hex[] = "0123456789ABCDEF",
			  plain[] = "!#$&+-.^_`{|}~";
	size_t i;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		char l = ascii_lower((char)c);

		if ((l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') ||
		    (c && strchr(plain, c))) {
			buf_add_byte(out, (char)c);
			continue;
		}
		buf_add_byte(out, '%');
		buf_add_byte(out, hex[c >> 4]);
		buf_add_byte(out, hex[c & 15]);
	}
}

/* One parameter of n pieces, in the place of the first. */
static bool
join(struct pool *pool, const struct piece *v, size_t n)
{
	struct imf_param *p = v[0].param;
	bool extended = false, ok;
	struct str name, text;
	struct buf value;
	size_t i, room = 0;

	for (i = 0; i < n; i++) {
		extended |= v[i].extended;
		room += 3 * v[i].param->value.n;
	}
	buf_init(&value, room);
	for (i = 0; i < n; i++) {
		if (extended && !v[i].extended)
			add_escaped(&value, v[i].param->value);
		else
			buf_add_str(&value, v[i].param->value);
	}
	name = extended ? pool_strf(pool, "%.*s*", STR_FMT(v[0].name))
			: pool_str(pool, v[0].name);
	text = pool_str(pool, buf_str(&value));
	ok = !buf_overflown(&value) && name.p && text.p;
	buf_fini(&value);
	if (ok) {
		p->name = name;
		p->value = text;
	}
	return ok;
}

static size_t
count(const struct imf_param *p)
{
	size_t n = 0;

	for (; p; p = p->next)
		n++;
	return n;
}

/* How many pieces from v on have one name; *whole: 0, 1, 2... */
static size_t
run(const struct piece *v, size_t n, bool *whole)
{
	size_t i;

	*whole = true;
	for (i = 0; i < n && str_ieq(v[i].name, v[0].name); i++)
		*whole &= v[i].number == i;
	return i;
}

void
imf_join_params(struct pool *pool, struct imf_param **list)
{
	struct imf_param **tail = list, *p;
	size_t n = 0, i, k, same;
	struct piece *v;
	bool whole;

	v = pool_alloc(pool, count(*list) * sizeof(*v));
	if (!v)
		return;
	for (p = *list; p; p = p->next) {
		if (is_piece(p, &v[n])) {
			v[n].order = n;
			n++;
		} else {
			*tail = p;
			tail = &p->next;
		}
	}
	qsort(v, n, sizeof(*v), by_name_and_number);
	for (i = 0; i < n; i += same) {
		same = run(v + i, n - i, &whole);
		if (whole && join(pool, v + i, same)) {
			*tail = v[i].param;
			tail = &v[i].param->next;
			continue;
		}
		for (k = i; k < i + same; k++) {
			*tail = v[k].param;
			tail = &v[k].param->next;
		}
	}
	*tail = NULL;
}
