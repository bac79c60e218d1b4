/* SPDX-License-Identifier: ISC */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include "command.h"
#include "frame/pop3_capa.h"
#include "frame/user_session.h"
#include "maildrop.h"
#include "net/conn.h"
#include "stuff.h"

/*
 * One client.  The commands of a turn are answered together; a long answer is
 * made as fast as the client reads it.
 */
enum pop3_state {
	POP3_READY,   /* RFC 1939: TRANSACTION */
	POP3_SENDING, /* a long answer is on its way, input waits */
	POP3_CLOSED,
};

enum { POP3_ERRORS_MAX = 100 }; /* senseless commands of a session */

struct pop3_conf {
	unsigned timeout_ms; /* RFC 1939 3: at least ten minutes */
	unsigned max_sessions, max_userip; /* max_userip 0: any number */
	struct str uidl_format;
	struct maildrop_policy update;
	struct pop3_capa capa;
	struct str mechanisms;
};

/* The clients of this process. */
struct pop3d {
	struct loop *loop;
	struct store *store; /* NULL: it could not be opened */
	struct pop3_conf conf;
	const struct params *params;
	int root; /* the mailbox's directory */
	struct list sessions;
	unsigned nsessions;
	/* Told when the last one has gone. */
	void (*on_idle)(struct pop3d *p);
	/* The store may have something to do: store_work(). */
	void (*on_work)(struct pop3d *p);
	void *arg;
};

struct session {
	struct list link;
	struct pop3d *p;
	struct conn *conn;
	enum pop3_state state;
	char user[USER_MAX + 1];
	struct user_session who;
	struct maildrop drop;
	/* SENDING: either a message ... */
	struct message_reader reader;
	uint64_t offset; /* in its file */
	struct stuff stuff;
	struct drop *sending;
	struct drop *next;     /* likely to be asked for next */
	struct drop *ahead;    /* read already; NULL: none */
	struct buf ahead_text; /* of it, as it will be sent */
	/* ... or lines about messages from this index on. */
	bool listing, uidl;
	size_t at;
	unsigned errors;
	/* for the log */
	unsigned tops, retrs;
	uint64_t retr_bytes;
};

void pop3_conf_init(struct pop3_conf *c, const struct params *p);

/* Answers PASS; takes m's descriptor (and clears the field) unless the client
 * is refused. */
void session_open(struct pop3d *p, struct msg_client *m);
/* At once: nothing is deleted. */
void session_close(struct session *s, const char *why);
/* The only writer of s->state. */
void session_enter(struct session *s, enum pop3_state state);
/* All but the connection, which is closed or given away already. */
void session_release(struct session *s);
void session_log_end(const struct session *s, const char *why, size_t deleted);
/* Say it and close; nothing is deleted. */
void session_bye(struct session *s, const char *said, const char *why);

/* --- commands.c */
/* Answers what is there, in order. */
void session_commands(struct session *s);
/* SENDING: the output has flown. */
void session_go_on(struct session *s);
/* READY: all output has flown, and no command is there. */
void session_read_ahead(struct session *s);

#endif
