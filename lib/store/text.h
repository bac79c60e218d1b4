/* SPDX-License-Identifier: ISC */
#ifndef STORE_TEXT_H
#define STORE_TEXT_H

#include "base/buf.h"
#include "mail/transfer.h"

/*
 * Text for people, from what mail carries: charsets by ICU, encoded words,
 * transfer encodings, and a search that ignores case.  Works inside an empty
 * root: ICU's converters are part of its library.
 *
 * Bytes that are not what they claim to be (eighth bit in US-ASCII, bad UTF-8,
 * an unknown charset) are read as windows-1252, each for itself.
 */

/* Append a header's value as UTF-8, unfolded, encoded words (RFC 2047)
 * decoded. A character may be split over neighbouring words of one charset. */
void text_decode_header(struct buf *out, struct str value);
/* Append s in charset as UTF-8, what cannot be read as U+FFFD. */
void text_to_utf8(struct buf *out, struct str charset, struct str s);

/*
 * Append UTF-8 in the form in which texts are compared: i;unicode-casemap (RFC
 * 5051), that is in titlecase and decomposed, "Grün" as "GRU" U+0308 "N".  Two
 * texts are equal if their forms are, one contains another one if its form
 * does; each character is mapped for itself, so that this is exact.  (So "ß"
 * is not "ss", both "σ" and "ς" are "Σ", "İ" begins with "i", "ü" with "u".)
 */
void text_fold(struct buf *out, struct str s);
/* The form of what is searched for; -1: it is not UTF-8, or too long. */
enum { TEXT_NEEDLE_MAX = 4096 };
int text_fold_needle(struct buf *out, struct str s);
/* One character; the bytes put into to. */
enum { TEXT_FOLDED_MAX = 96 };
size_t text_fold_char(char to[TEXT_FOLDED_MAX], int32_t c);
/* The next character of text that may not be UTF-8; s is not empty. */
int32_t text_next(struct str *s);
/* An ICU converter; NULL: UTF-8, US-ASCII, or unknown. */
void *text_converter(struct str charset);
void text_converter_free(void *converter); /* or NULL */

/*
 * A substring search for many needles (in folded form) in texts that come in
 * portions.  The needles are the caller's; which are found stays with them
 * until the caller resets it.
 */
struct text_needle {
	struct str folded;
	bool found;
};
struct text_scan {
	struct text_needle **needles;
	size_t n;     /* of needles */
	size_t left;  /* not found */
	size_t keep;  /* the longest needle's bytes - 1 */
	char *window; /* folded text not searched through */
	size_t windown;
	size_t size;
};
/* needles: as long as the scan; -1: no memory. */
int text_scan_init(struct text_scan *f, struct text_needle **needles, size_t n);
void text_scan_fini(struct text_scan *f);
/* Start with another text, for those that are not found yet. */
void text_scan_reset(struct text_scan *f);
/* Whole characters of UTF-8; what is found may show later. */
void text_scan_utf8(struct text_scan *f, struct str s);
/* The end of the text. */
void text_scan_end(struct text_scan *f);

/* A body part on its way through transfer decoding and charset into a
 * search. */
struct text_body {
	struct text_scan *scan;
	struct transfer_decoder decoder;
	void *converter; /* NULL: UTF-8 */
	char tail[4];	 /* UTF-8 cut inside a character */
	unsigned ntail;
	uint16_t high; /* UTF-16 cut inside a character */
};
void text_body_init(struct text_body *b, struct text_scan *f, enum transfer e,
		    struct str charset);
/* False: nothing is left to be found. */
bool text_body_feed(struct text_body *b, struct str s);
/* The end of the text. */
void text_body_fini(struct text_body *b);

#endif
