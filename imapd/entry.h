/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_ENTRY_H
#define IMAPD_ENTRY_H

#include "frame/entry.h"

/* The user's imapd: serves until its last client has left. */
user_entry_fn imapd_entry;

#endif
