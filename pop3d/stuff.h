/* SPDX-License-Identifier: ISC */
#ifndef POP3D_STUFF_H
#define POP3D_STUFF_H

#include "base/buf.h"

/*
 * A message on its way out (RFC 1939 3), in one pass over the file's bytes:
 * lines end with CR LF, whatever the file has; those that begin with "." get
 * another one; TOP ends after the header, its empty line, and so many lines of
 * body.  What comes out is the same however the file is cut into chunks.
 */
struct stuff {
	bool limited;	/* TOP */
	uint64_t lines; /* of the body that may still go */
	bool in_body;
	bool mid_line; /* something of the line has gone */
	bool blank;    /* nothing but a CR */
	bool cr;       /* the last byte was a CR */
	bool full;     /* TOP: all that was asked for is out */
};

void stuff_init(struct stuff *s, bool limited, uint64_t lines);
/* -1: out is full. */
int stuff_add(struct stuff *s, struct str chunk, struct buf *out);
/* How many bytes of CR LF the last line lacks: 0 to 2. */
unsigned stuff_lacks(const struct stuff *s);
/* The end: "." on a line of its own. */
int stuff_end(struct stuff *s, struct buf *out);

#endif
