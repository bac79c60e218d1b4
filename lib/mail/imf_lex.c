/* SPDX-License-Identifier: ISC */
#include "mail/imf_lex.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
skip_space(struct imf_lexer *x)
{
	while (x->in.n && is_space(x->in.p[0])) {
		x->in = str_from(x->in, 1);
		x->spaced = true;
	}
}

/* Line ends are folds and vanish; a backslash quotes. */
static void
lex_quoted(struct imf_lexer *x)
{
	bool escaped = false;
	char c;

	x->quoted = true;
	for (x->in = str_from(x->in, 1); x->in.n; x->in = str_from(x->in, 1)) {
		c = x->in.p[0];
		if (escaped) {
			escaped = false;
		} else if (c == '\\') {
			escaped = true;
			continue;
		} else if (c == '"') {
			x->in = str_from(x->in, 1);
			return;
		}
		if (c != '\r' && c != '\n')
			buf_add_byte(&x->text, c);
	}
	x->broken = true;
}

static void
lex_comment(struct imf_lexer *x)
{
	bool escaped = false;
	unsigned depth = 1;
	char c;

	for (x->in = str_from(x->in, 1); x->in.n; x->in = str_from(x->in, 1)) {
		c = x->in.p[0];
		if (escaped) {
			escaped = false;
		} else if (c == '\\') {
			escaped = true;
			continue;
		} else if (c == '(' && depth < IMF_COMMENT_DEPTH) {
			depth++;
		} else if (c == '(') {
			x->broken = true;
		} else if (c == ')' && --depth == 0) {
			x->in = str_from(x->in, 1);
			return;
		}
		if (c != '\r' && c != '\n')
			buf_add_byte(&x->text, c);
	}
	x->broken = true;
}

static void
lex_literal(struct imf_lexer *x)
{
	char c;

	do {
		c = x->in.p[0];
		if (!is_space(c))
			buf_add_byte(&x->text, c);
		x->in = str_from(x->in, 1);
	} while (x->in.n && c != ']');
	if (c != ']')
		x->broken = true;
}

enum imf_token_kind
imf_lex(struct imf_lexer *x)
{
	char c;

	x->spaced = x->quoted = x->broken = false;
	buf_reset(&x->text);
	skip_space(x);
	if (x->in.n == 0)
		return IMF_END;
	c = x->in.p[0];
	if (c == '"') {
		lex_quoted(x);
		return IMF_WORD;
	}
	if (c == '(') {
		lex_comment(x);
		return IMF_COMMENT;
	}
	if (c == '[' && strchr(x->specials, '[')) {
		lex_literal(x);
		return IMF_WORD;
	}
	if (c && strchr(x->specials, c)) {
		x->special = c;
		x->in = str_from(x->in, 1);
		return IMF_SPECIAL;
	}
	do {
		buf_add_byte(&x->text, c);
		x->in = str_from(x->in, 1);
		c = x->in.n ? x->in.p[0] : ' ';
	} while (!is_space(c) && c != '"' && c != '(' &&
		 !(c && strchr(x->specials, c)));
	return IMF_WORD;
}

void
imf_lex_init(struct imf_lexer *x, struct str in, const char *specials)
{
	*x = (struct imf_lexer){ .in = in, .specials = specials };
	buf_init(&x->text, in.n + 1);
}

enum imf_token_kind
imf_lex_no_comment(struct imf_lexer *x)
{
	enum imf_token_kind t;

	while ((t = imf_lex(x)) == IMF_COMMENT)
		continue;
	return t;
}
