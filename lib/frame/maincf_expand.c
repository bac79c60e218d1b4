/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "frame/maincf.h"

struct expansion {
	maincf_lookup *lookup;
	void *arg;
	struct buf *out;
	struct err *err;
	unsigned depth;
};

static int expand(struct expansion *x, struct str raw);

static int
malformed(struct expansion *x, struct str at, const char *want)
{
	at = str_head(at, 60);
	return err_set(x->err, ERR_PERM, EINVAL, "\"%.*s\": %s", STR_FMT(at),
		       want);
}

/* A bare $name ends where its name does; "-" is for ${} only. */
static size_t
name_length(struct str s, bool bare)
{
	size_t n = 0;

	while (n < s.n && maincf_name_byte(s.p[n]) && !(bare && s.p[n] == '-'))
		n++;
	return n;
}

/* With s[0] == '(' or '{': the index behind what closes it, or 0. */
static size_t
closing(struct str s)
{
	char open = s.p[0], close = open == '(' ? ')' : '}';
	size_t i, depth = 0;

	for (i = 0; i < s.n; i++) {
		depth += s.p[i] == open;
		if (s.p[i] == close && --depth == 0)
			return i + 1;
	}
	return 0;
}

static int
put_value(struct expansion *x, struct str name)
{
	struct str value;
	int known = x->lookup(x->arg, name, &value);

	if (known > 0)
		return buf_add_str(x->out, value);
	name = str_head(name, MAINCF_NAME_MAX);
	err_set(x->err, ERR_PERM, ENOENT, "$%.*s: no parameter has this name",
		STR_FMT(name));
	if (known < 0)
		x->err->text[0] = '\0';
	return -1;
}

static struct str
skip_blanks(struct str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = str_from(s, 1);
	return s;
}

/* Cut one branch off *s: "{text}" with blanks around and inside dropped, or
 * else all that is left. */
static int
cut_branch(struct expansion *x, struct str *s, struct str *text)
{
	struct str at = skip_blanks(*s);
	size_t end;

	if (at.n == 0 || at.p[0] != '{') {
		*text = *s;
		*s = str_from(*s, s->n);
		return 0;
	}
	end = maincf_braces(at);
	if (end == 0)
		return malformed(x, at, "the \"}\" is missing");
	*text = str_head(str_from(at, 1), end - 2);
	*text = str_trim(*text);
	*s = skip_blanks(str_from(at, end));
	return 0;
}

/* "?text", ":text", "?{a}:{b}" */
static int
expand_condition(struct expansion *x, struct str name, struct str rest)
{
	struct str yes = STR(""), no = STR(""), value, whole = rest;
	int known = x->lookup(x->arg, name, &value);

	if (known < 0) {
		err_set(x->err, ERR_PERM, ENOENT, "$");
		x->err->text[0] = '\0';
		return -1;
	}
	if (rest.p[0] == '?') {
		rest = str_from(rest, 1);
		if (cut_branch(x, &rest, &yes) < 0)
			return -1;
	}
	if (rest.n && rest.p[0] == ':') {
		rest = str_from(rest, 1);
		if (cut_branch(x, &rest, &no) < 0)
			return -1;
	}
	if (rest.n)
		return malformed(x, whole,
				 "want ${name?{text}:{text}} and nothing more");
	return expand(x, known > 0 && value.n ? yes : no);
}

/* What stands between ${ and }. */
static int
expand_body(struct expansion *x, struct str body)
{
	size_t n = name_length(body, false);
	struct str name = str_head(body, n), rest = str_from(body, n);

	if (n > 0 && rest.n == 0)
		return put_value(x, name);
	if (n > 0 && (rest.p[0] == '?' || rest.p[0] == ':'))
		return expand_condition(x, name, rest);
	return malformed(x, body,
			 "want ${name}, ${name?text}, ${name:text} or "
			 "${name?{text}:{text}}");
}

/* raw begins with "$"; cut it and what belongs to it. */
static int
expand_dollar(struct expansion *x, struct str *raw)
{
	struct str at = str_from(*raw, 1);
	size_t n;

	if (at.n && at.p[0] == '$') {
		*raw = str_from(at, 1);
		return buf_add_byte(x->out, '$');
	}
	if (at.n && (at.p[0] == '{' || at.p[0] == '(')) {
		n = closing(at);
		if (n == 0)
			return malformed(x, *raw,
					 "the closing bracket is missing");
		*raw = str_from(at, n);
		return expand_body(x, str_head(str_from(at, 1), n - 2));
	}
	n = name_length(at, true);
	if (n == 0)
		return malformed(x, *raw,
				 "want a name behind the \"$\", or \"$$\" for "
				 "the character itself");
	*raw = str_from(at, n);
	return put_value(x, str_head(at, n));
}

static int
expand(struct expansion *x, struct str raw)
{
	int rc = 0;

	if (x->depth == MAINCF_DEPTH_MAX)
		return malformed(x, raw, "${} too deep inside ${}");
	x->depth++;
	while (rc == 0 && raw.n) {
		ptrdiff_t at = str_find(raw, '$');
		size_t n = at < 0 ? raw.n : (size_t)at;

		rc = buf_add_str(x->out, str_head(raw, n));
		raw = str_from(raw, n);
		if (rc == 0 && raw.n)
			rc = expand_dollar(x, &raw);
	}
	x->depth--;
	return rc;
}

int
maincf_expand(struct str raw, maincf_lookup *lookup, void *arg, struct buf *out,
	      struct err *err)
{
	struct expansion x = { lookup, arg, out, err, 0 };

	if (expand(&x, raw) == 0)
		return 0;
	if (buf_overflown(out))
		err_set(err, ERR_PERM, EFBIG,
			"the value gets longer than %zu bytes", out->limit);
	return -1;
}

bool
maincf_reference(struct str *raw, struct str *name)
{
	ptrdiff_t at;

	while ((at = str_find(*raw, '$')) >= 0) {
		bool bare = true;

		*raw = str_from(*raw, (size_t)at + 1);
		if (raw->n && raw->p[0] == '$') {
			*raw = str_from(*raw, 1);
			continue;
		}
		if (raw->n && (raw->p[0] == '{' || raw->p[0] == '(')) {
			*raw = str_from(*raw, 1);
			bare = false;
		}
		*name = str_head(*raw, name_length(*raw, bare));
		*raw = str_from(*raw, name->n);
		if (name->n)
			return true;
	}
	return false;
}
