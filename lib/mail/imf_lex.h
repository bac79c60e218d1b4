/* SPDX-License-Identifier: ISC */
#ifndef MAIL_IMF_LEX_H
#define MAIL_IMF_LEX_H

#include "mail/imf.h"

/*
 * The tokens of structured header fields (RFC 5322 3.2), for the parsers of
 * this directory.  What is left of the input tells where a token ended.
 */
enum imf_token_kind {
	IMF_END,
	IMF_SPECIAL, /* one of those the lexer was told of */
	IMF_WORD,    /* atom, quoted string or domain literal, as text */
	IMF_COMMENT,
};

/* What are specials, as bits. */
enum imf_specials {
	IMF_SEMICOLON = 1,
	IMF_EQUALS = 2,
	IMF_SLASH = 4,
	IMF_COMMA = 8,
	IMF_ADDRESS = 16, /* < > [ ] : ; @ , and the dot */
};

struct imf_lexer {
	struct str in;
	/* Of a word or comment, without quotes and folds: a slice of the input
	 * where that is possible, else it lies in own until the next token. */
	struct str word;
	struct buf own;
	unsigned specials; /* enum imf_specials */
	bool owned;	   /* the word lies in own */
	bool spaced;	   /* blanks stood before this token */
	bool quoted;	   /* the word was a quoted string */
	bool broken;	   /* its end was not found, or it is nested too deep */
	char special;
};

void imf_lex_init(struct imf_lexer *x, struct str in, unsigned specials);
void imf_lex_fini(struct imf_lexer *x);
enum imf_token_kind imf_lex(struct imf_lexer *x);
/* What is next, if it is one: atoms with dots between them, or at their ends
 * (IMF_ADDRESS); the word, empty if not.  Nothing before it is skipped. */
struct str imf_lex_dotted(struct imf_lexer *x);
enum imf_token_kind imf_lex_no_comment(struct imf_lexer *x);

#endif
