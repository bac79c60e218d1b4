/* SPDX-License-Identifier: ISC */
#ifndef STORE_KEYWORDS_H
#define STORE_KEYWORDS_H

#include "base/map.h"
#include "store/index.h"

/*
 * The keywords of a folder, and the sets of them that its messages have.  Both
 * are numbered in the order they were made, and none ever goes.  Set 0 is
 * empty.
 */
struct keyword {
	uint32_t id;
	char *folded;
	char name[];
};
struct keyword_set {
	uint32_t number, n;
	uint32_t ids[]; /* ascending */
};
struct keywords {
	struct keyword **v;
	uint32_t n, size;
	struct keyword_set **set; /* [0] is NULL */
	uint32_t nsets, sets_size;
	struct map by_name, by_ids;
};

void keywords_init(struct keywords *k);
void keywords_fini(struct keywords *k);

/* What IMAP can send: an atom (RFC 9051 9, flag-keyword). */
bool keyword_is_name(struct str s);

/* Case is ignored.  KEYWORD_NONE: there is none. */
uint32_t keywords_find(const struct keywords *k, struct str name);
/* The next id; KEYWORD_NONE: no room, not a name, or there already. */
uint32_t keywords_add(struct keywords *k, struct str name);

/* ids ascending, none twice.  UINT32_MAX: there is none. */
uint32_t keywords_find_set(const struct keywords *k, const uint32_t *ids,
			   uint32_t n);
/* The next number; UINT32_MAX: no memory, not such ids, or there already. */
uint32_t keywords_add_set(struct keywords *k, const uint32_t *ids, uint32_t n);
/* Of a number that is none: the empty one. */
const uint32_t *keywords_set(const struct keywords *k, uint32_t set, size_t *n);

/* Forget what was added after there were so many. */
void keywords_cut(struct keywords *k, uint32_t n, uint32_t nsets);

#endif
