/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_H
#define IMAPD_SEARCH_H

#include "fetch.h"
#include "parse.h"
#include "store/text.h"

/* A search program (RFC 3501 6.4.4) as a tree. */
enum search_kind {
	SEARCH_ALL,
	SEARCH_NONE,
	SEARCH_FLAG, /* flag is set; num 0: is not set */
	SEARCH_RECENT,
	SEARCH_SEQ,
	SEARCH_UID,
	SEARCH_LARGER,
	SEARCH_SMALLER,
	SEARCH_BEFORE, /* internal date */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_SENTBEFORE, /* Date: */
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_HEADER, /* field contains text */
	SEARCH_BODY,
	SEARCH_TEXT,
	SEARCH_NOT, /* a */
	SEARCH_OR,  /* a, b */
	SEARCH_AND, /* a and those behind it by next */
};

struct search_key {
	enum search_kind kind;
	struct search_key *a, *b, *next;
	struct imap_set set;
	struct str field, text;
	uint8_t flag;
	uint32_t num;
	int64_t day;
	struct text_needle needle; /* of text */
};

struct search {
	struct search_key *top;
	size_t texts;
	size_t keys;
	bool bad_charset;
};

enum { SEARCH_TEXTS_MAX = 100 };

/* What stands behind SEARCH; on success imap_search_fini() is due.  False with
 * bad_charset set: the charset is not ours. */
bool imap_search_parse(struct imap_in *in, struct search *out);
void imap_search_fini(struct search *sr);
/* "*" and ranges become numbers. */
void imap_search_resolve(struct search_key *k, uint32_t max_seq,
			 uint32_t max_uid);

/* Does a header or body contain the key's text? */
bool imap_search_header(struct search_key *k, struct str header);
bool imap_search_any_header(struct search_key *k, struct str header);

#endif
