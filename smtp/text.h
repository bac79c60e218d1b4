/* SPDX-License-Identifier: ISC */
#ifndef SMTP_TEXT_H
#define SMTP_TEXT_H

#include "letter.h"
#include "mail/downgrade.h"

/*
 * A letter's text as it goes over the wire, read piece by piece by position.
 *
 * What is stored has LF line ends and neither CR nor NUL; whatever it has, this
 * is what leaves:
 *
 *	LF		CR LF
 *	CR, NUL		a blank: nothing but the end of a line has a CR, or
 *			servers that end lines otherwise could be made to see
 *			an end of data (SMTP smuggling)
 *	"." at the start of a line	".." (RFC 5321 4.5.2), unless it goes
 *			by BDAT
 *	a line longer than smtp_line_length_limit	folded by CR LF blank,
 *as Postfix does, but not inside a UTF-8 character any other byte	itself
 *
 * The last line has its CR LF.  So a CR is followed by LF, an LF follows a CR,
 * and a line that is "." alone cannot be, at any position.
 */
struct text {
	const struct letter *l;
	uint64_t at, end; /* position in header ++ body */
	bool dots;	  /* for DATA */
	unsigned limit;	  /* of a line; 0: none */
	size_t column;	  /* octets of the line so far, without the dot */
	/* The server does not take 8BITMIME: what is read instead. */
	struct downgrade *seven;
	struct buf piece;
};

/* How the next host takes the text. */
struct text_form {
	bool bdat;	   /* no dots */
	bool eight_bit;	   /* 8BITMIME was offered */
	unsigned max_line; /* smtp_line_length_limit */
};

/* text_close() in every case.  -1: PERM (err names what is missing), it cannot
 * go in this form; TEMP: it cannot be read. */
ERR_WARN_UNUSED int text_open(struct text *t, const struct letter *l,
			      const struct text_form *form, struct err *err);
void text_close(struct text *t);
bool text_at_end(const struct text *t);
/* Append a piece, at least one octet and at most TEXT_PIECE, unless at the end.
 * -1: the file cannot be read, or is shorter than it was. */
enum { TEXT_READ = 16384, TEXT_PIECE = 4 * TEXT_READ };
ERR_WARN_UNUSED int text_fill(struct text *t, struct buf *out, struct err *err);

/* Octets of it (RFC 1870); an estimate where it is a file. */
uint64_t text_size(const struct letter *l);

enum text_bits { TEXT_7BIT, TEXT_8BIT, TEXT_UNKNOWN };
/* Has it bytes above 127?  UNKNOWN only if read is false and it is a file that
 * would have to be read, or it cannot be read. */
enum text_bits text_bits(const struct letter *l, bool read);
/* Has the header such bytes?  False if it cannot be read: nor will it be sent.
 */
bool text_header_is_8bit(const struct letter *l);

#endif
