/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_WORKER_H
#define LOGIN_WORKER_H

#include "frame/asker.h"
#include "frame/listeners.h"
#include "frame/pop3_capa.h"
#include "frame/tls_client.h"
#include "net/addr.h"
#include "net/clients.h"

struct proto;
struct session;

/* What main.cf says. */
struct login_conf {
	bool plaintext_on_loopback;
	struct str mechanisms;	  /* SASL, as in auth_mechanisms */
	unsigned timeout_ms;	  /* from connection to login */
	unsigned failure_ms;	  /* before "no" is said */
	unsigned sessions;	  /* of this worker */
	unsigned client_sessions; /* of one client; 0: any number */
	struct pop3_capa pop3;
};

/* A login process; tests make their own, with askers of theirs. */
struct worker {
	struct loop *loop;
	struct daemon *d; /* NULL in tests */
	struct login_conf conf;
	struct asker *authd, *spawner;
	struct tls_client *tls;
	struct list sessions; /* oldest first */
	unsigned nsessions;
	struct list authsocks; /* connections on auth_socket */
	unsigned nauthsocks, last_cuid;
	struct clients clients;
	struct listeners listeners;
	struct event *first_word; /* of tlsd is waited for; NULL: no longer */
};

void worker_init(struct worker *w, struct loop *l);
/* Ends all sessions without a word. */
void worker_fini(struct worker *w);

/* A new connection: counts it against the limits, greets.  Takes fd. */
void worker_take(struct worker *w, const struct proto *proto, bool implicit_tls,
		 int fd, const struct addr *peer, const struct addr *self);
/* Called by a session as its last act. */
void worker_session_ended(struct worker *w, struct client *c);
void worker_authsock_ended(struct worker *w);

extern const struct daemon_ops login_ops;

#endif
