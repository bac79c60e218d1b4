/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "frame/maincf.h"

bool
maincf_name_byte(char c)
{
	char l = ascii_lower(c);

	return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '-';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cut the next physical line, with its LF if it has one. */
static bool
next_line(struct str *in, struct str *line)
{
	ptrdiff_t lf;

	if (in->n == 0)
		return false;
	lf = str_find(*in, '\n');
	*line = lf < 0 ? *in : str_head(*in, (size_t)lf + 1);
	*in = str_from(*in, line->n);
	return true;
}

enum phys_kind {
	PHYS_VOID,  /* blank or comment; does not end a logical line */
	PHYS_START, /* of a logical line */
	PHYS_MORE,  /* continuation */
};

static enum phys_kind
phys_kind(struct str line)
{
	struct str text = str_trim(line);

	if (text.n == 0 || text.p[0] == '#')
		return PHYS_VOID;
	return is_blank(line.p[0]) ? PHYS_MORE : PHYS_START;
}

struct parser {
	struct pool *pool;
	struct maincf *out;
	maincf_problem_cb *problem;
	void *arg;
	struct buf logical;
	unsigned first; /* physical line it began on; 0: none */
	bool spoilt;	/* it has a bad byte, reported already */
	bool full;
};

static void report(struct parser *p, unsigned line, bool warning,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void
report(struct parser *p, unsigned line, bool warning, const char *fmt, ...)
{
	char text[sizeof(((struct err *)0)->text)];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->problem(p->arg, line, warning, text);
}

static bool
name_is_good(struct str name)
{
	size_t i;

	for (i = 0; i < name.n; i++)
		if (!maincf_name_byte(name.p[i]))
			return false;
	return name.n > 0 && name.n <= MAINCF_NAME_MAX;
}

/* A frequent mistake: "name = value  # remark" makes the remark a part of the
 * value. */
static bool
has_remark(struct str value)
{
	size_t i;

	for (i = 1; i < value.n; i++)
		if (value.p[i] == '#' && is_blank(value.p[i - 1]))
			return true;
	return false;
}

static void
add_assignment(struct parser *p, struct str name, struct str value)
{
	struct maincf_line *l = &p->out->v[p->out->n];

	if (p->out->n == MAINCF_LINES_MAX) {
		if (!p->full)
			report(p, p->first, false,
			       "more than %d parameters are set",
			       MAINCF_LINES_MAX);
		p->full = true;
		return;
	}
	l->name = pool_str(p->pool, name);
	l->value = pool_str(p->pool, value);
	l->number = p->first;
	if (!l->name.p || !l->value.p) {
		report(p, p->first, false, "out of memory");
		return;
	}
	p->out->n++;
	if (has_remark(value))
		report(p, p->first, true,
		       "the \"#\" in the value of %.*s begins no comment: "
		       "comments stand on lines of their own",
		       STR_FMT(name));
}

/* The logical line is complete. */
static void
flush_logical(struct parser *p)
{
	struct str text = str_trim(buf_str(&p->logical)), name, value = text;

	if (!p->first)
		return;
	if (p->spoilt) {
		/* left out as a whole */
	} else if (buf_overflown(&p->logical)) {
		report(p, p->first, false, "more than %d bytes in one line",
		       MAINCF_VALUE_MAX);
	} else if (!str_cut(&value, '=', &name)) {
		text = str_head(text, 60);
		report(p, p->first, false,
		       "\"%.*s\": the \"=\" is missing, want NAME = VALUE",
		       STR_FMT(text));
	} else if (!name_is_good(name = str_trim(name))) {
		name = str_head(name, 60);
		report(p, p->first, false,
		       "\"%.*s\" is no name: want letters, digits and \"_\" "
		       "before the \"=\"",
		       STR_FMT(name));
	} else {
		add_assignment(p, name, str_trim(value));
	}
	buf_reset(&p->logical);
	p->first = 0;
	p->spoilt = false;
}

/* False: the line has a byte that no line may have. */
static bool
bytes_are_good(struct parser *p, struct str line, unsigned number)
{
	size_t i, n = line.n;

	if (n && line.p[n - 1] == '\n')
		n--;
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if (c == '\r' && i == n - 1) {
			report(p, number, false,
			       "the line ends in CR LF, want LF alone");
			return false;
		}
		if ((c < ' ' && c != '\t') || c == 0x7f) {
			report(p, number, false,
			       "control character 0x%02x, want plain text", c);
			return false;
		}
	}
	return true;
}

static void
parse_line(struct parser *p, struct str line, unsigned number)
{
	enum phys_kind kind = phys_kind(line);

	bool good = bytes_are_good(p, line, number);

	if (kind == PHYS_VOID)
		return;
	if (line.p[line.n - 1] == '\n')
		line.n--;
	if (kind == PHYS_START) {
		flush_logical(p);
		p->first = number;
	} else if (!p->first) {
		report(p, number, false,
		       "a continuation (it begins with a blank) of nothing: "
		       "a name stands at the very beginning of its line");
		return;
	}
	p->spoilt |= !good;
	(void)buf_add_str(&p->logical, line); /* overflow is seen at its end */
}

void
maincf_parse(struct str text, struct pool *pool, struct maincf *out,
	     maincf_problem_cb *problem, void *arg)
{
	struct parser p = {
		.pool = pool, .out = out, .problem = problem, .arg = arg
	};
	unsigned number = 0;
	struct str line, in = text;
	size_t most = 0;

	*out = (struct maincf){ 0 };
	if (text.n > MAINCF_MAX) {
		report(&p, 0, false, "more than %d bytes", MAINCF_MAX);
		return;
	}
	while (next_line(&in, &line))
		most += phys_kind(line) == PHYS_START;
	if (most > MAINCF_LINES_MAX)
		most = MAINCF_LINES_MAX;
	out->v = pool_alloc(pool, (most + 1) * sizeof(*out->v));
	if (!out->v) {
		report(&p, 0, false, "out of memory");
		return;
	}
	buf_init(&p.logical, MAINCF_VALUE_MAX);
	in = text;
	while (next_line(&in, &line))
		parse_line(&p, line, ++number);
	flush_logical(&p);
	buf_fini(&p.logical);
}

/* Does a logical line that sets name begin here? */
static bool
line_sets(struct str line, struct str name)
{
	struct str before;

	return phys_kind(line) == PHYS_START && str_cut(&line, '=', &before) &&
	       str_eq(str_trim(before), name);
}

static int
add_setting(struct buf *out, struct str name, struct str value)
{
	if (out->n && out->p[out->n - 1] != '\n' && buf_add_byte(out, '\n') < 0)
		return -1;
	if (value.n == 0)
		return buf_addf(out, "%.*s =\n", STR_FMT(name));
	return buf_addf(out, "%.*s = %.*s\n", STR_FMT(name), STR_FMT(value));
}

int
maincf_edit(struct str text, struct str name, struct str value, struct buf *out,
	    struct err *err)
{
	struct str in = text, line;
	size_t sets = 0, seen = 0, i;
	bool ours = false;

	value = str_trim(value);
	if (!name_is_good(name))
		return err_set(err, ERR_PERM, EINVAL,
			       "\"%.*s\" is no name: want NAME=VALUE",
			       STR_FMT(name));
	for (i = 0; i < value.n; i++)
		if (value.p[i] == '\n' || value.p[i] == '\r' || !value.p[i])
			return err_set(err, ERR_PERM, EINVAL,
				       "%.*s: the value has more than one line",
				       STR_FMT(name));
	while (next_line(&in, &line))
		sets += line_sets(line, name);
	in = text;
	while (next_line(&in, &line)) {
		if (phys_kind(line) == PHYS_START)
			ours = line_sets(line, name);
		if (ours && phys_kind(line) == PHYS_START && ++seen == sets)
			(void)add_setting(out, name, value);
		if (!ours || phys_kind(line) == PHYS_VOID)
			(void)buf_add_str(out, line);
	}
	if (sets == 0)
		(void)add_setting(out, name, value);
	if (buf_overflown(out))
		return err_set(err, ERR_PERM, EFBIG,
			       "main.cf would be too long");
	return 0;
}

size_t
maincf_braces(struct str s)
{
	size_t i, depth = 0;

	for (i = 0; i < s.n; i++) {
		depth += s.p[i] == '{';
		if (s.p[i] == '}' && --depth == 0)
			return i + 1;
	}
	return 0;
}

bool
maincf_map_item(struct str *list, struct str *item)
{
	size_t i = 0, skip;

	while (list->n && (is_blank(list->p[0]) || list->p[0] == ','))
		*list = str_from(*list, 1);
	if (list->n == 0)
		return false;
	while (i < list->n && !is_blank(list->p[i]) && list->p[i] != ',') {
		skip = list->p[i] == '{' ? maincf_braces(str_from(*list, i))
					 : 0;
		i += skip ? skip : 1;
	}
	*item = str_head(*list, i);
	*list = str_from(*list, i);
	return true;
}
