/* SPDX-License-Identifier: ISC */
#include "mail/header.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Length of the field name if the line begins with "name:" (blanks before the
 * colon are obsolete but seen: RFC 5322 4.5), *colon its offset; 0 if not. */
static size_t
name_len(struct str line, size_t *colon)
{
	size_t n = 0, i;

	while (n < line.n && line.p[n] > ' ' && line.p[n] < 127 &&
	       line.p[n] != ':')
		n++;
	for (i = n; i < line.n && is_blank(line.p[i]); i++)
		;
	*colon = i;
	return i < line.n && line.p[i] == ':' ? n : 0;
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
	size_t colon, n = name_len(line, &colon), end = line.n;

	if (n == 0)
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
	struct str rest, line;
	size_t colon, from;
	bool whole;

	for (;;) {
		rest = str_from(text, h->at);
		line = first_line(rest);
		whole = str_ends(line, STR("\n"));
		if (h->at + line.n > h->block_max)
			return line.n == 1 && whole ? HEADER_DONE
						    : HEADER_TOO_LONG;
		from = line.n && is_blank(line.p[0]) ? h->field : h->at;
		if (line.n == 0 || (!whole && !last)) {
			if (h->at + line.n - from > h->field_max)
				return HEADER_TOO_LONG;
			return last ? HEADER_DONE : HEADER_MORE;
		}
		if (line.p[0] == '\n')
			return HEADER_DONE;
		if (is_blank(line.p[0]) && h->fields) {
			if (h->id_open)
				note_id(h, text, line);
		} else if (name_len(line, &colon)) {
			h->field = h->at;
			note_field(h, text, line);
		} else {
			return HEADER_NO_BLANK;
		}
		if (h->at + line.n - h->field > h->field_max)
			return HEADER_TOO_LONG;
		h->at += line.n;
	}
}
