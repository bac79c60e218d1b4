/* SPDX-License-Identifier: ISC */
#ifndef TABLE_TEXT_H
#define TABLE_TEXT_H

#include "base/buf.h"
#include "base/err.h"

/*
 * The text forms of lookup tables: postmap(5) "key value", aliases(5)
 * "name: value".  Both are made of logical lines: blank lines and lines whose
 * first text is "#" are skipped, a line that begins with a blank continues the
 * one before it.  Pure: shared by texthash:, `posthouse map` and the fuzzer.
 */
enum { TEXT_LINE_MAX = 1 << 20 };

enum text_form { TEXT_POSTMAP, TEXT_ALIASES };

struct text_walk {
	struct str rest;
	unsigned line; /* lines eaten so far */
	struct buf text, key;
};

struct text_row {
	struct str key;	  /* case-folded; aliases: without its quotes */
	struct str value; /* not empty, blanks at both ends removed */
	unsigned line;	  /* last line of the row, as Postfix counts */
};

/* text is borrowed for the walk. */
void text_init(struct text_walk *w, struct str text);
void text_fini(struct text_walk *w);

/* The next logical line, valid until the next call: 1; 0 at the end; -1 with
 * err for a line that is no use (too long, holds a NUL, continues nothing):
 * it was skipped, the walk goes on. */
ERR_WARN_UNUSED int text_line(struct text_walk *w, struct str *line,
			      struct err *err);

/* The next row, in the same way; -1 also for a line without key or value. */
ERR_WARN_UNUSED int text_row(struct text_walk *w, enum text_form form,
			     struct text_row *row, struct err *err);

/* Cut key and value of one logical line apart; the key keeps its quotes and
 * its case. */
ERR_WARN_UNUSED int text_pair(struct str line, struct str *key,
			      struct str *value, struct err *err);

#endif
