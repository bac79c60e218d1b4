/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_SESSION_H
#define LOGIN_SESSION_H

#include "frame/msg_spawner.h"
#include "imap_parse.h"
#include "net/conn.h"
#include "worker.h"

/*
 * One connection before login, the same for both protocols:
 *
 *   READY ──LOGIN, PASS──► CHECKING ──authd: yes──► STARTING ──► gone, to
 *     ▲  ▲                    │ no                     │         imapd, pop3d
 *     │  └──── PENALTY ◄──────┘                        │
 *     └──────────────── spawner: cannot ◄──────────────┘
 *
 * SASL is READY with one line of response expected.  In all states but READY
 * and SASL no input is taken.
 */
enum login_state {
	LOGIN_READY,
	LOGIN_SASL,
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
	SAY_BYE_FAILED,	 /* too many wrong passwords */
	SAY_BYE_ERRORS,	 /* too many commands that make no sense */
	SAY_BYE_LOST,	 /* input that cannot be followed */
	SAY_BYE_TIMEOUT,
	SAY_BYE_BUSY, /* too many connections */
};

struct proto {
	const char *name; /* "imap-login" */
	enum service_id service;
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
};
_Static_assert((int)LOGIN_INPUT_MAX >= (int)IMAP_COMMAND_MAX,
	       "a command must fit");

struct session {
	struct list link;
	struct worker *w;
	const struct proto *proto;
	struct client *client;
	enum login_state state;
	struct conn *conn;   /* NULL while STARTING */
	int fd;		     /* while STARTING: our duplicate; else -1 */
	struct buf pending;  /* while STARTING: input not yet read */
	struct event *timer; /* PENALTY */
	struct asker *asked; /* whom, and */
	uint32_t ask;	     /* what: 0 nothing */
	uint64_t begin_ms, attempt_ms;
	struct addr peer, self;
	bool plaintext; /* passwords may be sent on this connection */
	bool tried_plaintext;
	unsigned attempts;	      /* wrong passwords */
	unsigned errors;	      /* commands that made no sense */
	char id[17];		      /* for the log */
	char tag[IMAP_TAG_MAX + 1];   /* of the IMAP command in work */
	char user[USER_MAX + 1];      /* last name that was tried */
	unsigned continued;	      /* IMAP: "+" given to this command */
	char pop3_user[USER_MAX + 1]; /* of USER, until PASS */
};

/* Takes fd; greets.  NULL: out of memory. */
struct session *session_new(struct worker *w, const struct proto *proto,
			    struct client *client, int fd,
			    const struct addr *peer, const struct addr *self);

/* Ask whether this is right; input stops until it is known.  The slices are
 * wiped by the caller. */
void session_login(struct session *s, struct str user, struct str password);
/* The only writer of s->state. */
void session_enter(struct session *s, enum login_state state);
/* The client said goodbye. */
void session_quit(struct session *s);
/* Say it, log the reason, close. */
void session_bye(struct session *s, enum login_say what, const char *why);
/* At once, without a word. */
void session_free(struct session *s);

/* Drop n bytes of input, wiping them: they may hold a password. */
void session_consume(struct session *s, size_t n);

#endif
