/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_WORKER_H
#define LOGIN_WORKER_H

#include "frame/asker.h"
#include "frame/listeners.h"
#include "net/addr.h"
#include "net/clients.h"

struct proto;
struct session;

/* What main.cf says. */
struct login_conf {
	bool plaintext_on_loopback;
	unsigned timeout_ms;	  /* from connection to login */
	unsigned failure_ms;	  /* before "no" is said */
	unsigned sessions;	  /* of this worker */
	unsigned client_sessions; /* of one client; 0: any number */
};

/* A login process; tests make their own, with askers of theirs. */
struct worker {
	struct loop *loop;
	struct daemon *d; /* NULL in tests */
	struct login_conf conf;
	struct asker *authd, *spawner;
	struct list sessions; /* oldest first */
	unsigned nsessions;
	struct clients clients;
	struct listeners listeners;
};

void worker_init(struct worker *w, struct loop *l);
/* Ends all sessions without a word. */
void worker_fini(struct worker *w);

/* A new connection: counts it against the limits, greets.  Takes fd. */
void worker_take(struct worker *w, const struct proto *proto, int fd,
		 const struct addr *peer, const struct addr *self);
/* Called by a session as its last act. */
void worker_session_ended(struct worker *w, struct client *c);

extern const struct daemon_ops login_ops;

#endif
