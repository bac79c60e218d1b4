/* SPDX-License-Identifier: ISC */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include "command.h"
#include "frame/user_session.h"
#include "net/conn.h"
#include "store/store.h"
#include "stuff.h"

/*
 * One client.  It sees the mailbox as it was when it came (a snapshot of UIDs
 * and sizes); others may read and change it meanwhile: there is no lock.
 * Messages go at QUIT and only then (RFC 1939 6).
 */
enum pop3_state {
	POP3_READY,   /* RFC 1939: TRANSACTION */
	POP3_SENDING, /* a long answer is on its way, input waits */
	POP3_CLOSED,
};

struct drop {
	uint32_t uid;
	bool deleted;
	uint64_t size;
};

/* The clients of this process. */
struct pop3d {
	struct loop *loop;
	struct store *store;
	unsigned timeout_ms; /* RFC 1939 3: at least ten minutes */
	unsigned max_sessions, max_userip; /* max_userip 0: any number */
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
	struct mailbox *mb;
	uint32_t uidvalidity;
	struct drop *v;
	size_t n;
	char user[USER_MAX + 1];
	struct user_session who;
	/* SENDING: either a message ... */
	struct message_reader reader;
	struct stuff stuff;
	/* ... or lines about messages from this index on. */
	bool listing, uidl;
	size_t at;
	/* for the log */
	unsigned tops, retrs;
	uint64_t retr_bytes;
};

/* Takes m's descriptor (and clears the field), answers PASS. */
void session_open(struct pop3d *p, struct msg_client *m);
/* At once: nothing is deleted. */
void session_close(struct session *s, const char *why);
/* posthouse kick: the same, but the client is told. */
void session_kick(struct session *s);

#endif
