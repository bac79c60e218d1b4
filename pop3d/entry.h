/* SPDX-License-Identifier: ISC */
#ifndef POP3D_ENTRY_H
#define POP3D_ENTRY_H

#include "frame/entry.h"

/* pop3d: one user's mail over POP3.  Serves the clients that spawner passes
 * (CLIENT) until none has been left for POP3D_IDLE_S, or spawner is gone. */
enum { POP3D_IDLE_S = 5 };

user_entry_fn pop3d_entry;

#endif
