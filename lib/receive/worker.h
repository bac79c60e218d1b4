/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_WORKER_H
#define RECEIVE_WORKER_H

#include "frame/listeners.h"
#include "net/clients.h"
#include "receive/receiver.h"
#include "receive/session.h"
#include "receive/uids.h"

/*
 * One process that receives mail: listeners, sessions, the two peers it asks.
 * Limits are counted here and nowhere else: each worker has its own.
 */
struct worker {
	const struct receiver *r;
	struct daemon *d;
	struct receive_conf conf;
	struct listeners listeners;
	bool serving; /* the listeners are open, or were */
	struct asker *router, *qmgr;
	struct asker *authd;	/* NULL: there are no logins */
	struct tls_client *tls; /* NULL: TLS is not offered */
	unsigned qmgr_epoch;	/* counts the lost connections */
	bool pressure;		/* qmgr takes no mail now */
	char pressure_text[TEXT_MAX + 1];
	struct list sessions;
	unsigned nsessions;
	uint64_t taken;	   /* sessions since the start */
	struct list spare; /* sessions to be used again */
	unsigned nspare;
	struct clients clients;
	struct uids uids;
	struct buf passwd; /* the password file, of who asks for it */
	char text[1024];   /* of reply_nowf() */
};

/* An accepted connection; takes fd.  tls: TLS comes first. */
void worker_take(struct worker *w, int fd, const struct addr *peer, bool tls);
/*
 * A connection from a program of this host, which uid runs (SO_PEERCRED); takes
 * fd.  A local session needs no login and may send anywhere, is offered neither
 * AUTH nor STARTTLS, and counts in the limits of its user (but root) instead of
 * those of client addresses.
 */
void worker_take_local(struct worker *w, int fd, uint32_t uid);
/* All of it, with its sessions; for tests (a process just exits). */
void worker_free(struct worker *w);
/* Called by session.c when a session has ended. */
void worker_session_ended(struct worker *w, struct session *s);

#endif
