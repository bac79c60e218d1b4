/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_FETCH_H
#define IMAPD_FETCH_H

#include "parse.h"
#include "shape.h"
#include "store/store.h"

/* What FETCH asks for (RFC 3501 6.4.5, 3516 4.1, 7162 3.1.4), parsed. */
enum fetch_kind {
	FETCH_FLAGS,
	FETCH_UID,
	FETCH_DATE,
	FETCH_SIZE,
	FETCH_MODSEQ,
	FETCH_ENVELOPE,
	FETCH_BODY, /* without extension data */
	FETCH_BODYSTRUCTURE,
	FETCH_SECTION,
	FETCH_BINARY,
	FETCH_BINARY_SIZE,
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
	uint32_t *path;
	size_t npath;
	enum section_text text;
	struct str *fields;
	size_t nfields;
	bool partial;
	uint64_t start, length;
	bool kept; /* imap_fields_are_kept() */
};

struct fetch_items {
	struct fetch_item *v;
	size_t n;
	/* RFC 7162 3.1.4.1, 3.2.6 */
	bool has_since, vanished;
	uint64_t since;
};
/* rev2: what RFC 9051 has no more is not understood. */
bool imap_fetch_items(struct imap_in *in, bool rev2, struct fetch_items *out);

/* Where a section of a message is; found false: there is none such. */
struct section_place {
	bool found;
	uint64_t raw, raw_end;	/* in the file */
	uint64_t size;		/* with CRLF */
	enum transfer encoding; /* of the part it is the body of */
};
struct section_place imap_section(const struct imap_shape *sh,
				  const struct fetch_item *it, bool rev2);
/* The fields of header that the item wants, and the empty line, with CRLF and
 * without NULs. */
void imap_put_fields(struct buf *out, struct str header,
		     const struct fetch_item *it);
/* The same of the fields that a shape keeps; nothing if they are too many. */
void imap_keep_fields(struct buf *out, struct str header);
/* It asks for no others; then imap_put_fields() makes of what was kept what it
 * makes of the header. */
bool imap_fields_are_kept(const struct fetch_item *it);

/*
 * The message fetched last: its shape, its open file and where a stream stood,
 * so that a client which reads a message in portions does not make us begin
 * anew each time.
 */
struct imap_cache {
	uint32_t uid; /* 0: none */
	struct imap_shape shape;
	bool has_shape;
	struct buf bytes; /* of the shape */
	bool open;
	struct message_reader reader;
	/* while the message is parsed */
	bool parsing;
	struct mime_parser parser;
	struct pool pool, scratch;
	struct buf text; /* its header, raw; or fields of it */
	struct buf keys;
	uint64_t parsed; /* bytes of the file */
	char *portion;
	/* a section's stream: bytes given so far */
	uint64_t section; /* its raw start * 2 + 1, + 1 if decoded; 0: none */
	uint64_t offset;
	struct reader_pos pos;
	struct transfer_decoder decoder;
	char raw[4096], plain[4096]; /* before and after decoding */
	struct str raw_rest, plain_rest;
	bool at_end; /* nothing is left to be decoded */
	/* the decoded section that was measured last (as section), and the one
	 * that is */
	uint64_t measured, measuring;
	uint64_t size;
	bool has_nul;
};
struct imap_session;

/*
 * cache.c.  All return -1 with err (ENOENT: the message is gone), 0 for "there
 * is more to do, call again", 1 when it is done.
 */
int imap_cache_shape(struct imap_session *s, uint32_t uid, struct err *err);
int imap_cache_open(struct imap_session *s, uint32_t uid, struct err *err);
/* s->cache->size and has_nul: of the section, decoded if it is encoded; 0 and
 * false if that fails. */
int imap_cache_measure(struct imap_cache *c, const struct section_place *pl,
		       struct err *err);
/* The stream of the section stands at skip then. */
int imap_cache_seek(struct imap_cache *c, const struct section_place *pl,
		    bool decoded, uint64_t skip, struct err *err);
/* Up to n bytes from there; 0: the end. */
ssize_t imap_cache_stream(struct imap_cache *c, char *to, size_t n,
			  struct err *err);

#endif
