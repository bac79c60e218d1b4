/* SPDX-License-Identifier: ISC */
#include "mail/imf_int.h"
#include "mail/imf_lex.h"

/* --- fields ----------------------------------------------------------------
 */

/* The line at p with its line end; all that is left if it has none. */
static size_t
line_length(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return (size_t)((lf ? lf + 1 : end) - p);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* What of s, from its start, a name may hold, but the colon. */
static size_t
name_length(struct str s)
{
	size_t i = 0;

	while (i < s.n && (unsigned char)s.p[i] - 0x21u <= 0x7eu - 0x21u &&
	       s.p[i] != ':')
		i++;
	return i;
}

/* The colon behind the name at the start of a field; NULL: there is none. */
static const char *
read_name(struct str field, struct str *name)
{
	size_t n = name_length(field);
	const char *colon;

	if (n && n < field.n && field.p[n] == ':') {
		*name = str_head(field, n);
		return field.p + n;
	}
	/* A fold of nothing, at the start, is no field. */
	colon = is_blank(*field.p) ? NULL : memchr(field.p, ':', field.n);
	if (!colon)
		return NULL;
	/* Blanks before the colon are not in it (RFC 5322 4.5). */
	*name = str_trim(str_head(field, (size_t)(colon - field.p)));
	return name->n && name_length(*name) == name->n ? colon : NULL;
}

bool
imf_next(struct str *rest, struct imf_field *f)
{
	const char *p = rest->p, *end = p + rest->n, *start, *colon;
	size_t n;

	for (; p < end; p = start + n) {
		start = p;
		n = line_length(p, end);
		if (*p == '\n' || (*p == '\r' && n == 2 && p[1] == '\n'))
			break;
		while (start + n < end && is_blank(start[n]))
			n += line_length(start + n, end);
		f->whole = str_mem(start, n);
		colon = read_name(f->whole, &f->name);
		if (!colon)
			continue;
		f->value = str_from(f->whole, (size_t)(colon + 1 - start));
		if (str_ends(f->value, STR("\n")))
			f->value.n--;
		if (str_ends(f->value, STR("\r")))
			f->value.n--;
		*rest = str_mem(start + n, (size_t)(end - start) - n);
		return true;
	}
	*rest = str_mem(p, (size_t)(end - p));
	return false;
}

/* What of value fits into to[value.n]: all but the line ends. */
static size_t
unfold(char *to, struct str value)
{
	struct str line;
	size_t n = 0;

	while (str_cut(&value, '\n', &line)) {
		if (str_ends(line, STR("\r")))
			line.n--;
		memcpy(to + n, line.p, line.n);
		n += line.n;
	}
	memcpy(to + n, value.p, value.n);
	return n + value.n;
}

void
imf_unfold(struct buf *out, struct str value)
{
	char *to;

	value = str_trim(value);
	to = value.n ? buf_reserve(out, value.n) : NULL;
	if (to)
		out->n += unfold(to, value);
}

struct str
imf_unfold_pool(struct pool *pool, struct str value)
{
	char *to;

	value = str_trim(value);
	if (str_find(value, '\n') < 0)
		return pool_str(pool, value);
	to = pool_alloc(pool, value.n + 1);
	return to ? str_mem(to, unfold(to, value)) : STR_NULL;
}

/* --- Content-Type and its like ---------------------------------------------
 */

/*
 * One parameter; *out NULL: nothing that can be understood up to the next ";".
 * False: the list is at its end.
 */
static bool
read_param(struct imf_lexer *x, struct pool *pool, struct imf_param **out)
{
	enum imf_token_kind t = imf_lex_no_comment(x);
	struct str name, value = STR("");

	*out = NULL;
	if (t == IMF_END)
		return false;
	if (t == IMF_SPECIAL)
		return true; /* a ";" too many, or no name before "=" */
	name = pool_str(pool, x->word);
	t = imf_lex_no_comment(x);
	if (t == IMF_SPECIAL && x->special == '=') {
		t = imf_lex_no_comment(x);
		if (t == IMF_WORD) {
			value = pool_str(pool, x->word);
			t = imf_lex_no_comment(x);
		}
		*out = name.p && value.p ? pool_alloc(pool, sizeof(**out))
					 : NULL;
		if (*out)
			**out = (struct imf_param){ .name = name,
						    .value = value };
	}
	while (t != IMF_END && !(t == IMF_SPECIAL && x->special == ';'))
		t = imf_lex_no_comment(x);
	return true;
}

/* A token of RFC 2045 5.1, with bytes above ASCII. */
static bool
is_token(const struct imf_lexer *x)
{
	size_t i;

	for (i = 0; i < x->word.n; i++)
		if ((unsigned char)x->word.p[i] <= ' ' || x->word.p[i] == 0x7f)
			return false;
	return !x->quoted;
}

bool
imf_content(struct pool *pool, struct str value, struct str *type,
	    struct str *subtype, struct imf_param **params)
{
	struct imf_param **tail = params, *p;
	bool ok = false, parts = false;
	enum imf_token_kind t;
	struct imf_lexer x;
	size_t n;

	*params = NULL;
	*type = STR_NULL;
	imf_lex_init(&x, value,
		     IMF_SEMICOLON | IMF_EQUALS | IMF_COMMA |
			     (subtype ? IMF_SLASH : 0));
	if (imf_lex_no_comment(&x) != IMF_WORD || !is_token(&x))
		goto out;
	*type = pool_str(pool, x.word);
	t = imf_lex_no_comment(&x);
	if (subtype) {
		if (t != IMF_SPECIAL || x.special != '/' ||
		    imf_lex_no_comment(&x) != IMF_WORD || !is_token(&x))
			goto out;
		*subtype = pool_str(pool, x.word);
		if (!subtype->p)
			goto out;
		t = imf_lex_no_comment(&x);
	}
	ok = type->p;
	if (subtype && t != IMF_END && !(t == IMF_SPECIAL && x.special == ';'))
		ok = false;
	while (t != IMF_END && !(t == IMF_SPECIAL && x.special == ';'))
		t = imf_lex_no_comment(&x);
	/* Values may hold "/" and "," unquoted, against the rules. */
	x.specials = IMF_SEMICOLON | IMF_EQUALS;
	for (n = 0; ok && t != IMF_END && n < IMF_PARAMS_MAX; n++) {
		if (!read_param(&x, pool, &p))
			break;
		if (!p)
			continue;
		parts |= str_find(p->name, '*') >= 0;
		*tail = p;
		tail = &p->next;
	}
	if (parts)
		imf_join_params(pool, params);
out:
	imf_lex_fini(&x);
	return ok;
}

struct str
imf_param_get(const struct imf_param *params, struct str name)
{
	for (; params; params = params->next)
		if (str_ieq(params->name, name))
			return params->value;
	return STR_NULL;
}

struct str
imf_token(struct pool *pool, struct str value)
{
	struct str out = STR_NULL;
	struct imf_lexer x;

	imf_lex_init(&x, value, IMF_SEMICOLON | IMF_COMMA);
	if (imf_lex_no_comment(&x) == IMF_WORD)
		out = pool_str(pool, x.word);
	imf_lex_fini(&x);
	return out;
}
