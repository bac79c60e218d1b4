/* SPDX-License-Identifier: ISC */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "mail/imf.h"

/*
 * The structure of a message (RFC 2045, 2046), found in one pass over its
 * bytes in any portions; nothing of the bodies is kept.  The parser takes any
 * bytes: what is not understood is text.
 *
 * Places are counted twice: raw, as in the file, and with CRLF line ends, as
 * IMAP counts.
 */
enum {
	MIME_DEPTH_MAX = 32,	  /* deeper: an opaque leaf */
	MIME_PARTS_MAX = 1000,	  /* more: content of the last part */
	MIME_HEADER_MAX = 262144, /* of a part's header, to be understood */
	MIME_POOL_MAX = 2097152,  /* for the whole structure */
	MIME_BOUNDARY_MAX = 200,  /* RFC 2046 says 70 */
};

/* The fields of ENVELOPE, unfolded; .p NULL: not there. */
struct mime_envelope {
	struct str date, subject, from, sender, reply_to, to, cc, bcc,
		in_reply_to, message_id;
};

struct mime_part {
	struct mime_part *parent, *next, *child, *last;
	struct str type, subtype; /* as written */
	struct imf_param *params;
	struct str encoding, id, description, md5, disposition, location;
	struct imf_param *disposition_params;
	struct imf_param *languages; /* only the values */
	struct mime_envelope *env;   /* of a message: the top, or a part's
					child */
	struct str boundary;
	bool multipart;
	bool message; /* message/rfc822: one child, if there is any */
	uint64_t head_raw, head_raw_end; /* with the empty line */
	uint64_t head_size;
	uint64_t body_raw, body_raw_end;
	uint64_t body_size, body_lines;
	/* while parsing */
	uint64_t start_size, start_lines; /* of the body */
	bool in_header, closed;
};

struct mime_parser {
	struct pool *pool;
	struct mime_part *top, *cur;
	size_t parts, depth;
	bool header_only, done;
	struct buf header;		  /* of cur */
	char line[MIME_BOUNDARY_MAX + 8]; /* start of the line */
	size_t linen;
	uint64_t line_raw; /* bytes of the line so far */
	char last;
	/* up to the start of this line */
	uint64_t raw, size, lines;
	uint64_t eol_raw, eol_size; /* the line end before this line */
};

/* The parts live in pool (give it MIME_POOL_MAX).  header_only: stop after the
 * header of the message. */
void mime_init(struct mime_parser *p, struct pool *pool, bool header_only);
/* False: enough seen, no more is needed. */
bool mime_feed(struct mime_parser *p, struct str s);
/* The end of the message: the top part, NULL if memory ran out. */
struct mime_part *mime_finish(struct mime_parser *p);
/* Free what the parser holds (not the parts); also after mime_finish(). */
void mime_fini(struct mime_parser *p);

/* The header block of the message, as raw bytes, when header_only was set;
 * cut at MIME_HEADER_MAX. */
struct str mime_header(const struct mime_parser *p);

#endif
