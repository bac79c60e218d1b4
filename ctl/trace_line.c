/* SPDX-License-Identifier: ISC */
#include "trace_line.h"

bool
trace_is_id(struct str s)
{
	size_t i = 0;

	while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') ||
			   (s.p[i] >= 'A' && s.p[i] <= 'F')))
		i++;
	return i == s.n && i >= TRACE_ID_MIN && i <= TRACE_ID_MAX;
}

/* --- JSON ----------------------------------------------------------------- */

/* The string member of this name, decoded behind what mem holds. */
static bool
json_member(struct str line, struct str name, struct buf *mem, struct str *v)
{
	ptrdiff_t at = str_search(line, name);
	size_t begin = mem->n, i;

	*v = STR_NULL;
	if (at < 0)
		return false;
	line = str_from(line, (size_t)at + name.n);
	for (i = 0; i < line.n && line.p[i] != '"'; i++) {
		if (line.p[i] == '\\' && i + 1 < line.n)
			i++;
		if (buf_add_byte(mem, line.p[i]) < 0)
			return false;
	}
	*v = str_mem(mem->p + begin, mem->n - begin);
	return i < line.n;
}

static bool
parse_json(struct str line, struct buf *mem, struct trace_line *t)
{
	buf_reset(mem);
	/* So that slices stay where they are. */
	if (!buf_reserve(mem, 4 * line.n + 1))
		return false;
	(void)json_member(line, STR("\"queue_id\":\""), mem, &t->id);
	return json_member(line, STR("\"time\":\""), mem, &t->time) &&
	       json_member(line, STR("\"program\":\""), mem, &t->program) &&
	       json_member(line, STR("\"message\":\""), mem, &t->text);
}

/* --- text ----------------------------------------------------------------- */

static void
cut_id(struct trace_line *t)
{
	size_t n = 0;

	while (n < t->text.n && n <= TRACE_ID_MAX && t->text.p[n] != ':')
		n++;
	if (n + 1 < t->text.n && t->text.p[n] == ':' &&
	    t->text.p[n + 1] == ' ' && trace_is_id(str_head(t->text, n))) {
		t->id = str_head(t->text, n);
		t->text = str_from(t->text, n + 2);
	}
}

bool
trace_line_parse(struct str line, struct buf *mem, struct trace_line *t)
{
	ptrdiff_t end, at;
	struct str head;

	*t = (struct trace_line){ 0 };
	if (line.n > TRACE_LINE_MAX)
		return false;
	if (str_starts(line, STR("{\"time\":")))
		return parse_json(line, mem, t);
	end = str_search(line, STR("]: "));
	if (end < 0)
		return false;
	t->text = str_from(line, (size_t)end + 3);
	head = str_head(line, (size_t)end);
	at = str_rfind(head, '[');
	if (at < 0)
		return false;
	head = str_head(head, (size_t)at);
	at = str_rfind(head, ' ');
	if (at <= 0)
		return false;
	t->program = str_from(head, (size_t)at + 1);
	head = str_head(head, (size_t)at);
	at = str_rfind(t->program, '/');
	t->program = str_from(t->program, (size_t)(at + 1));
	at = str_rfind(head, ' '); /* the host */
	if (at <= 0)
		return false;
	t->time = str_trim(str_head(head, (size_t)at));
	cut_id(t);
	return true;
}

/* --- what a line says ----------------------------------------------------- */

bool
trace_value(struct str text, const char *name, struct str *value)
{
	struct str n = str_of(name), rest = text;
	ptrdiff_t at;
	size_t i;

	for (;;) {
		at = str_search(rest, n);
		if (at < 0)
			return false;
		i = (size_t)(rest.p - text.p) + (size_t)at;
		rest = str_from(rest, (size_t)at + n.n);
		/* A text in parentheses says what it likes. */
		if (memchr(text.p, '(', i))
			return false;
		if ((i == 0 || text.p[i - 1] == ' ') && rest.n &&
		    rest.p[0] == '=')
			break;
	}
	rest = str_from(rest, 1);
	if (str_starts(rest, STR("<"))) {
		at = str_find(rest, '>');
		if (at < 0)
			return false;
		*value = str_from(str_head(rest, (size_t)at), 1);
		return true;
	}
	for (i = 0; i < rest.n && rest.p[i] != ',' && rest.p[i] != ' '; i++)
		;
	*value = str_head(rest, i);
	return true;
}

struct str
trace_reason(struct str text)
{
	ptrdiff_t at = str_find(text, '('), end = str_rfind(text, ')');

	if (at < 0 || end < at)
		return STR_NULL;
	return str_from(str_head(text, (size_t)end), (size_t)at + 1);
}

bool
trace_report(struct str text, struct str *id)
{
	static const struct str mark = { "notification: ", 14 };
	ptrdiff_t at = str_search(text, mark);

	if (at < 0)
		return false;
	*id = str_trim(str_from(text, (size_t)at + mark.n));
	return trace_is_id(*id);
}
