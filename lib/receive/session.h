/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_SESSION_H
#define RECEIVE_SESSION_H

#include "frame/asker.h"
#include "frame/sasl_client.h"
#include "frame/tls_client.h"
#include "mail/smtpline.h"
#include "net/conn.h"
#include "receive/txn.h"

/*
 * One client's session.  session.c is the only writer of .state, by
 * session_enter().  Handlers return a reply and never write to the socket;
 * while a reply is pending the session takes no input, so that replies keep
 * the order of the commands.
 */
enum session_state {
	SESSION_START, /* no HELO or EHLO yet */
	SESSION_READY,
	SESSION_MAIL,	/* MAIL was accepted */
	SESSION_RCPT,	/* and a recipient as well */
	SESSION_DATA,	/* the text comes in */
	SESSION_COMMIT, /* the text is complete; qmgr is to store it */
	SESSION_AUTH,	/* a SASL exchange: lines are responses */
	SESSION_TLS,	/* tlsd shakes hands; there is no conn */
	SESSION_STATES,
};

extern const char *const session_state_names[SESSION_STATES];

struct worker;

/* Who the client has proved to be, and the attempt to (receiver.auth). */
struct login {
	char user[USER_MAX + 1]; /* "": nobody */
	char mech[SASL_MECH_MAX + 1];
	struct sasl_exchange sasl;
	uint64_t asked; /* monotonic ms */
	unsigned failed;
};

struct session {
	struct list link;
	struct worker *w;
	struct conn *conn;
	enum session_state state;
	struct addr peer;
	struct client *client;
	char ip[ADDR_TEXT_MAX];
	char who[ADDR_TEXT_MAX + 16];  /* "unknown[192.0.2.1]", for the log */
	bool local;		       /* a program of this host: */
	uint32_t uid;		       /* of this user */
	struct uid_use *use;	       /* and what it takes */
	bool listing;		       /* the queue is being shown: rows of */
	char listed[QUEUE_ID_MAX + 1]; /* this message come now */
	struct tls_facts *tls;	       /* NULL: plain */
	uint32_t tls_tag;
	struct login login;
	char helo[HELO_MAX + 1];
	bool trusted; /* may send anywhere, without a login */
	bool esmtp;
	bool pending;	     /* a reply is due */
	bool skipping;	     /* an overlong command, up to its CR LF */
	bool pipelined;	     /* improper pipelining was logged */
	bool busy;	     /* session_input() runs */
	enum smtp_verb verb; /* being handled, or the last one */
	bool greeted;	     /* a command has come at all */
	unsigned errors, junk;
	uint32_t all[SMTP_VERBS], good[SMTP_VERBS];
	uint64_t deadline; /* monotonic ms */

	/* The question that reply waits for. */
	struct asker *asked;
	uint32_t tag;
	struct smtp_rcpt rcpt; /* RCPT in question */
	char dsn[16];	       /* of a reply whose code came from a peer */
	char soft_dsn[16];     /* of one that soft_bounce changed */

	struct buf held;   /* a reply that is made to come late */
	uint8_t held_then; /* enum reply_then */
	struct event *delay;
	struct txn txn;
};

enum reply_kind { REPLY_NOW, REPLY_LATER };
enum reply_then { REPLY_GO_ON, REPLY_CLOSE, REPLY_TLS };

struct reply {
	enum reply_kind kind;
	enum reply_then then;
	bool log; /* as a rejection */
	uint16_t code;
	const char *dsn;  /* NULL: none */
	const char *text; /* may have several lines; valid until it is sent */
	unsigned late_ms; /* say it so much later */
};

struct reply reply_now(unsigned code, const char *dsn, const char *text);
/* The text is kept in the worker until the next reply_nowf(). */
struct reply reply_nowf(struct session *s, unsigned code, const char *dsn,
			const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The handler has asked somebody, who will call session_answer(). */
struct reply reply_later(void);
/* The same reply, logged as "NOQUEUE: reject: ...". */
struct reply reply_log(struct reply r);
struct reply reply_close(struct reply r);

/* Takes the descriptor; greets the client, under TLS if tls is set.  NULL: no
 * memory, or TLS is not to be had. */
struct session *session_new(struct worker *w, int fd, const struct addr *peer,
			    bool tls);
/* The same for a program of this host, run by uid. */
struct session *session_new_local(struct worker *w, int fd, uint32_t uid);
/* The handshake is done (s->tls): go on with the plain stream; takes fd. */
void session_tls_up(struct session *s, int fd);
/* End it without a word (the worker goes away). */
void session_free(struct session *s);
/* End it with 421, unless its message is just being stored. */
void session_shutdown(struct session *s);

void session_enter(struct session *s, enum session_state state);
/* Give up the transaction: back to SESSION_READY (or SESSION_START). */
void session_reset(struct session *s);
/* All that the client has said, but for its errors. */
void session_forget(struct session *s);
/* The connection is gone. */
void session_lost(struct session *s);
/* The reply that was pending. */
void session_answer(struct session *s, struct reply r);
/* In an exchange: ask for a line with this challenge. */
void session_challenge(struct session *s, struct str challenge);
/* What MAIL and RCPT may say to this client (enum smtp_offer). */
unsigned session_offers(const struct session *s);
/* Is this somebody who may send anywhere? */
bool session_may_send(const struct session *s);
/* There may be input to go on with. */
void session_input(struct session *s);
/* The client has its full time again. */
void session_progress(struct session *s);
/* "NOQUEUE: reject: ..." */
void session_log_reject(const struct session *s, const struct reply *r);
/* With soft_bounce a failure becomes a delay. */
void session_soften(struct session *s, struct reply *r);

#endif
