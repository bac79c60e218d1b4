/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SEARCH_H
#define IMAPD_SEARCH_H

#include "keys.h"
#include "mail/mime.h"
#include "parse.h"
#include "store/store.h"
#include "store/text.h"
#include "view.h"

/* --- search_parse.c: a search program (RFC 3501 6.4.4) as a tree -----------
 */
enum search_kind {
	SEARCH_ALL,
	SEARCH_FLAG, /* flag is set; unset: is not set */
	SEARCH_KEYWORD,
	SEARCH_RECENT,
	SEARCH_SEQ,
	SEARCH_UID,
	SEARCH_MODSEQ, /* at least (RFC 7162) */
	SEARCH_LARGER,
	SEARCH_SMALLER,
	SEARCH_BEFORE, /* internal date */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_OLDER, /* so many seconds at least (RFC 5032) */
	SEARCH_YOUNGER,
	SEARCH_SENTBEFORE, /* Date: */
	SEARCH_SENTON,
	SEARCH_SENTSINCE,
	SEARCH_HEADER, /* field contains text */
	SEARCH_BODY,
	SEARCH_TEXT,
	SEARCH_NOT, /* a */
	SEARCH_OR,  /* a, b */
	SEARCH_AND, /* a and those behind it by next, the cheap ones first */
};

/* What must be looked at to answer a key. */
enum search_cost {
	COST_INDEX,
	COST_STAT,   /* size and date, mostly known too */
	COST_KEYS,   /* the record of keys.h */
	COST_HEADER, /* the message's header */
	COST_BODY,   /* all of it */
	COSTS,
};

struct search_key {
	enum search_kind kind;
	enum search_cost cost; /* of it and all below */
	struct search_key *a, *b, *next;
	bool unset;
	uint8_t flag;
	uint64_t num; /* a size, seconds, a keyword's id */
	int64_t day;  /* since 1970 */
	uint64_t modseq;
	struct imap_set set;
	struct str name;	    /* of a header field, of a keyword */
	int field;		    /* the same as an imap_keys_field, or -1 */
	struct header_text *header; /* of that field; NULL: no message has it */
	struct text_needle needle;
	uint32_t scanned; /* UID of the message that needle.found is of */
};

/* RFC 4731 3.1, RFC 5182 2 */
/* RFC 5267 3.1: with SORT, MIN and MAX are the first and the last. */
enum search_return {
	RETURN_MIN = 1,
	RETURN_MAX = 2,
	RETURN_ALL = 4,
	RETURN_COUNT = 8,
	RETURN_SAVE = 16,
};

struct search {
	struct search_key *top;
	bool extended; /* RETURN was there */
	unsigned ret;  /* enum search_return */
	bool has_charset, bad_charset;
	bool has_modseq;
	bool has_numbers; /* message numbers, but for "$" */
	size_t keys;
	/* while it is read */
	struct str charset; /* .p NULL: UTF-8 */
};

/* [RETURN (...)] of SEARCH and SORT. */
bool imap_search_return(struct imap_in *in, struct search *out);
/* [CHARSET name] keys: what stands behind SEARCH [RETURN (...)]; call it after
 * imap_search_return() or with *out zeroed. False with bad_charset set: the
 * charset is not ours. */
bool imap_search_parse(struct imap_in *in, struct search *out);
/* charset keys: the same, as SORT and THREAD have it (RFC 5256 5). */
bool imap_search_parse_sort(struct imap_in *in, struct search *out);

/* --- search_match.c: which messages match? ---------------------------------
 */
struct imap_session;

enum search_verdict { SEARCH_NO, SEARCH_YES, SEARCH_UNKNOWN };

