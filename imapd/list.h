/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_LIST_H
#define IMAPD_LIST_H

#include "match.h"
#include "parse.h"

/* Items of STATUS (RFC 9051 6.3.11, RFC 7162, RFC 7889). */
enum {
	STATUS_MESSAGES = 1,
	STATUS_RECENT = 2,
	STATUS_UIDNEXT = 4,
	STATUS_UIDVALIDITY = 8,
	STATUS_UNSEEN = 16,
	STATUS_DELETED = 32,
	STATUS_SIZE = 64,
	STATUS_HIGHESTMODSEQ = 128,
	STATUS_APPENDLIMIT = 256,
};
/* "(" items ")" */
bool imap_status_items(struct imap_in *in, unsigned *items);

/* Behind CREATE's name (RFC 6154 3): " (USE (\\Sent))", or nothing.  *uses:
 * FOLDER_*, or UINT_MAX for one that we do not have. */
bool imap_create_params(struct imap_in *in, unsigned *uses);

/*
 * The arguments of LIST, plain or extended (RFC 9051 6.3.9, which has taken in
 * RFC 5258, RFC 5819 and the options of RFC 6154), and of LSUB, which is an
 * extended LIST with other words.
 */
enum {
	LIST_SUBSCRIBED = 1, /* select, or show */
	LIST_SPECIAL_USE = 2,
	LIST_REMOTE = 4,
	LIST_RECURSIVE = 8, /* also what is above a selected name */
	LIST_CHILDREN = 16,
	LIST_STATUS = 32,
};
enum { IMAP_PATTERNS_MAX = 50 };
struct list_request {
	bool extended;
	unsigned select, show;
	unsigned status; /* items */
	struct str reference;
	struct str *names; /* with wildcards */
	size_t n;
};
bool imap_list_parse(struct imap_in *in, struct list_request *r);

#endif
