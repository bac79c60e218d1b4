/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_KEYS_H
#define IMAPD_KEYS_H

#include "base/buf.h"

/*
 * What SEARCH, SORT and THREAD compare of a message, computed once from its
 * header and kept as a blob beside the index (BLOB_KEYS).  Texts are decoded
 * and in the form of text_fold(), so that they are compared as bytes.
 *
 *	byte version, byte flags, day as written (4), moment (8),
 *	for each field its length (2), the number of ids (2),
 *	the fields, the ids (8 each), all little-endian.
 */
enum imap_keys_field {
	KEYS_SUBJECT, /* as searched: several fields with a NUL between */
	KEYS_FROM,
	KEYS_TO,
	KEYS_CC,
	KEYS_BCC,
	KEYS_MESSAGE_ID,
	KEYS_BASE,	/* base subject (RFC 5256 2.1) */
	KEYS_SORT_FROM, /* mailbox of the first address (RFC 5256 3) */
	KEYS_SORT_TO,
	KEYS_SORT_CC,
	KEYS_DISPLAY_FROM, /* its name, or the address (RFC 5957) */
	KEYS_DISPLAY_TO,
	KEYS_FIELDS,
	KEYS_SEARCHED = KEYS_BASE, /* the first so many are for SEARCH */
};
enum {
	KEYS_TEXT_MAX = 8192, /* of a field; a longer one is not kept */
	KEYS_SORT_MAX = 1000, /* of what is for sorting; cut there */
	KEYS_REFS_MAX = 500,  /* the last ones */
	KEYS_MAX = 65536,     /* of a blob */
};

/* From the header block of a message as it stands in the file (at most
 * MIME_HEADER_MAX): append the blob to out, whose limit is KEYS_MAX. */
void imap_keys_build(struct buf *out, struct str header);

/* A blob, read.  Everything points into it. */
struct imap_keys {
	bool has_date;	/* there is a Date that can be understood */
	bool is_reply;	/* or a forward, says the subject */
	int32_t day;	/* of Date as written, since 1970 (SENTON) */
	int64_t moment; /* of Date in UTC, seconds since 1970 */
	/* .p NULL: no such field in the header */
	struct str field[KEYS_FIELDS];
	/* The field is there and too long: look at the header. */
	bool too_long[KEYS_FIELDS];
	/* Hashes of message ids (never 0): its own, 0 if it has none; then its
	 * references, the oldest first. */
	uint64_t id;
	size_t refs;
	const char *ref_bytes;
};
/* False: not a blob of this version, or damaged: build it anew. */
bool imap_keys_open(struct imap_keys *k, struct str blob);
uint64_t imap_keys_ref(const struct imap_keys *k, size_t i);

/* Which of the fields that are kept for SEARCH has this name; -1: none. */
int imap_keys_field_of(struct str name);
/* Append a field's value as it is searched. */
void imap_keys_text(struct buf *out, int field, struct str value);

/* RFC 5256 2.1: append the base subject of a decoded subject; true: it says
 * that this is a reply or a forward. */
bool imap_base_subject(struct buf *out, struct str subject);

#endif
