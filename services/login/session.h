/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_SESSION_H
#define LOGIN_SESSION_H

#include "frame/msg_spawner.h"
#include "frame/sasl_client.h"
#include "imap_parse.h"
#include "net/conn.h"
#include "worker.h"

/*
 * One connection before login, the same for both protocols:
 *
 *   TLS ──up──► READY ──LOGIN, PASS, AUTH──► CHECKING ──authd: yes──► STARTING
 *    ▲           │ ▲ ▲                        │ ▲  │ no                │   │
 *    └─STARTTLS──┘ │ └──────── PENALTY ◄──────│─│──┘                   │   ▼
 *                  │          SASL ◄──more────┘ │                      │ gone,
 *                  │            └──a line───────┘          spawner:    │ to
 *                  └────────────────────────────────────── cannot ◄────┘ imapd
 *
 * A connection for TLS from its first byte begins in TLS.  In all states but
 * READY and SASL no input is taken.
 */
enum login_state {
	LOGIN_READY,
	LOGIN_TLS,	/* tlsd has the connection and shakes hands */
	LOGIN_SASL,	/* the client owes a line of an exchange */
	LOGIN_CHECKING, /* authd is asked */
	LOGIN_PENALTY,	/* the answer is no, it is said later */
	LOGIN_STARTING, /* spawner is asked; we hold but a duplicate */
	LOGIN_CLOSED,
};

/* What a protocol has to find words for. */
enum login_say {
	SAY_AUTH_FAILED,
	SAY_TEMPORARY,	 /* could not be decided */
	SAY_UNAVAILABLE, /* right password, but no process for it */
	SAY_SASL_CANCELLED,
	SAY_SASL_BAD,	/* a response that is no base64 */
	SAY_BYE_FAILED, /* too many wrong passwords */
	SAY_BYE_ERRORS, /* too many commands that make no sense */
	SAY_BYE_LOST,	/* input that cannot be followed */
	SAY_BYE_TIMEOUT,
	SAY_BYE_BUSY, /* too many connections */
};

struct proto {
	const char *name; /* "imap-login" */
	enum service_id service;
	enum tls_use tls;
	void (*greet)(struct session *s);
	/* Eat one command of the input; false: nothing complete is there, or
	 * the session has ended. */
	bool (*input)(struct session *s);
	void (*say)(struct session *s, enum login_say what);
	/* One line for a client that is turned away at once. */
	const char *busy;
};
extern const struct proto login_imap, login_pop3;

enum {
	LOGIN_ATTEMPTS_MAX = 3, /* wrong passwords */
	LOGIN_ERRORS_MAX = 10,	/* bad commands */
	LOGIN_INPUT_MAX = PENDING_MAX,
	LOGIN_OUTPUT_MAX = 65536,
	LOGIN_LINE_MAX = 1000, /* of ours, without a challenge */
};
_Static_assert((int)LOGIN_INPUT_MAX >= (int)IMAP_COMMAND_MAX,
	       "a command must fit");
_Static_assert((int)LOGIN_INPUT_MAX > (int)SASL_LINE_MAX + 2,
	       "a response must fit");

struct session {
	struct list link;
	struct worker *w;
	const struct proto *proto;
	struct client *client;
	enum login_state state;
	struct conn *conn;   /* NULL in TLS and STARTING */
	int fd;		     /* while STARTING: our duplicate; else -1 */
	struct buf pending;  /* while STARTING: input not yet read */
	struct event *timer; /* PENALTY */
	struct asker *asked; /* whom, and */
	uint32_t ask;	     /* what: 0 nothing */
	uint32_t tls_ask;    /* the same of tlsd */
	struct sasl_exchange sasl;
	struct tls_facts *tls; /* NULL: no TLS */
	uint64_t begin_ms, attempt_ms;
	struct addr peer, self;
	bool secured; /* passwords may be sent on this connection */
	bool tried_plaintext;
	bool greets;		    /* once TLS is up */
	unsigned attempts;	    /* wrong passwords */
	unsigned errors;	    /* commands that made no sense */
	char id[17];		    /* for the log */
	char tag[IMAP_TAG_MAX + 1]; /* of the IMAP command in work */
	char user[USER_MAX + 1];    /* last name that was tried */
	char method[SASL_MECH_MAX + 1];
	unsigned continued;	      /* IMAP: "+" given to this command */
	char pop3_user[USER_MAX + 1]; /* of USER, until PASS */
	bool utf8;		      /* POP3: the client said UTF8 */
};

/* Takes fd; greets, under TLS first if implicit_tls.  NULL: out of memory, or
 * there is no tlsd (logged). */
struct session *session_new(struct worker *w, const struct proto *proto,
			    bool implicit_tls, struct client *client, int fd,
			    const struct addr *peer, const struct addr *self);

/* Ask whether this is right; input stops until it is known.  The slices are
 * wiped by the caller. */
void session_login(struct session *s, struct str user, struct str password);

/* May the client ask for TLS now? */
bool session_offers_tls(const struct session *s);
/* Appends the mechanisms to announce; none where passwords may not be sent. */
void session_mechanisms(const struct session *s, const char *prefix,
			struct buf *out);
bool session_offers(const struct session *s, struct str mech);
/* May a name and a password come by themselves (LOGIN, USER and PASS)?  They
 * are PLAIN in other words. */
bool session_takes_passwords(const struct session *s);
/* AUTHENTICATE, AUTH of an offered mechanism: initial as in sasl_begin().  What
 * follows is said and done here. */
void session_sasl(struct session *s, struct str mech, struct str initial);
/* A line while in LOGIN_SASL. */
void session_sasl_line(struct session *s, struct str line);
/* The only writer of s->state. */
void session_enter(struct session *s, enum login_state state);
/* The client said goodbye. */
void session_quit(struct session *s);
/* Say it, log the reason, close. */
void session_bye(struct session *s, enum login_say what, const char *why);
/* To make room for others. */
void session_evict(struct session *s);
/* At once, without a word. */
void session_free(struct session *s);

/* posthouse who: what there is to say of it. */
void session_row(const struct session *s, struct chan *c, uint32_t tag);

/* Drop n bytes of input, wiping them: they may hold a password. */
void session_consume(struct session *s, size_t n);

#endif
