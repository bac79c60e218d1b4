/* SPDX-License-Identifier: ISC */
#ifndef POP3D_STUFF_H
#define POP3D_STUFF_H

#include "base/buf.h"

/*
 * A message on its way out (RFC 1939 3): lines that begin with "." get another
 * one; TOP ends after the header, its empty line, and so many lines of body.
 */
struct stuff {
	bool limited;	/* TOP */
	uint64_t lines; /* of the body that may still go */
	bool in_body;
	bool bol;   /* at the beginning of a line */
	char first; /* byte of this line, of which */
	size_t len; /* so many have gone */
	bool ended; /* with CR LF so far */
	bool full;  /* TOP: all that was asked for is out */
};

void stuff_init(struct stuff *s, bool limited, uint64_t lines);
/* chunk: part of a message with CR LF line ends.  -1: out is full. */
int stuff_add(struct stuff *s, struct str chunk, struct buf *out);
/* The end: "." on a line of its own. */
int stuff_end(struct stuff *s, struct buf *out);

#endif
