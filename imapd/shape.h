/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SHAPE_H
#define IMAPD_SHAPE_H

#include "mail/mime.h"
#include "mail/transfer.h"

/*
 * What FETCH needs of a message's text, computed once and kept as a blob
 * beside the index (BLOB_SEND): ENVELOPE, BODYSTRUCTURE and header fields as
 * they are sent, and where the parts are.  BODYSTRUCTURE is that of IMAP4rev2;
 * to the others a message/global (RFC 6532 3.7) is a part like any other.  All
 * numbers are little-endian:
 *
 *	u32 version, numbers of parts and of cuts, lengths of envelope, body and
 *	  fields
 *	of each part, in the order of the text (a part, then those in it):
 *	  u32 index behind those in it, u8 kind, u8 encoding, u16 0,
 *	  u64 head_raw, body_raw, body_end, head_size, body_size
 *	cuts, in the order of their starts: u32 start and end in body of
 *	  extension data, which BODY has not, or, with CUT_REV2 set in the end,
 *	  of a message/global's envelope, body and lines
 *	envelope, body, fields: those of the header that mail programs ask for
 *	  (fields.c), as HEADER.FIELDS says them; empty: look at the header
 */
enum imap_part_kind {
	PART_LEAF,
	PART_MULTIPART,
	PART_MESSAGE,
	PART_GLOBAL, /* a message for IMAP4rev2, otherwise a leaf */
	PART_KINDS,
};
struct imap_part {
	uint32_t end; /* its parts are index + 1 .. end - 1 */
	enum imap_part_kind kind;
	enum transfer encoding;
	/* The header ends, with its empty line, where the body begins. */
	uint64_t head_raw, body_raw, body_end; /* in the file */
	uint64_t head_size, body_size;	       /* with CRLF */
};

/* Append it to out (limit: SHAPE_MAX).  header: the message's, with its empty
 * line, at most MIME_HEADER_MAX of it.  scratch is emptied.  What does not fit
 * is left out of the envelopes and parameters, never a part. */
enum {
	SHAPE_TEXT_MAX = 6291456, /* from here on strings are NIL */
	SHAPE_MAX = 16777216,
	SHAPE_FIELDS_MAX = 8192, /* or none are kept */
};
void imap_shape_build(struct buf *out, const struct mime_part *top,
		      struct str header, struct pool *scratch);

/* A blob, read.  It points into the bytes. */
struct imap_shape {
	size_t n, ncuts; /* n: of parts; at least one */
	struct str envelope, body, fields;
	const char *parts, *cuts;
};
/* False: not a blob of this version, or damaged. */
bool imap_shape_open(struct imap_shape *sh, struct str blob);
/* i < sh->n */
void imap_shape_part(const struct imap_shape *sh, size_t i,
		     struct imap_part *p);
/* Size of the message, with CRLF. */
uint64_t imap_shape_size(const struct imap_shape *sh);
/* Append what BODYSTRUCTURE says, or BODY, which has no extension data. */
void imap_shape_put_body(const struct imap_shape *sh, struct buf *out,
			 bool extension, bool rev2);

#endif
