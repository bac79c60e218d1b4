/* SPDX-License-Identifier: ISC */
#ifndef FRAME_LISTENERS_H
#define FRAME_LISTENERS_H

#include "frame/daemon.h"
#include "net/addr.h"

/*
 * The listening sockets of a worker: those it was started with, by the names
 * in its row of the service table, and those that master lends it while a
 * sibling cannot be started.
 */
struct listeners {
	struct daemon *d;
	struct listener *first;
	/* A connection; takes fd, which is non-blocking.  name is the
	 * parameter ("listen_smtp").  peer's family is AF_UNIX for a socket in
	 * the file system; then there is nothing else in it, see
	 * listeners_peer_uid().  May close the listeners. */
	void (*on_connection)(struct daemon *d, const char *name, int fd,
			      const struct addr *peer);
	bool closed; /* takes nothing any more */
};

/* Open all sockets of d's row. */
ERR_WARN_UNUSED int listeners_open(struct listeners *ls, struct daemon *d,
				   struct err *err);
/* A table message of master: fd is a lent socket if name is one of the row's
 * and the listeners are open; else it is closed. Takes fd. */
void listeners_lend(struct listeners *ls, struct str name, int fd);
/* Close them all, also for the sake of an address that is configured no
 * longer: it must not go on taking clients whom nobody greets. */
void listeners_close(struct listeners *ls);

/* Who has connected through a socket in the file system. */
ERR_WARN_UNUSED int listeners_peer_uid(int fd, uint32_t *uid, struct err *err);

#endif
