/* SPDX-License-Identifier: ISC */
#ifndef STORE_TEXT_H
#define STORE_TEXT_H

#include "base/buf.h"

/*
 * Text for people, from what mail carries: charsets by ICU, encoded words,
 * transfer encodings, and a search that ignores case.  Works inside an empty
 * root: ICU's converters are part of its library.
 */

/* Append a header's value as UTF-8, unfolded, encoded words (RFC 2047)
 * decoded; bytes that are no UTF-8 are taken as windows-1252. */
void text_decode_header(struct buf *out, struct str value);
/* Append s in charset as UTF-8, what cannot be read as U+FFFD; -1: unknown
 * charset (nothing appended). */
int text_to_utf8(struct buf *out, struct str charset, struct str s);

/*
 * A substring search in text that comes in portions, by simple case folding.
 * The needle is UTF-8; text_find_init() is -1 if it is not, or is longer than
 * TEXT_NEEDLE_MAX characters.
 */
enum { TEXT_NEEDLE_MAX = 1024, TEXT_WINDOW = 4096 };
struct text_find {
	uint16_t *needle;
	size_t needlen;
	uint16_t *window; /* folded text not searched through */
	size_t n;
	uint16_t high; /* half of a character at the end of a portion */
	bool found;
};
int text_find_init(struct text_find *f, struct str needle);
void text_find_fini(struct text_find *f);
/* Start with another text. */
void text_find_reset(struct text_find *f);
/* UTF-8, whole characters (bad bytes match nothing). True: found (stays). */
bool text_find_utf8(struct text_find *f, struct str s);

/* A body part on its way through transfer decoding and charset into a
 * search. */
enum text_encoding { TEXT_PLAIN, TEXT_BASE64, TEXT_QP };
struct text_body {
	struct text_find *find;
	void *converter;
	enum text_encoding encoding;
	uint32_t bits; /* base64 */
	unsigned nbits;
	char held[3]; /* quoted-printable: "=", "=4" */
	unsigned nheld;
};
enum text_encoding text_encoding_of(struct str name);
/* An unknown charset is read as UTF-8 or windows-1252. */
void text_body_init(struct text_body *b, struct text_find *f,
		    enum text_encoding e, struct str charset);
bool text_body_feed(struct text_body *b, struct str s);
void text_body_fini(struct text_body *b);

#endif
