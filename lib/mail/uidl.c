/* SPDX-License-Identifier: ISC */
#include "mail/uidl.h"

#include <errno.h>
#include <stdlib.h>

/* --- the format ----------------------------------------------------------- */

/* One variable of a format. */
struct variable {
	char what; /* u v f g % */
	bool zero, hex, lower, upper;
	unsigned width;
};

/* Behind the "%".  False: not one. */
static bool
next_variable(struct str *rest, struct variable *v)
{
	*v = (struct variable){ .what = '\0' };
	for (; rest->n; *rest = str_from(*rest, 1)) {
		char c = rest->p[0];

		if (c >= '0' && c <= '9') {
			if (c == '0' && v->width == 0)
				v->zero = true;
			v->width = v->width * 10 + (unsigned)(c - '0');
			if (v->width > UIDL_MAX)
				return false;
		} else if (c == 'X') {
			v->hex = true;
		} else if (c == 'L') {
			v->lower = true;
		} else if (c == 'U') {
			v->upper = true;
		} else {
			v->what = c;
			*rest = str_from(*rest, 1);
			return strchr("uvfg%", c) != NULL && c;
		}
	}
	return false;
}

int
uidl_format_check(struct str format, struct err *err)
{
	bool unique = false;
	struct variable v;
	struct str all = format, text;

	if (format.n > UIDL_FORMAT_MAX)
		return err_set(err, ERR_PERM, EINVAL, "too long");
	while (str_cut(&format, '%', &text)) {
		if (!next_variable(&format, &v))
			return err_set(err, ERR_PERM, EINVAL,
				       "%.*s: want %%u, %%v, %%f, %%g or %%%%",
				       STR_FMT(all));
		unique |= v.what == 'u' || v.what == 'f' || v.what == 'g';
	}
	if (!unique)
		return err_set(err, ERR_PERM, EINVAL,
			       "%.*s: without %%u or %%f all messages have "
			       "one name",
			       STR_FMT(all));
	return 0;
}

static void
put_variable(struct buf *out, const struct variable *v, const struct uidl_of *m)
{
	unsigned long n = v->what == 'u' ? m->uid : m->uidvalidity;
	size_t i;
	char c;

	if (v->what == '%') {
		(void)!buf_add_byte(out, '%');
	} else if (v->what == 'u' || v->what == 'v') {
		(void)!buf_addf(out,
				v->hex	  ? v->zero ? "%0*lx" : "%*lx"
				: v->zero ? "%0*lu"
					  : "%*lu",
				(int)v->width, n);
	} else {
		for (i = 0; i < m->base.n; i++) {
			c = m->base.p[i];
			c = v->lower   ? ascii_lower(c)
			    : v->upper ? ascii_upper(c)
				       : c;
			(void)!buf_add_byte(out, c);
		}
	}
}

/* RFC 1939 7: 1 to 70 characters from 0x21 to 0x7e. */
static bool
is_name(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0 && s.n <= UIDL_MAX;
}

void
uidl_format(struct buf *out, struct str format, const struct uidl_of *m)
{
	size_t before = out->n;
	struct variable v;
	struct str text;

	while (str_cut(&format, '%', &text)) {
		(void)!buf_add_str(out, text);
		if (!next_variable(&format, &v))
			break;
		put_variable(out, &v, m);
	}
	(void)!buf_add_str(out, format);
	if (is_name(str_from(buf_str(out), before)) || buf_overflown(out))
		return;
	out->n = before;
	(void)!buf_addf(out, "%08x%08x", m->uid, m->uidvalidity);
}

/* --- the list ------------------------------------------------------------- */

static bool
next_line(struct str *text, struct str *line)
{
	if (text->n == 0)
		return false;
	if (!str_cut(text, '\n', line)) {
		*line = *text;
		text->n = 0;
	}
	return true;
}

static bool
is_for(struct str line, uint32_t uidvalidity)
{
	struct str head = STR("posthouse.uidl 1 ");
	uint64_t v;

	return str_starts(line, head) &&
	       str_u64(str_from(line, head.n), UINT32_MAX, &v) == 0 &&
	       v == uidvalidity;
}

static bool
parse_row(struct str line, struct uidl_row *row)
{
	struct str number;
	uint64_t uid;

	if (!str_cut(&line, ' ', &number) ||
	    str_u64(number, UINT32_MAX, &uid) < 0 || !is_name(line))
		return false;
	*row = (struct uidl_row){ (uint32_t)uid, line };
	return true;
}

int
uidl_list_parse(struct uidl_list *l, struct str text, uint32_t uidvalidity,
		struct err *err)
{
	size_t size = 0;
	struct uidl_row row, *p;
	struct str line;

	*l = (struct uidl_list){ .n = 0 };
	if (!next_line(&text, &line) || !is_for(line, uidvalidity))
		return 0;
	while (next_line(&text, &line)) {
		/* Only what ascends: it is searched by halves. */
		if (!parse_row(line, &row) ||
		    (l->n && row.uid <= l->v[l->n - 1].uid))
			continue;
		if (l->n == size) {
			size = size ? 2 * size : 256;
			p = realloc(l->v, size * sizeof(*p));
			if (!p) {
				uidl_list_fini(l);
				return err_sys(err, ENOMEM, "posthouse.uidl");
			}
			l->v = p;
		}
		l->v[l->n++] = row;
	}
	return 0;
}

void
uidl_list_fini(struct uidl_list *l)
{
	free(l->v);
	*l = (struct uidl_list){ .n = 0 };
}

struct str
uidl_list_find(const struct uidl_list *l, uint32_t uid)
{
	size_t lo = 0, hi = l->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (l->v[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->n && l->v[lo].uid == uid ? l->v[lo].name : STR_NULL;
}
