/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_AUTOEXPUNGE_H
#define IMAPD_AUTOEXPUNGE_H

#include "autoexpunge_rule.h"
#include "net/loop.h"
#include "store/store.h"

/*
 * imap_autoexpunge: messages that have been in a folder for long are removed,
 * whatever their flags.  It is done when a session ends, at most once a day
 * (posthouse.autoexpunge remembers the last time), in portions between which
 * the sessions have their turn.
 *
 * The age counts from the last change of the file's inode (ctime): when it was
 * saved, copied or moved here, or renamed for a flag.  The internal date would
 * not do: what is moved to Trash today may be years old.
 */
struct autoexpunge;

/* "Trash=30d, Junk=30d"; NULL: nothing is to be done, or no memory.  root: the
 * mailbox's directory; both must live as long. */
struct autoexpunge *autoexpunge_new(struct loop *l, struct store *st, int root,
				    const char *user, struct str rules);
void autoexpunge_free(struct autoexpunge *a);

/* A session has ended: begin, if it is time and not under way. */
void autoexpunge_want(struct autoexpunge *a);
/* Under way: the process should not end yet. */
bool autoexpunge_is_busy(const struct autoexpunge *a);

#endif
