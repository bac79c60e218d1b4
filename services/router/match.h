/* SPDX-License-Identifier: ISC */
#ifndef ROUTER_MATCH_H
#define ROUTER_MATCH_H

#include "base/pool.h"
#include "table/table.h"

/*
 * A list of patterns as in mydestination: name, TYPE:TABLE (the key is there),
 * /FILE (its items stand in its place, read when the list is opened), each
 * with "!" in front to exclude.  The first item that matches decides.
 */
struct match_item {
	bool negated;
	struct str name; /* NULL for a table */
	struct table *table;
};

struct match_list {
	struct match_item *v;
	size_t n, size;
	/* How a domain matches by its parents; MATCH_WHOLE until it is set. */
	enum match_parents {
		MATCH_WHOLE,  /* not at all */
		MATCH_DOTTED, /* ".example.com" is all below */
		MATCH_BELOW,  /* "example.com" is itself and all below */
	} parents;
};

/* Names live in pool. -1: a bad spec (PERM), an unreadable /FILE, memory. */
ERR_WARN_UNUSED int match_open(struct match_list *m, struct str items,
			       struct table_set *set, struct pool *pool,
			       struct err *err);
void match_close(struct match_list *m);
/* 1: in the list; 0: not, or excluded; -1: a table cannot be read (TEMP). */
ERR_WARN_UNUSED int match_has(const struct match_list *m, struct str name,
			      struct err *err);

#endif
