/* SPDX-License-Identifier: ISC */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "frame/tls_client.h"
#include "letter.h"
#include "net/addr.h"
#include "settings.h"
#include "tls_policy.h"

/*
 * One connection to a server, from its greeting to QUIT: EHLO (HELO, LHLO),
 * STARTTLS, AUTH, then one transaction after another.  It knows nothing of
 * other servers, of the DNS, or of which letter comes next (deliver.c does).
 *
 *	GREETING ─► HELLO ─► [TLS ─► HELLO] ─► [AUTH] ─► READY ⇄ transaction
 */
struct session;

/* Decided before the connection was made. */
struct session_plan {
	bool lmtp;
	const struct settings *set; /* outlives the session */
	char host[256];		    /* as in the MX record or nexthop */
	struct addr addr;	    /* family AF_UNIX: a local socket */
	char relay[SEND_RELAY_MAX + 1];
	struct tls_plan tls;
	/* From smtp_sasl_password_maps; has_auth: the session is of no use
	 * without. Wiped with the session. */
	bool has_auth;
	char user[SITE_USER_MAX + 1], password[SITE_PASSWORD_MAX + 1];
	/* "mail for NEXTHOP loops back to myself": is looked for if this is the
	 * default port, and is PERM at the best MX, as in Postfix. */
	char nexthop[256];
	bool loop_detect, best_mx;
};

enum session_end {
	SESSION_LOST,	  /* the connection ended, or the server said 421, or
			     broke the protocol */
	SESSION_REFUSED,  /* greeting or EHLO was refused: not this server now;
			     fault.class PERM: as a whole (5yz greeting) */
	SESSION_NO_TLS,	  /* the handshake failed, or STARTTLS was refused: with
			     level TLS_MAY another connection without TLS may
			     work */
	SESSION_NO_LOGIN, /* the password was refused, or there is no way to
			     log in */
	SESSION_LOCAL,	  /* no memory, tlsd away: says nothing of the server */
	SESSION_STALE,	  /* a session that had been kept was closed by the
			     server before it answered anything to this
			     letter: try again on a new connection */
};

struct session_ops {
	/* Greeted, TLS and AUTH done as planned: session_send() may be called.
	 * Once. */
	void (*ready)(void *arg);
	/* The transaction is over: each recipient of the letter is settled or
	 * has a fault noted; the session is ready for another, unless
	 * reusable is false: then it says QUIT by itself and is freed after
	 * this call. */
	void (*done)(void *arg, bool reusable);
	/* It is over, at any point; f says why.  Recipients of a letter in hand
	 * that have no result yet got this fault noted (a server that closes
	 * after the final "." may have it: RFC 1047).  Freed after this
	 * call. */
	void (*end)(void *arg, enum session_end why, const struct fault *f);
};

/* fd: connected, non-blocking; taken in every case.  plan is copied.  tls may
 * be NULL where there is no tlsd.  NULL: no memory. */
struct session *session_new(struct loop *l, int fd,
			    const struct session_plan *plan,
			    struct tls_client *tls,
			    const struct session_ops *ops, void *arg);
/* A transaction with those recipients of l that are not settled and whose
 * number is in rcpts[] (copied); l outlives it.  Those that the server calls
 * too many (452) are sent in further transactions by the session itself. */
void session_send(struct session *s, struct letter *l, const uint32_t *rcpts,
		  uint32_t n);
/* The owner of a session that is kept changes with each letter. */
void session_set_owner(struct session *s, const struct session_ops *ops,
		       void *arg);
/* QUIT, without waiting for long; no callback follows. */
void session_quit(struct session *s);
/* At once. */
void session_free(struct session *s);
/* The last lines of the dialogue (passwords and texts left out), as in
 * msg_sent.dialog; valid until the next call. */
struct str session_dialog(const struct session *s);
/* How many transactions it has had, and since when it is open (clock_mono_ms),
 * for smtp_connection_reuse_*_limit. */
unsigned session_uses(const struct session *s);
uint64_t session_opened_ms(const struct session *s);

#endif