/* Goes through the view, a message at a time. */
struct searcher {
	struct imap_session *s;
	struct search *sr;
	int64_t now;	/* for OLDER, YOUNGER */
	unsigned costs; /* that are in the program, a bit each */
	struct imap_walk walk;
	struct imap_set all;
	struct imap_range all_range;
	/* the message */
	bool busy; /* it is not decided */
	size_t slot;
	uint32_t seq, uid;
	enum search_cost level; /* what may be looked at */
	bool gone;		/* cannot be read: it matches nothing */
	bool read;		/* a file was */
	bool has_keys, has_header, has_texts;
	struct imap_keys keys;
	struct buf blob;   /* of keys, if it was made now */
	struct buf header; /* as it stands in the file */
	struct map texts;  /* of its fields, by name in lower case */
	struct search_body *body;
	struct search_key **wanted; /* to be looked for in the body */
	size_t nwanted;
};
/* "*", "$" and names of keywords become numbers. s and sr stay the caller's.
 * -1: no memory. */
int searcher_init(struct searcher *a, struct imap_session *s,
		  struct search *sr);
void searcher_fini(struct searcher *a);

enum search_next { SEARCH_FOUND, SEARCH_MORE, SEARCH_END };
/* A portion of the work: to the next message that matches (slot, seq, uid) if
 * it is near; SEARCH_MORE: call again. */
enum search_next searcher_next(struct searcher *a);

/* Of the message found; false: it is gone. */
bool searcher_keys(struct searcher *a); /* into a->keys */
bool searcher_size(struct searcher *a, uint64_t *size);
bool searcher_arrival(struct searcher *a, int64_t *t);
/* Of its Date, or else its arrival (RFC 5256 2.2). */
bool searcher_sent(struct searcher *a, int64_t *t);

/* --- cmd_search.c: also for SORT and THREAD --------------------------------
 */
struct search_found {	      /* numbers */
	struct imap_range *v; /* ascending and disjoint; free() */
	size_t n, size;
};
/* n is above all that are there; false: no memory. */
bool imap_found_add(struct search_found *f, uint32_t n);
/* Read the program and begin; false: the reply is set. */
bool imap_search_begin(struct imap_session *s, struct imap_in *in,
		       struct search *sr, struct searcher *a,
		       bool (*parse)(struct imap_in *, struct search *));
/* What RETURN asks for: of the messages, in the order of the answer. */
struct search_result {
	uint32_t count;
	uint32_t min, max;	   /* the first and the last, as said */
	uint32_t min_uid, max_uid; /* 0: there is none, or no more */
	uint64_t modseq, min_modseq, max_modseq; /* the highest; of them */
};
/* "* ESEARCH" up to the numbers of ALL, which follow if there are any. */
void imap_say_esearch(struct imap_session *s, const struct search *sr,
		      const struct search_result *r);
/* For SAVE; uids: all, ascending and disjoint.  -1: no memory. */
int imap_search_save(struct imap_session *s, const struct search *sr,
		     const struct search_result *r,
		     const struct search_found *uids);
/* NO, for want of memory; code: the response code. */
void imap_search_failed(struct imap_session *s, const struct search *sr,
			const char *code);

/* --- search_header.c -------------------------------------------------------
 * The fields that keys ask for, in a map by name. */
/* The key's field is one of them: k->header.  -1: no memory. */
int search_header_want(struct map *texts, struct pool *pool,
		       struct search_key *k);
void search_header_fini(struct map *texts);
/* Decode all that stand in this header.  known: the record of the same message,
 * which answers for the fields it has; NULL: none. */
void search_header_read(struct map *texts, struct str header,
			const struct imap_keys *known);
bool search_header_has(const struct search_key *k);

/* --- search_body.c ---------------------------------------------------------
 * Look through the text of a message: the bodies of its text parts, the headers
 * of all parts below the top, and for TEXT its header. */
struct search_body;
/* Keys are BODY or TEXT; k->needle.found will tell. NULL with err. */
struct search_body *search_body_open(struct mailbox *mb, uint32_t uid,
				     struct search_key *const *keys, size_t n,
				     struct err *err);
/* A portion. 1: call again, 0: done, -1: it cannot be read (err). */
ERR_WARN_UNUSED int search_body_step(struct search_body *b, struct err *err);
void search_body_close(struct search_body *b);

#endif
