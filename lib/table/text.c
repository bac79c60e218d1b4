/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "table/text.h"

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct str
trim(struct str s)
{
	while (s.n && is_blank(s.p[0]))
		s = str_from(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

void
text_init(struct text_walk *w, struct str text)
{
	*w = (struct text_walk){ .rest = text };
	buf_init(&w->text, TEXT_LINE_MAX);
	buf_init(&w->key, TEXT_LINE_MAX);
}

void
text_fini(struct text_walk *w)
{
	buf_fini(&w->text);
	buf_fini(&w->key);
}

/* One physical line without its LF. */
static struct str
eat_line(struct text_walk *w)
{
	struct str line;

	if (!str_cut(&w->rest, '\n', &line)) {
		line = w->rest;
		w->rest = str_from(w->rest, w->rest.n);
	}
	w->line++;
	return line;
}

/* Does the next physical line belong to the logical line begun? */
static bool
goes_on(const struct text_walk *w)
{
	return w->rest.n && (w->rest.p[0] == '#' || is_blank(w->rest.p[0]));
}

int
text_line(struct text_walk *w, struct str *line, struct err *err)
{
	struct str part, seen;

	buf_reset(&w->text);
	while (w->rest.n) {
		part = eat_line(w);
		seen = trim(part);
		if (seen.n && seen.p[0] != '#')
			(void)!buf_add_str(&w->text, part);
		if ((w->text.n || buf_overflown(&w->text)) && !goes_on(w))
			break;
	}
	*line = buf_str(&w->text);
	if (buf_overflown(&w->text))
		return err_set(err, ERR_PERM, E2BIG,
			       "logical line of more than %d bytes",
			       TEXT_LINE_MAX);
	if (str_find(*line, '\0') >= 0)
		return err_set(err, ERR_PERM, EINVAL, "NUL byte in the line");
	if (line->n && is_blank(line->p[0]))
		return err_set(err, ERR_PERM, EINVAL,
			       "logical line must not start with whitespace");
	return line->n != 0;
}

/* Length of the text up to the first byte that ends() likes outside quotes;
 * s.n + 1 if a quote is left open. */
static size_t
unquoted_span(struct str s, bool (*ends)(char c))
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && ends(s.p[i]))
			return i;
	}
	return quoted ? s.n + 1 : s.n;
}

int
text_pair(struct str line, struct str *key, struct str *value, struct err *err)
{
	size_t n = unquoted_span(line, is_blank);

	if (n > line.n)
		return err_set(err, ERR_PERM, EINVAL, "unbalanced '\"'");
	*key = str_head(line, n);
	*value = trim(str_from(line, n));
	if (key->n == 0 || value->n == 0)
		return err_set(err, ERR_PERM, EINVAL,
			       "expected format: key whitespace value");
	return 0;
}

static bool
is_colon(char c)
{
	return c == ':';
}

/* The name of an alias without quotes and backslashes (an alias is a local
 * part, in its internal form). */
static int
unquote(struct buf *out, struct str s)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (!quoted && (is_blank(s.p[i]) || s.p[i] == ',' ||
				     s.p[i] == '@' || s.p[i] == '%'))
			return -1;
		if (buf_add_byte(out, s.p[i]) < 0)
			return -1;
	}
	return 0;
}

static int
alias_pair(struct text_walk *w, struct str line, struct text_row *row,
	   struct err *err)
{
	size_t n = unquoted_span(line, is_colon);

	if (n >= line.n)
		return err_set(err, ERR_PERM, EINVAL, "need name:value pair");
	row->value = trim(str_from(line, n + 1));
	if (unquote(&w->key, trim(str_head(line, n))) < 0)
		return err_set(err, ERR_PERM, EINVAL, "name must be local");
	if (w->key.n == 0 || row->value.n == 0)
		return err_set(err, ERR_PERM, EINVAL, "need name:value pair");
	return 0;
}

int
text_row(struct text_walk *w, enum text_form form, struct text_row *row,
	 struct err *err)
{
	struct str line, key;
	size_t i;
	int rc;

	*row = (struct text_row){ .line = 0 };
	rc = text_line(w, &line, err);
	row->line = w->line;
	if (rc <= 0)
		return rc;
	buf_reset(&w->key);
	if (form == TEXT_ALIASES) {
		if (alias_pair(w, line, row, err) < 0)
			return -1;
	} else {
		if (text_pair(line, &key, &row->value, err) < 0)
			return -1;
		if (buf_add_str(&w->key, key) < 0)
			return err_set(err, ERR_TEMP, ENOMEM, "out of memory");
	}
	for (i = 0; i < w->key.n; i++)
		w->key.p[i] = ascii_lower(w->key.p[i]);
	row->key = buf_str(&w->key);
	return 1;
}
