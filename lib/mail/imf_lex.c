/* SPDX-License-Identifier: ISC */
#include "mail/imf_lex.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What ends an atom: these always, the others where they are specials. */
enum { ALWAYS = 32 };
static const uint8_t ends[256] = {
	[' '] = ALWAYS,
	['\t'] = ALWAYS,
	['\r'] = ALWAYS,
	['\n'] = ALWAYS,
	['"'] = ALWAYS,
	['('] = ALWAYS,
	[';'] = IMF_ADDRESS | IMF_SEMICOLON,
	[','] = IMF_ADDRESS | IMF_COMMA,
	['='] = IMF_EQUALS,
	['/'] = IMF_SLASH,
	['<'] = IMF_ADDRESS,
	['>'] = IMF_ADDRESS,
	['['] = IMF_ADDRESS,
	[']'] = IMF_ADDRESS,
	[':'] = IMF_ADDRESS,
	['@'] = IMF_ADDRESS,
	['.'] = IMF_ADDRESS,
};

static bool
stops(unsigned specials, char c)
{
	return ends[(unsigned char)c] & (specials | ALWAYS);
}

void
imf_lex_init(struct imf_lexer *x, struct str in, unsigned specials)
{
	*x = (struct imf_lexer){ .in = in.p ? in : STR(""),
				 .specials = specials };
	buf_init(&x->own, in.n + 1);
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
	const char *p = x->in.p, *end = x->in.n ? p + x->in.n : p;
	unsigned specials = x->specials;

	if (x->owned)
		buf_reset(&x->own);
	x->spaced = x->quoted = x->broken = x->owned = false;
	x->word = STR_NULL;
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
	if (*p == '[' && x->specials & IMF_ADDRESS) {
		lex_literal(x);
		return IMF_WORD;
	}
	if (stops(x->specials, *p)) {
		x->special = *p;
		x->in = str_from(x->in, 1);
		return IMF_SPECIAL;
	}
	while (p < end && !stops(specials, *p))
		p++;
	x->word = str_head(x->in, (size_t)(p - x->in.p));
	x->in = str_mem(p, (size_t)(end - p));
	return IMF_WORD;
}

struct str
imf_lex_dotted(struct imf_lexer *x)
{
	const char *p = x->in.p, *end = x->in.n ? p + x->in.n : p;

	while (p < end && (*p == '.' || !stops(IMF_ADDRESS, *p)))
		p++;
	x->word = str_head(x->in, (size_t)(p - x->in.p));
	x->in = str_mem(p, (size_t)(end - p));
	return x->word;
}

enum imf_token_kind
imf_lex_no_comment(struct imf_lexer *x)
{
	enum imf_token_kind t;

	while ((t = imf_lex(x)) == IMF_COMMENT)
		continue;
	return t;
}
