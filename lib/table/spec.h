/* SPDX-License-Identifier: ISC */
#ifndef TABLE_SPEC_H
#define TABLE_SPEC_H

#include "base/err.h"
#include "base/str.h"

/* How main.cf names tables, and the rows that stand in it.  Pure. */

/* Cut the next item off a list separated by commas or blanks, {...} kept
 * whole; false at the end. */
bool table_spec_next(struct str *list, struct str *item);
/* TYPE and NAME of a spec ("proxy:" dropped); false: it has no form of one. */
bool table_spec_split(struct str spec, struct str *type, struct str *name);

/* The inside of "{...}", blanks removed; false: it is not one such group. */
bool table_braces(struct str s, struct str *inside);

/* NAME of inline:NAME, "{a = b, {c = d e}}": what stands in the braces; -1
 * (PERM) if it is no such thing, or empty. */
ERR_WARN_UNUSED int table_inline_open(struct str name, struct str *rest,
				      struct err *err);
/* The next row: 1; 0 at the end; -1 (PERM).  The key is not empty. */
ERR_WARN_UNUSED int table_inline_next(struct str *rest, struct str *key,
				      struct str *value, struct err *err);

#endif
