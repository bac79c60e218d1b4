/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_PARSE_H
#define IMAPD_PARSE_H

#include "base/buf.h"
#include "base/pool.h"

/*
 * The grammar of IMAP commands (RFC 3501 9) over a whole command in memory,
 * literals included as "{n}" CR LF and n bytes.  Pure.  A function that fails
 * returns false, and the first failure leaves a short text for the BAD reply
 * in in->error.
 */
enum {
	IMAP_DEPTH_MAX = 32,	 /* parentheses, nested search keys */
	IMAP_RANGES_MAX = 20000, /* of a sequence set */
	IMAP_LIST_MAX = 500,	 /* items of FETCH, fields, ID pairs */
	IMAP_SEARCH_KEYS_MAX = 1000,
	IMAP_KEYWORD_MAX = 255,	   /* bytes of a keyword */
	IMAP_KEYWORDS_MAX = 10000, /* of a folder, made by clients */
};

struct imap_in {
	const char *p, *end;
	struct pool *pool; /* what is returned lives here or in the input */
	const char *error;
};

bool imap_fail(struct imap_in *in, const char *error);
bool imap_at_end(const struct imap_in *in);
/* Nothing may be left. */
bool imap_end(struct imap_in *in);
/* The next byte, 0 at the end; not consumed. */
char imap_peek(const struct imap_in *in);
bool imap_char(struct imap_in *in, char c);
bool imap_space(struct imap_in *in);
/* Consume this word (case ignored) if it comes next and ends there. */
bool imap_word(struct imap_in *in, const char *word);

bool imap_atom(struct imap_in *in, struct str *out);
/* An atom in which "]" may stand (astring of RFC 3501 9). */
bool imap_astring(struct imap_in *in, struct str *out);
bool imap_string(struct imap_in *in, struct str *out);
/* out->p is NULL for NIL. */
bool imap_nstring(struct imap_in *in, struct str *out);
/* A mailbox name with wildcards. */
bool imap_list_mailbox(struct imap_in *in, struct str *out);
bool imap_number(struct imap_in *in, uint32_t *out);
bool imap_nz_number(struct imap_in *in, uint32_t *out);
/* 63 bits (RFC 9051 9). */
bool imap_number64(struct imap_in *in, uint64_t *out);
/* A mod-sequence (RFC 7162 7): 63 bits, 0 only if that may be. */
bool imap_modseq(struct imap_in *in, bool zero, uint64_t *out);

/* A sequence set: pairs as written, "*" is UINT32_MAX. */
struct imap_range {
	uint32_t lo, hi;
};
struct imap_set {
	struct imap_range *v;
	size_t n;
	bool saved; /* "$" (RFC 5182): what SEARCH has saved; no ranges */
	bool uids;  /* for imap_view_resolve(): they are UIDs */
};
bool imap_set(struct imap_in *in, struct imap_set *out);
/* "*" becomes max (0: the mailbox is empty, then such ranges vanish); ordered
 * and disjoint afterwards. */
void imap_set_resolve(struct imap_set *set, uint32_t max);
/* In a resolved set. */
bool imap_set_has(const struct imap_set *set, uint32_t n);

/* The system flags of IMAP, as sessions see them. */
enum {
	IMAP_ANSWERED = 1,
	IMAP_FLAGGED = 2,
	IMAP_DELETED = 4,
	IMAP_SEEN = 8,
	IMAP_DRAFT = 16,
};
/* Flags as a client names them; a keyword stands in it once. */
struct imap_flags {
	uint8_t flags;	      /* IMAP_* */
	struct str *keywords; /* in the pool */
	size_t nkeywords;
};
/* "(" flags ")"; bare: also without parentheses (STORE).  \Recent is refused;
 * other flags with a backslash that we do not know are left out, as
 * PERMANENTFLAGS has said. */
bool imap_flag_list(struct imap_in *in, bool bare, struct imap_flags *out);
/* Maildir's letters and back; what IMAP does not know is left out. */
uint64_t imap_flags_to_store(uint8_t flags);
uint8_t imap_flags_of_store(uint64_t flags);

/* "17-Jul-1996 02:44:25 -0700", quoted: seconds since 1970. */
bool imap_date_time(struct imap_in *in, int64_t *out);
/* 1-Feb-1994, quoted or not: days since 1970. */
bool imap_date(struct imap_in *in, int64_t *day);

#endif
