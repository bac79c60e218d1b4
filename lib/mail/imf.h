/* SPDX-License-Identifier: ISC */
#ifndef MAIL_IMF_H
#define MAIL_IMF_H

#include "base/buf.h"
#include "base/pool.h"

/*
 * The header of a message as readers need it (RFC 5322): fields, addresses,
 * dates.  Everything takes what is there: mail is old and odd, and a reader
 * must show it.  Line ends may be LF or CRLF.
 */

struct imf_field {
	struct str name;
	struct str value; /* after the colon, folds kept, no final line end */
	struct str whole; /* the field with its line ends */
};

/* Cut the next field off *rest (a header block); false at its end or at the
 * empty line. A line that is no field is skipped. */
bool imf_next(struct str *rest, struct imf_field *f);

/* Append without line ends (RFC 5322 2.2.3) and blanks around it. */
void imf_unfold(struct buf *out, struct str value);
/* The same as a copy; STR_NULL if the pool is full. */
struct str imf_unfold_pool(struct pool *pool, struct str value);

/*
 * An address list, one after the other.  As IMAP's ENVELOPE wants it, a group
 * is an entry with host STR_NULL, then its members, then one with both
 * STR_NULL.  An address without "@" has the host "".  Encoded words are left
 * as they are.  What is no address gives what can be seen of one.
 */
struct imf_addr {
	struct str name;  /* .p NULL: none */
	struct str route; /* source route, .p NULL: none */
	struct str mailbox, host;
};
enum { IMF_COMMENT_DEPTH = 20 }; /* deeper: for lexers that judge, broken */

struct imf_addrs;
/* The strings are slices of value or in the pool.  NULL: no memory. */
struct imf_addrs *imf_addrs_new(struct pool *pool, struct str value);
bool imf_addrs_next(struct imf_addrs *l, struct imf_addr *a);
void imf_addrs_free(struct imf_addrs *l);

/* All of them, as an array in the pool; what is beyond IMF_ADDRS_MAX or the
 * pool is left out.  Returns the number. */
enum { IMF_ADDRS_MAX = 2000 };
size_t imf_addresses(struct pool *pool, struct str value,
		     struct imf_addr **out);

/*
 * TOKEN/TOKEN; NAME=VALUE... of Content-Type (RFC 2045 5.1) and
 * Content-Disposition (RFC 2183).
 */
struct imf_param {
	struct str name, value;
	struct imf_param *next;
};
enum { IMF_PARAMS_MAX = 1000 };
/* False: not so.  subtype may be NULL (no slash expected).  Continuations (RFC
 * 2231 3) are joined, as RFC 2231 6 asks of IMAP; percents stay. */
bool imf_content(struct pool *pool, struct str value, struct str *type,
		 struct str *subtype, struct imf_param **params);
/* The value of a parameter, .p NULL if it is not there. */
struct str imf_param_get(const struct imf_param *params, struct str name);
/* The first token or quoted string of a value; .p NULL: none. */
struct str imf_token(struct pool *pool, struct str value);

/* A civil date: days since 1970-01-01. */
int64_t imf_days(int year, int month, int day);
/* The Date field: day as written, without regard to the zone (for SEARCH
 * SENTBEFORE...), and the moment in seconds since 1970; -1: not a date. */
int imf_date(struct str value, int64_t *day, int64_t *moment);
/* 1..12 of "Jan", 0: none. */
int imf_month(struct str name);

#endif
