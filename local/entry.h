/* SPDX-License-Identifier: ISC */
#ifndef LOCAL_ENTRY_H
#define LOCAL_ENTRY_H

#include "frame/entry.h"

/* deliver: write mail below one root as one user.  Serves the channels that
 * spawner passes (USER_PEER) until none has been left for DELIVER_IDLE_S, or
 * spawner is gone and the last one is closed. */
enum { DELIVER_IDLE_S = 10 };

user_entry_fn deliver_entry;

/* mbox: append to one mbox, which is open already; lend it, locked, to a
 * taker.  Lives as deliver does. */
user_entry_fn mbox_entry;

/* taker: move the messages of an mbox that spawner lends into the Maildir that
 * is its root; once. */
user_entry_fn taker_entry;

#endif
