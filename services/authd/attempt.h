/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_ATTEMPT_H
#define AUTHD_ATTEMPT_H

#include "authd.h"
#include "exchange.h"
#include "frame/msg_pamd.h"
#include "net/clients.h"
#include "verify.h"

/*
 * An attempt to log in, from its first message to its answer: a user and a
 * password at once (AUTH), or a SASL exchange.
 *
 *	AUTH ──────────────────────────────────────────────► gate
 *	SASL_BEGIN ─► step ─► PLAIN, LOGIN: password there ─► gate
 *	               ▲ │    SCRAM: proof has come ────────► gate
 *	               │ └─► MORE ─► the client's turn
 *	             SASL_STEP ◄───────┘
 *	gate ─► check ─► hash in a thread, or SCRAM's step ─► judged ─► answer
 *
 * At the gate an attempt may be parked (penalty.h).  A password is compared
 *with the user's own and with the app passwords; that of a system user who is
 *not in the users file then goes to pamd.
 *
 * attempt_gate() is the one place before a password is checked,
 * attempt_check() the one that checks, attempt_judged() the one that learns
 * what came out, once for each attempt that passed the gate.
 */
enum attempt_state {
	ATTEMPT_CLIENT, /* waits for the client's next response */
	ATTEMPT_PARKED, /* at the gate: it may not be checked yet */
	ATTEMPT_WORK,	/* waits for a thread or pamd, or is there */
};

enum attempt_verdict { ATTEMPT_RIGHT, ATTEMPT_WRONG, ATTEMPT_UNDECIDED };

enum {
	/* Attempts of one asker at a time. */
	ATTEMPTS_MAX = 2048,
	/* A client that does not answer a challenge. */
	ATTEMPT_IDLE_MS = 60 * 1000,
	/* Passwords that wait for pamd, and for how long. */
	PAM_WAITING_MAX = 128,
	PAM_DEADLINE_MS = 20 * 1000,
};

/* A channel from login, submitd or spawner. */
struct peer {
	struct list link;
	struct authd *authd;
	struct chan *chan;
	uint8_t asker; /* SVC_LOGIN ... */
	/* Not spawner's, which only redeems. */
	struct work_queue queue;
	struct list attempts;
	struct map exchanges; /* by the asker's number */
	struct clients clients;
	unsigned n;
};

struct attempt {
	struct verify verify; /* must be first */
	struct list link;     /* of the peer's */
	struct list idle;     /* of authd's, in ATTEMPT_CLIENT */
	struct authd *authd;
	struct peer *peer; /* NULL: gone */
	struct chan *chan; /* a reference */
	struct client *count;
	enum attempt_state state;
	uint32_t tag; /* of the request that waits for an answer */
	uint8_t service;
	bool judged;
	bool cancelled;
	bool unknown;		 /* no password can be right */
	char client[64 + 1];	 /* an address, or "" */
	char user[USER_MAX + 1]; /* lower case */
	uint64_t credential;	 /* what was compared, user_credential() */
	uint64_t idle_until_ms;
	struct penalty_try penalty;
	uint64_t digest; /* of user and password, penalty_digest() */
	bool pam;	 /* nobody in the users file: pamd decides */
	char pam_user[USER_MAX + 1]; /* as passwd spells it; "": unknown */
	/* SASL */
	bool is_exchange;
	uint32_t number;
	struct exchange x;
	struct buf proof; /* SCRAM's second message while it is at the gate */
};

void attempt_on_auth(struct peer *p, uint32_t tag, const struct msg_auth *m);
void attempt_on_begin(struct peer *p, uint32_t tag,
		      const struct msg_sasl_begin *m);
void attempt_on_step(struct peer *p, uint32_t tag,
		     const struct msg_sasl_step *m);
void attempt_on_cancel(struct peer *p, const struct msg_sasl_cancel *m);

/* The asker is gone: nothing that waits is begun any more. */
void attempts_close(struct peer *p);
/* Those idle for too long end; milliseconds until the next, or -1. */
int64_t attempts_expire(struct authd *a, uint64_t now_ms);

/* The timer of those parked; after each change of authd.penalties. */
void attempts_await_gate(struct authd *a);
void attempts_on_gate(evutil_socket_t fd, short what, void *arg);

/* authd.c: the user's process can be started as this. */
bool authd_identity(struct authd *a, const char *name, struct identity *id);
/* The passwd entry of a system user whom PAM is asked about: PAM is on, the
 * user is not in the users file, and no daemon or administrator; or NULL. */
const struct user *authd_pam_user(struct authd *a, const char *name);
void authd_fail(struct chan *c, uint32_t tag, bool temp, const char *text,
		const char *user);

#endif
