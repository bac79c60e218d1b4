/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_SESSION_H
#define IMAPD_SESSION_H

#include "autoexpunge.h"
#include "base/param.h"
#include "collect.h"
#include "frame/user_session.h"
#include "net/conn.h"
#include "parse.h"
#include "store/store.h"
#include "view.h"

/*
 * One user's process: the store, and the sessions of all of that user's
 * clients.
 */
struct imap_user {
	struct loop loop;
	struct store *store;
	const char *name;
	struct chan *spawner;
	struct event *watch;  /* the store's inotify descriptor */
	struct event *poll;   /* every so often, watched or not */
	struct event *linger; /* after the last session */
	struct event *work;   /* store_work() */
	struct list sessions;
	size_t nsessions;
	/* parameters */
	size_t max_sessions, max_userip; /* max_userip 0: any number */
	uint64_t append_limit;
	bool compress; /* COMPRESS is offered */
	unsigned timeout_ms;
	const struct params *params;
	int root; /* the mailbox's directory */
	struct autoexpunge *autoexpunge;
	struct imap_order *order; /* order.h; NULL: none is kept */
};

enum imap_state {
	IMAP_AUTH, /* authenticated, no mailbox selected */
	IMAP_SELECTED,
	IMAP_LOGOUT,
};

/* What the session does now. */
enum imap_stage {
	STAGE_READY,  /* reads commands */
	STAGE_JOB,    /* a command works in portions */
	STAGE_SYNC,   /* the untagged news before the tagged reply */
	STAGE_IDLE,   /* IDLE: news at any time, DONE ends it */
	STAGE_APPEND, /* a message is being received */
	STAGE_END,    /* to be freed */
};

enum imap_done { IMAP_MORE, IMAP_DONE };

enum {
	IMAP_IN_LIMIT = 65536,
	IMAP_OUT_LIMIT = 16777216, /* one item: see MIME_POOL_MAX */
	IMAP_OUT_HIGH = 65536,	   /* produce no more until this is sent */
	IMAP_POOL_MAX = 4194304,   /* of one command */
	IMAP_TAG_MAX = 128,
	IMAP_REPLY_MAX = 2097152, /* COPYUID of many messages */
};

struct imap_session {
	struct list link;
	struct imap_user *user;
	struct conn *conn;
	struct event *wake;
	char client[64];
	struct user_session who;
	const char *why; /* it ends, for the log; NULL: the client logged out */
	enum imap_state state;
	enum imap_stage stage;
	struct imap_collector in;
	struct imap_view view; /* view.mb NULL: none selected */
	uint64_t bytes_in, bytes_out;
	uint64_t idle_said_ms;
	bool news; /* the mailbox may have changed (IDLE) */
	/* What the client has enabled (RFC 5161, RFC 7162 3.1), for good. */
	bool rev2; /* IMAP4rev2; utf8 is then set too */
	bool utf8; /* UTF8=ACCEPT: strings are UTF-8, names of mailboxes too */
	bool condstore; /* QRESYNC sets it too */
	bool qresync;

	/* the command at work */
	const struct imap_command *cmd;
	struct pool pool;
	char tag[IMAP_TAG_MAX + 1];
	bool uid;	  /* behind UID */
	bool numbers;	  /* ... a search by message numbers, too */
	bool says_modseq; /* HIGHESTMODSEQ in the tagged OK */
	struct str typed; /* a mailbox's name as it came, if it was not in
			     Net-Unicode's form; else .p is NULL */
	struct buf reply; /* "OK text" */
	/* a job: called until IMAP_DONE while output flows; end(), if set,
	 * frees what it holds, also when the session is lost */
	enum imap_done (*step)(struct imap_session *s);
	void (*end)(struct imap_session *s);
	void *job;
	struct imap_append *append;
	struct imap_compress *compress; /* NULL: COMPRESS was not asked for */
	bool compressed;		/* it counts */
	struct imap_cache *cache;	/* the message fetched last */
};

/* --- user.c */
/* A client that has logged in; tag: of its LOGIN, answered here ("": none). */
struct imap_session *imap_session_new(struct imap_user *u, int fd,
				      struct str tag, struct str pending,
				      struct str client);
void imap_session_free(struct imap_session *s);
void imap_user_session_gone(struct imap_user *u);
/* A command has ended: the store may have something to write behind. */
void imap_user_work(struct imap_user *u);

/* --- control.c: what spawner says */
/* A client, if there are not too many; takes m's descriptor then. */
void imap_control_client(struct imap_user *u, struct msg_client *m);
void imap_control_who(struct imap_user *u, struct chan *c, uint32_t tag);
void imap_control_kick(struct imap_user *u, struct chan *c, uint32_t tag,
		       const struct msg_kick *m);
/* There may be new mail in this folder ("": INBOX). */
void imap_control_poke(struct imap_user *u, struct str folder);
void imap_session_log_end(const struct imap_session *s, const char *why);

