/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_FETCH_H
#define IMAPD_FETCH_H

#include "mail/mime.h"
#include "parse.h"
#include "store/store.h"

/* What FETCH asks for (RFC 3501 6.4.5), parsed. */
enum fetch_kind {
	FETCH_FLAGS,
	FETCH_UID,
	FETCH_DATE,
	FETCH_SIZE,
	FETCH_ENVELOPE,
	FETCH_BODY, /* without extension data */
	FETCH_BODYSTRUCTURE,
	FETCH_SECTION,
};

enum section_text {
	SECTION_ALL,
	SECTION_HEADER,
	SECTION_FIELDS,
	SECTION_FIELDS_NOT,
	SECTION_TEXT,
	SECTION_MIME,
};

struct fetch_item {
	enum fetch_kind kind;
	bool peek;
	struct str label; /* as the answer begins: "BODY[1.MIME]<0>" */
	uint32_t path[MIME_DEPTH_MAX];
	size_t npath;
	enum section_text text;
	struct str *fields;
	size_t nfields;
	bool partial;
	uint32_t start, length;
};

struct fetch_items {
	struct fetch_item *v;
	size_t n;
};
bool imap_fetch_items(struct imap_in *in, struct fetch_items *out);

/* Where a section of a message is; found false: there is none such. */
struct section_place {
	bool found;
	uint64_t raw, raw_end; /* in the file */
	uint64_t size;	       /* with CRLF */
};
struct section_place imap_section(const struct mime_part *top,
				  const struct fetch_item *it);
/* The fields of header that the item wants, and the empty line, with CRLF. */
void imap_put_fields(struct buf *out, struct str header,
		     const struct fetch_item *it);

/* --- structure.c: what ENVELOPE and BODYSTRUCTURE say.  scratch is for
 * addresses. */
void imap_put_envelope(struct buf *out, struct pool *scratch,
		       const struct mime_envelope *e);
void imap_put_body(struct buf *out, struct pool *scratch,
		   const struct mime_part *p, bool extended);

/*
 * The message fetched last: its open file and structure, so that a client
 * which reads a message in portions does not make us parse it each time.
 */
struct imap_cache {
	uint32_t uid;
	struct message_reader reader;
	struct pool pool;
	struct mime_part *header; /* of a header-only parse */
	struct mime_part *top;	  /* of the whole */
	struct buf text;	  /* the header block of the message */
	bool has_text;
	/* where the stream of a section stood */
	uint64_t section; /* the section's raw start + 1, 0: none */
	uint64_t offset;  /* in the section, with CRLF */
	struct reader_pos pos;
};
struct imap_session;
/* The cache for this message, its file open; NULL with err. */
struct imap_cache *imap_cache_get(struct imap_session *s, uint32_t uid,
				  struct err *err);
/* Parse the header, or all of it; -1 with err. */
ERR_WARN_UNUSED int imap_cache_parse(struct imap_cache *c, bool all,
				     struct err *err);

#endif
