/* SPDX-License-Identifier: ISC */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/str.h"

/*
 * The header block of a message (RFC 5322 2.2), with LF line ends.  Syntax is
 * taken generously: a field is a name of printable characters, optional
 * blanks, a colon, and lines that begin with a blank continue it.  The block
 * ends at an empty line (which belongs to the body), or before a line that
 * cannot be a field.
 */
enum { HEADER_NAME_MAX = 255 }; /* with the blanks before the colon */

struct header_field {
	struct str name;
	struct str value; /* after the colon, as it stands, without the last
			     LF; folds kept */
	struct str whole; /* all its lines, with their LF */
};

/* Cut the next field off *rest; false at the end of the block, where *rest is
 * what follows (the empty line, the body, or nothing). */
bool header_next(struct str *rest, struct header_field *f);

/* The first field of this name (any case) in block; false if there is none. */
bool header_find(struct str block, struct str name, struct header_field *f);

/* value without leading and trailing blanks and folds, at most its first
 * line. */
struct str header_value_line(const struct header_field *f);

/*
 * Finding the end of the block in a text that grows: call header_scan() with
 * all the text so far (from the same beginning) until it is no longer
 * HEADER_MORE; last says that nothing more will come.
 */
struct header_scan {
	size_t at;	    /* start of the first line not looked at yet */
	size_t field;	    /* start of the field this line may continue */
	size_t field_max;   /* limit of one field in bytes, with its LFs */
	size_t block_max;   /* limit of the block */
	unsigned fields;    /* number of fields so far */
	unsigned received;  /* those named Received */
	size_t id_at, id_n; /* value of the first Message-ID; id_n 0: none */
	bool id_open;	    /* its value may come on the next line */
};

enum header_result {
	HEADER_MORE,
	HEADER_DONE,	 /* the block is text[0 .. at); an empty line or the end
			    of text follows */
	HEADER_NO_BLANK, /* as DONE, but a line of the body follows at once */
	HEADER_TOO_LONG, /* a field or the block passes its limit */
};

void header_scan_init(struct header_scan *h, size_t field_max,
		      size_t block_max);
enum header_result header_scan(struct header_scan *h, struct str text,
			       bool last);

#endif
