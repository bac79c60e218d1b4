/* SPDX-License-Identifier: ISC */
#ifndef SPAWNER_POKE_H
#define SPAWNER_POKE_H

#include "proc.h"

/*
 * deliver says that a Maildir has new mail; the imapd processes of that
 * Maildir are told, by its place alone: virtual users share a uid.  A deliver
 * process can poke only below its own root.  Nothing waits for it and nothing
 * is lost with it: imapd looks itself, too (inotify, or once in a while).
 */
void poke(struct procs *ps, const struct proc *deliver, struct str path);

/* A process begins and ends: only imapd is told of mail.  Without memory it is
 * not. */
void poke_enter(struct proc *p);
void poke_leave(struct proc *p);

#endif
