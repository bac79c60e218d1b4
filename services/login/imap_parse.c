/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "imap_parse.h"

/* --- where it ends ------------------------------------------------------- */

/* Does the line end with "{123}" or "{123+}"?  A number beyond all reason
 * becomes SIZE_MAX. */
static bool
literal_at_end(struct str line, size_t *n, bool *plus)
{
	ptrdiff_t open = str_rfind(line, '{');
	struct str digits;
	uint64_t v;
	size_t i;

	if (open < 0 || line.p[line.n - 1] != '}')
		return false;
	digits = str_mem(line.p + open + 1, line.n - (size_t)open - 2);
	*plus = digits.n && digits.p[digits.n - 1] == '+';
	if (*plus)
		digits.n--;
	if (digits.n == 0)
		return false;
	for (i = 0; i < digits.n; i++)
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
	*n = str_u64(digits, UINT32_MAX, &v) < 0 ? SIZE_MAX : (size_t)v;
	return true;
}

static bool
is_clean(struct str line)
{
	return str_find(line, '\r') < 0 && str_find(line, '\0') < 0;
}

enum imap_frame
imap_frame(struct str in, unsigned continued, size_t *used)
{
	struct str rest, line;
	size_t at = 0, n;
	ptrdiff_t lf;
	bool plus, literal;

	*used = 0;
	for (;;) {
		rest = str_from(in, at);
		lf = str_find(rest, '\n');
		if (lf < 0)
			return in.n >= IMAP_COMMAND_MAX ? IMAP_LOST : IMAP_MORE;
		at += (size_t)lf + 1;
		*used = at;
		if (at > IMAP_COMMAND_MAX)
			return IMAP_LOST;
		line = str_head(rest, (size_t)lf);
		if (line.n == 0 || line.p[line.n - 1] != '\r')
			return IMAP_BAD_LINE;
		line.n--;
		literal = literal_at_end(line, &n, &plus);
		if (!is_clean(line))
			return literal ? IMAP_LOST : IMAP_BAD_LINE;
		if (!literal)
			return IMAP_WHOLE;
		if (plus && (n > IMAP_COMMAND_MAX || n > IMAP_COMMAND_MAX - at))
			return IMAP_LOST;
		if (!plus && n > IMAP_LITERAL_MAX)
			return IMAP_REFUSE;
		if (!plus && n > IMAP_COMMAND_MAX - at)
			return IMAP_REFUSE;
		if (!plus && continued == 0)
			return IMAP_WAITS;
		if (!plus)
			continued--;
		at += n;
		if (at > in.n)
			return IMAP_MORE;
	}
}

/* --- what it says -------------------------------------------------------- */

static int
bad(struct err *err, const char *what)
{
	return err_set(err, ERR_PERM, EINVAL, "%s", what);
}

/* RFC 3501 9: ASTRING-CHAR */
static bool
is_atom_char(char c)
{
	return c > ' ' && c < 127 && !strchr("(){%*\"\\", c);
}

static struct str
take_atom(struct str *in)
{
	size_t i = 0;
	struct str s;

	while (i < in->n && is_atom_char(in->p[i]))
		i++;
	s = str_head(*in, i);
	*in = str_from(*in, i);
	return s;
}

static int
take_quoted(struct str *in, struct imap_command *c, struct str *s,
	    struct err *err)
{
	size_t i, start = c->ntext;

	for (i = 1; i < in->n && in->p[i] != '"'; i++) {
		if (in->p[i] == '\\' && ++i < in->n && in->p[i] != '\\' &&
		    in->p[i] != '"')
			return bad(err, "Bad escape in a quoted string.");
		if (i >= in->n || in->p[i] == '\r' || in->p[i] == '\n' ||
		    c->ntext == sizeof(c->text))
			break;
		c->text[c->ntext++] = in->p[i];
	}
	if (i >= in->n || in->p[i] != '"')
		return bad(err, "A quoted string does not end.");
	*s = str_mem(c->text + start, c->ntext - start);
	*in = str_from(*in, i + 1);
	return 0;
}

static int
take_literal(struct str *in, struct str *s, struct err *err)
{
	ptrdiff_t lf = str_find(*in, '\n');
	bool plus;
	size_t n;

	if (lf < 1 ||
	    !literal_at_end(str_head(*in, (size_t)lf - 1), &n, &plus) ||
	    n > in->n - (size_t)lf - 1)
		return bad(err, "Bad literal.");
	if (n > IMAP_LITERAL_MAX)
		return bad(err, "The literal is too long.");
	*s = str_head(str_from(*in, (size_t)lf + 1), n);
	*in = str_from(*in, (size_t)lf + 1 + n);
	if (str_find(*s, '\0') >= 0) /* RFC 3501 4.3 */
		return bad(err, "NUL in a literal.");
	return 0;
}

static int
take_arg(struct str *in, struct imap_command *c, struct imap_arg *a,
	 struct err *err)
{
	char first = in->p[0];

	a->kind = IMAP_STRING;
	a->s = STR("");
	if (first == '"')
		return take_quoted(in, c, &a->s, err);
	if (first == '{')
		return take_literal(in, &a->s, err);
	if (first == '(' || first == ')') {
		a->kind = first == '(' ? IMAP_OPEN : IMAP_CLOSE;
		a->s = str_head(*in, 1);
		*in = str_from(*in, 1);
		return 0;
	}
	a->kind = IMAP_ATOM;
	a->s = take_atom(in);
	return a->s.n ? 0 : bad(err, "Bad character in the command.");
}

static bool
at_end(struct str in)
{
	return str_eq(in, STR("\r\n"));
}

static int
take_args(struct str *in, struct imap_command *c, struct err *err)
{
	bool open = false, need_space = true;
	struct imap_arg *a;

	while (!at_end(*in)) {
		if (c->nargs == IMAP_ARGS_MAX)
			return bad(err, "Too many arguments.");
		if (in->n && in->p[0] == ')')
			need_space = false;
		if (need_space) {
			if (in->n == 0 || in->p[0] != ' ')
				return bad(err, "Arguments are separated by "
						"one space.");
			*in = str_from(*in, 1);
		}
		if (in->n == 0)
			return bad(err, "The command does not end.");
		a = &c->arg[c->nargs++];
		if (take_arg(in, c, a, err) < 0)
			return -1;
		need_space = a->kind != IMAP_OPEN;
		if (open ? a->kind == IMAP_OPEN : a->kind == IMAP_CLOSE)
			return bad(err, "Bad parentheses.");
		if (a->kind == IMAP_OPEN || a->kind == IMAP_CLOSE)
			open = a->kind == IMAP_OPEN;
	}
	return open ? bad(err, "Bad parentheses.") : 0;
}

int
imap_command_parse(struct str frame, struct imap_command *c, struct err *err)
{
	struct str in = frame, tag;

	c->tag = c->name = STR("");
	c->nargs = c->ntext = 0;
	tag = take_atom(&in);
	if (tag.n == 0 || tag.n > IMAP_TAG_MAX || str_find(tag, '+') >= 0 ||
	    in.n == 0 || in.p[0] != ' ')
		return bad(err, "There is no tag.");
	c->tag = tag;
	in = str_from(in, 1);
	c->name = take_atom(&in);
	if (c->name.n == 0)
		return bad(err, "There is no command.");
	return take_args(&in, c, err);
}