/* --- session.c */
/* The tagged reply of the command: "OK", "NO", "BAD" and a text. */
void imap_reply(struct imap_session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* "BAD" with what the parser said. */
void imap_reply_bad(struct imap_session *s, const struct imap_in *in);
/* "NO" with a response code that fits the error. */
void imap_reply_err(struct imap_session *s, const struct err *err);
void imap_set_state(struct imap_session *s, enum imap_state st);
/* Work in portions instead of answering at once. */
void imap_job(struct imap_session *s,
	      enum imap_done (*step)(struct imap_session *),
	      void (*end)(struct imap_session *), void *job);
/* Leave the selected mailbox. */
void imap_unselect(struct imap_session *s);
/* Say good-bye and close. */
void imap_bye(struct imap_session *s, const char *text);
/* Say so and free it, now. */
void imap_shut_down(struct imap_session *s);
/* Go on soon (from a callback of somebody else). */
void imap_wake(struct imap_session *s);
/* RFC 3501 7.2.1: the words after "CAPABILITY". */
void imap_put_capabilities(const struct imap_session *s, struct buf *b);

/* --- compress.c: what goes to the client and comes from it, compressed or not
 */
struct buf *imap_out(struct imap_session *s);
/* Bytes that were said and are not with the kernel. */
size_t imap_unsent(const struct imap_session *s);
/* The output is full: a job returns IMAP_MORE. */
bool imap_full(const struct imap_session *s);
/* What was said goes out.  The pump does it, so nobody else need. */
void imap_flush(struct imap_session *s);
struct str imap_input(struct imap_session *s);
void imap_consume(struct imap_session *s, size_t n);
bool imap_has_input(const struct imap_session *s);
/* After the tagged reply of each command: COMPRESS counts from there. */
void imap_compress_begin(struct imap_session *s);
void imap_compress_free(struct imap_session *s);

/* --- commands.c */
enum imap_command_flags {
	CMD_NEEDS_BOX = 1,    /* only in the selected state */
	CMD_NEEDS_RW = 2,     /* ... and selected for writing */
	CMD_UID = 4,	      /* also behind UID */
	CMD_ONLY_UID_ARG = 8, /* UID EXPUNGE: only behind UID has arguments */
	CMD_NO_EXPUNGE = 16,  /* RFC 3501 7.4.1: no EXPUNGE while it runs,
				unless behind UID */
	CMD_NO_SYNC = 32,
};
struct imap_command {
	const char *name;
	void (*run)(struct imap_session *s, struct imap_in *in);
	unsigned flags;
};
const struct imap_command *imap_command_find(struct str name);
extern const struct imap_command imap_commands[];

/* --- out.c */
/* A string as IMAP sends it: quoted, or a literal where that cannot be. */
void imap_put_string(struct buf *b, struct str s);
/* NIL for .p NULL. */
void imap_put_nstring(struct buf *b, struct str s);
/* An astring of a mailbox's name: quoted, unless it is an atom. */
void imap_put_mailbox(struct buf *b, struct str s);
/* "7" or "7:9" */
void imap_put_range(struct buf *b, uint32_t lo, uint32_t hi);
/* A set of numbers as text, "1:3,7", from numbers that ascend. */
struct imap_set_text {
	struct buf text;
	uint32_t lo, hi; /* not yet in text; 0: none */
};
void imap_set_text_init(struct imap_set_text *t);
void imap_set_text_fini(struct imap_set_text *t);
void imap_set_text_add(struct imap_set_text *t, uint32_t lo, uint32_t hi);
/* All of it, empty if there was none; .p NULL: it became too long. */
struct str imap_set_text_end(struct imap_set_text *t);
/* "17-Jul-1996 02:44:25 +0000", quoted */
void imap_put_date_time(struct buf *b, int64_t t);

/* --- names.c: names of mailboxes, between client and store */
/* An argument; *name is as the store wants it (modified UTF-7), in the pool or
 * the input.  A name that cannot be one is left for the store to refuse. */
bool imap_mailbox_arg(struct imap_session *s, struct imap_in *in,
		      struct str *name);
/* A name of the store's, as this client reads it. */
void imap_put_name(const struct imap_session *s, struct buf *b,
		   struct str name);
/* Tell a client that has enabled IMAP4rev2, by LIST, which mailbox this is: the
 * one selected (RFC 9051 6.3.2; old is s->typed then), or one that has another
 * name now (6.3.9.7).  old: UTF-8, .p NULL: none.  Others are told nothing. */
void imap_say_name(struct imap_session *s, struct str name, struct str old);
/* The same of the mailbox a command was about, if its name came in another form
 * than it has (6.3.9.7).  attr: "\\NonExistent", if it is gone; "". */
void imap_say_typed(struct imap_session *s, const char *attr, struct str name);

/* --- append.c: the message behind APPEND's last literal */
/* COLLECT_APPEND: look at the arguments, refuse or begin to receive. */
void imap_append_start(struct imap_session *s, struct imap_in *in);
/* Input in STAGE_APPEND. */
void imap_append_input(struct imap_session *s);
void imap_append_cancel(struct imap_session *s);

/* --- cache.c */
void imap_cache_clear(struct imap_session *s);

#endif
