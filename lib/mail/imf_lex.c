/* SPDX-License-Identifier: ISC */
#include "mail/imf_lex.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
stops(const struct imf_lexer *x, char c)
{
	unsigned char u = (unsigned char)c;

	return x->stops[u >> 6] >> (u & 63) & 1;
}

static void
set_stop(struct imf_lexer *x, char c)
{
	unsigned char u = (unsigned char)c;

	x->stops[u >> 6] |= 1ull << (u & 63);
}

void
imf_lex_specials(struct imf_lexer *x, const char *specials)
{
	const char *p;

	memset(x->stops, 0, sizeof(x->stops));
	for (p = " \t\r\n\"("; *p; p++)
		set_stop(x, *p);
	for (p = specials; *p; p++)
		set_stop(x, *p);
}

void
imf_lex_init(struct imf_lexer *x, struct str in, const char *specials)
{
	*x = (struct imf_lexer){ .in = in.p ? in : STR("") };
	buf_init(&x->own, in.n + 1);
	imf_lex_specials(x, specials);
}

void
imf_lex_fini(struct imf_lexer *x)
{
	buf_fini(&x->own);
}

/* A piece of the word.  The first one is a slice of the input; when there is a
 * second they go to own. */
static void
add_piece(struct imf_lexer *x, const char *from, const char *to)
{
	struct str piece = str_mem(from, (size_t)(to - from));

	if (piece.n == 0)
		return;
	if (x->word.n == 0) {
		x->word = piece;
		return;
	}
	if (!x->owned)
		buf_add_str(&x->own, x->word);
	x->owned = true;
	buf_add_str(&x->own, piece);
	x->word = buf_str(&x->own);
}

/* Behind the opening quote or parenthesis.  Line ends are folds and vanish; a
 * backslash quotes. */
static void
lex_delimited(struct imf_lexer *x, char open, char close)
{
	const char *p = x->in.p + 1, *end = x->in.p + x->in.n, *piece = p;
	unsigned depth = 1;

	x->word = str_mem(p, 0);
	for (; p < end; p++) {
		if (*p == '\\' || *p == '\r' || *p == '\n') {
			add_piece(x, piece, p);
			piece = p + 1;
			if (*p != '\\' || piece == end)
				continue;
			p++; /* what is quoted */
			if (*p == '\r' || *p == '\n')
				piece++;
		} else if (*p == close && --depth == 0) {
			add_piece(x, piece, p);
			x->in = str_mem(p + 1, (size_t)(end - p) - 1);
			return;
		} else if (*p == open && ++depth > IMF_COMMENT_DEPTH) {
			x->broken = true;
		}
	}
	add_piece(x, piece, end);
	x->in = str_mem(end, 0);
	x->broken = true;
}

/* Blanks in it mean nothing (RFC 5322 3.4.1). */
static void
lex_literal(struct imf_lexer *x)
{
	const char *p = x->in.p, *end = x->in.p + x->in.n, *piece = p;

	while (p < end && *p != ']') {
		if (is_space(*p)) {
			add_piece(x, piece, p);
			piece = p + 1;
		}
		p++;
	}
	if (p < end)
		p++;
	else
		x->broken = true;
	add_piece(x, piece, p);
	x->in = str_mem(p, (size_t)(end - p));
}

enum imf_token_kind
imf_lex(struct imf_lexer *x)
{
	const char *p = x->in.p, *end = p + x->in.n;

	x->spaced = x->quoted = x->broken = x->owned = false;
	x->word = STR_NULL;
	buf_reset(&x->own);
	while (p < end && is_space(*p))
		p++;
	x->spaced = p > x->in.p;
	x->in = str_mem(p, (size_t)(end - p));
	if (p == end)
		return IMF_END;
	if (*p == '"') {
		x->quoted = true;
		lex_delimited(x, '"', '"');
		return IMF_WORD;
	}
	if (*p == '(') {
		lex_delimited(x, '(', ')');
		return IMF_COMMENT;
	}
	if (*p == '[' && stops(x, '[')) {
		lex_literal(x);
		return IMF_WORD;
	}
	if (stops(x, *p)) {
		x->special = *p;
		x->in = str_from(x->in, 1);
		return IMF_SPECIAL;
	}
	while (p < end && !stops(x, *p))
		p++;
	x->word = str_head(x->in, (size_t)(p - x->in.p));
	x->in = str_mem(p, (size_t)(end - p));
	return IMF_WORD;
}

enum imf_token_kind
imf_lex_no_comment(struct imf_lexer *x)
{
	enum imf_token_kind t;

	while ((t = imf_lex(x)) == IMF_COMMENT)
		continue;
	return t;
}
