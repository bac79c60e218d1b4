/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_FLATE_H
#define IMAPD_FLATE_H

#include <zlib.h>

#include "base/buf.h"

/*
 * A stream of raw deflate in each direction (RFC 4978, RFC 1951).
 *
 * At work it takes some 53 kB for what is sent (a window of 8 kB) and 40 kB for
 * what is received, at rest what the peer may refer to: what it has sent so
 * far, 32 kB at most.  That is possible because both directions then stand at
 * the end of a block: what is sent goes on with an empty window, and what is
 * received with the window it had.
 */
struct flate {
	z_stream in, out;
	bool in_open, out_open;
	bool more;    /* flate_get() has more for the same bytes */
	bool ended;   /* the peer's stream has come to its end */
	uint8_t last; /* byte read: some of its bits may belong to what comes */
	struct buf window; /* of in, at rest */
	unsigned bits;	   /* of last that are still to be read, at rest */
};

void flate_init(struct flate *f);
void flate_fini(struct flate *f);

/* Append plain, compressed, so that all of it can be read by the peer.  -1: out
 * has no room or there is no memory: the stream is of no use any more. */
int flate_put(struct flate *f, struct str plain, struct buf *out);

/* Append at most max bytes of what packed says, and say how much of it is used.
 * -1: it is not deflate, or there is no memory. */
int flate_get(struct flate *f, struct str packed, size_t *used, struct buf *out,
	      size_t max);

/* Give back what can be had again; the next call of either kind may follow. */
void flate_rest(struct flate *f);

#endif
