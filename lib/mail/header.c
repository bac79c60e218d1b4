/* SPDX-License-Identifier: ISC */
#include "mail/header.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

enum kind { NO_FIELD, FIELD, UNDECIDED };

/*
 * Does the line begin with "name:" (blanks before the colon are obsolete but
 * seen: RFC 5322 4.5)?  *n is the length of the name, *colon the offset behind
 * it.  The answer does not depend on how much of the line is there, once it is
 * not UNDECIDED.
 */
static enum kind
field_kind(struct str line, bool complete, size_t *n, size_t *colon)
{
	struct str s = str_head(line, HEADER_NAME_MAX + 1);
	size_t i = 0;

	while (i < s.n && s.p[i] > ' ' && s.p[i] < 127 && s.p[i] != ':')
		i++;
	*n = i;
	while (i < s.n && is_blank(s.p[i]))
		i++;
	*colon = i;
	if (i < s.n)
		return *n && s.p[i] == ':' ? FIELD : NO_FIELD;
	return complete || i > HEADER_NAME_MAX ? NO_FIELD : UNDECIDED;
}

/* The line at the start of s with its LF, or all of s. */
static struct str
first_line(struct str s)
{
	ptrdiff_t lf = str_find(s, '\n');

	return lf < 0 ? s : str_head(s, (size_t)lf + 1);
}

bool
header_next(struct str *rest, struct header_field *f)
{
	struct str line = first_line(*rest);
	size_t colon, n, end = line.n;

	if (field_kind(line, true, &n, &colon) != FIELD)
		return false;
	while (end < rest->n && is_blank(rest->p[end]))
		end += first_line(str_from(*rest, end)).n;
	f->whole = str_head(*rest, end);
	f->name = str_head(*rest, n);
	f->value = str_from(f->whole, colon + 1);
	if (str_ends(f->value, STR("\n")))
		f->value.n--;
	*rest = str_from(*rest, end);
	return true;
}

bool
header_find(struct str block, struct str name, struct header_field *f)
{
	while (header_next(&block, f))
		if (str_ieq(f->name, name))
			return true;
	return false;
}

struct str
header_value_line(const struct header_field *f)
{
	struct str s = str_trim(f->value);
	ptrdiff_t lf = str_find(s, '\n');

	return lf < 0 ? s : str_trim(str_head(s, (size_t)lf));
}

void
header_scan_init(struct header_scan *h, size_t field_max, size_t block_max)
{
	*h = (struct header_scan){ .field_max = field_max,
				   .block_max = block_max };
}

/* The Message-ID's value, on the field's line or (folded) on a later one. */
static void
note_id(struct header_scan *h, struct str text, struct str value)
{
	value = str_trim(value);
	if (value.n == 0)
		return;
	h->id_at = (size_t)(value.p - text.p);
	h->id_n = value.n;
	h->id_open = false;
}

static void
note_field(struct header_scan *h, struct str text, struct str line)
{
	struct header_field f;
	struct str rest = line;

	if (!header_next(&rest, &f))
		return;
	h->fields++;
	if (str_ieq(f.name, STR("Received")))
		h->received++;
	h->id_open = h->id_n == 0 && str_ieq(f.name, STR("Message-ID"));
	if (h->id_open)
		note_id(h, text, f.value);
}

enum header_result
header_scan(struct header_scan *h, struct str text, bool last)
{
	struct str line;
	size_t n, colon, from;
	bool complete;

	for (;;) {
		line = first_line(str_from(text, h->at));
		complete = last || str_ends(line, STR("\n"));
		if (line.n == 0)
			return last ? HEADER_DONE : HEADER_MORE;
		if (line.p[0] == '\n')
			return HEADER_DONE;
		from = h->at;
		if (is_blank(line.p[0]) && h->fields)
			from = h->field;
		else
			switch (field_kind(line, complete, &n, &colon)) {
			case NO_FIELD:
				return HEADER_NO_BLANK;
			case UNDECIDED:
				return HEADER_MORE;
			case FIELD:
				break;
			}
		if (h->at + line.n > h->block_max ||
		    h->at + line.n - from > h->field_max)
			return HEADER_TOO_LONG;
		if (!complete)
			return HEADER_MORE;
		h->field = from;
		if (from == h->at)
			note_field(h, text, line);
		else if (h->id_open)
			note_id(h, text, line);
		h->at += line.n;
	}
}
