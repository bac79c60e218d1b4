/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_WORKER_H
#define SMTPD_WORKER_H

#include "frame/listeners.h"
#include "net/clients.h"
#include "session.h"

/*
 * One smtpd process: listeners, sessions, the two peers it asks.  Limits are
 * counted here and nowhere else: each worker has its own.
 */
struct worker {
	struct daemon *d;
	struct smtpd_conf conf;
	struct listeners listeners;
	struct asker *router, *qmgr;
	unsigned qmgr_epoch; /* counts the lost connections */
	bool pressure;	     /* qmgr takes no mail now */
	char pressure_text[TEXT_MAX + 1];
	struct list sessions;
	unsigned nsessions;
	uint64_t taken;	   /* sessions since the start */
	struct list spare; /* sessions to be used again */
	unsigned nspare;
	struct clients clients;
	char text[1024]; /* of reply_nowf() */
};

extern const struct daemon_ops smtpd_ops;

/* An accepted connection; takes fd. */
void worker_take(struct worker *w, int fd, const struct addr *peer);
/* All of it, with its sessions; for tests (a process just exits). */
void worker_free(struct worker *w);
/* Called by session.c when a session has ended. */
void worker_session_ended(struct worker *w, struct session *s);

#endif
