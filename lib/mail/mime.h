/* SPDX-License-Identifier: ISC */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "mail/imf.h"

/*
 * The structure of a message (RFC 2045, 2046), found in one pass over its
 * bytes in any portions (one is fastest); nothing of the bodies is kept.  The
 * parser takes any bytes: what is not understood is text.
 *
 * Places are counted twice: raw, as in the file, and with CRLF line ends, as
 * IMAP counts.
 */
enum {
	MIME_DEPTH_MAX = 100,	   /* deeper: an opaque leaf */
	MIME_PARTS_MAX = 10000,	   /* more: content of the last part */
	MIME_HEADER_MAX = 2097152, /* of a part's header, to be understood */
	MIME_POOL_MAX = 33554432,  /* for the whole structure */
	MIME_BOUNDARY_MAX = 996,   /* what a line can hold (RFC 5322 2.1.1) */
};

/* A field that may come several times. */
struct mime_values {
	struct str value;
	struct mime_values *next;
};

enum mime_list {
	MIME_FROM,
	MIME_SENDER,
	MIME_REPLY_TO,
	MIME_TO,
	MIME_CC,
	MIME_BCC,
	MIME_LISTS,
};

/* The fields of ENVELOPE, unfolded; NULL: not there. */
struct mime_envelope {
	struct str date, subject, in_reply_to, message_id;
	struct mime_values *list[MIME_LISTS];
	struct mime_values *last[MIME_LISTS]; /* of those */
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
	bool message;			 /* has one child: the message in it */
	bool global;			 /* and that as message/global */
	uint64_t head_raw, head_raw_end; /* with the empty line */
	uint64_t head_size;
	uint64_t body_raw, body_raw_end;
	uint64_t body_size, body_lines;
	/* while parsing */
	uint64_t start_size, start_lines; /* of the body */
	bool in_header, closed, typed;
};

struct mime_parser {
	struct pool *pool;
	struct mime_part *top, *cur;
	size_t parts, depth;
	size_t open;	   /* multiparts that cur stands in, itself too */
	struct buf header; /* of cur, what earlier portions had of it */
	/* a line that began in an earlier portion */
	char line[MIME_BOUNDARY_MAX + 8];
	size_t linen;
	uint64_t line_raw;
	char last; /* its last byte */
	/* up to the start of this line */
	uint64_t raw, size, lines;
	unsigned eol;	   /* bytes of the line end that a delimiter may take */
	unsigned line_eol; /* bytes of the last one */
};

/* The parts live in pool (give it MIME_POOL_MAX). */
void mime_init(struct mime_parser *p, struct pool *pool);
void mime_feed(struct mime_parser *p, struct str s);
/* The end of the message: the top part, NULL if memory ran out. */
struct mime_part *mime_finish(struct mime_parser *p);
/* Free what the parser holds (not the parts); also after mime_finish(). */
void mime_fini(struct mime_parser *p);

#endif
