/* SPDX-License-Identifier: ISC */
#ifndef TABLE_ADDRESSES_H
#define TABLE_ADDRESSES_H

#include "base/buf.h"

/*
 * The right-hand side of aliases(5) and virtual(5): addresses separated by
 * commas or blanks, each perhaps as "Name <addr>" or with (comments), a local
 * part perhaps quoted; in aliases(5) also commands, files and lists.
 */
enum dest_kind {
	DEST_ADDRESS, /* user@domain, @domain or user */
	DEST_MAILBOX, /* \user: this user's mailbox, no alias any more */
	DEST_COMMAND, /* |command */
	DEST_FILE,    /* /file */
	DEST_INCLUDE, /* :include:/file */
	DEST_BAD,     /* control characters, nothing between < and > */
};

/* Cut the next one off *rest: its text stands in item (without backslash of
 * \user; "..." around the whole item removed).  False at the end.  Pure; item
 * is reset first; an item past its limit is DEST_BAD. */
bool addresses_next(struct str *rest, struct buf *item, enum dest_kind *kind);

#endif
