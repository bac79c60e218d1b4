/* SPDX-License-Identifier: ISC */
#ifndef SMTP_SESSION_IMPL_H
#define SMTP_SESSION_IMPL_H

#include "mail/smtpreply.h"
#include "net/conn.h"
#include "session.h"
#include "text.h"

/*
 * What the files of a session share:
 *
 *	session.c	its life, states, deadlines, and every end
 *	session_hello.c	greeting, EHLO, HELO, LHLO, STARTTLS
 *	session_auth.c	AUTH
 *	session_mail.c	a transaction up to the text
 *	session_text.c	the text: DATA or BDAT, and the last replies
 *	session_words.c	the dialogue and the words of a fault
 *
 * Callbacks may free the session: after anything that may call one of them
 * (those returning void below may, unless they say otherwise) a caller looks at
 * s->dead, or returns.
 */
enum session_state {
	SESSION_GREETING,
	SESSION_EHLO, /* or LHLO */
	SESSION_HELO,
	SESSION_STARTTLS,
	SESSION_HANDSHAKE,
	SESSION_AUTH,
	SESSION_READY, /* nothing is under way */
	SESSION_MAIL,  /* a transaction */
	SESSION_QUIT,
};

enum session_offer { /* by the server; the bits of enum ehlo_discard */
		     SESSION_PIPELINING = DISCARD_PIPELINING,
		     SESSION_SIZE = DISCARD_SIZE,
		     SESSION_8BITMIME = DISCARD_8BITMIME,
		     SESSION_SMTPUTF8 = DISCARD_SMTPUTF8,
		     SESSION_DSN = DISCARD_DSN,
		     SESSION_CHUNKING = DISCARD_CHUNKING,
		     SESSION_STARTTLS_OFFER = DISCARD_STARTTLS,
		     SESSION_AUTH_OFFER = DISCARD_AUTH,
};

enum txn_rcpt_state {
	TXN_RCPT_SENT, /* or not yet */
	TXN_RCPT_TAKEN,
	TXN_RCPT_DONE,	   /* it has its result */
	TXN_RCPT_TOO_MANY, /* for this transaction */
};

struct txn_rcpt {
	uint32_t i; /* in the letter */
	uint8_t state;
};

/*
 * A transaction is a fixed list of commands (RSET?, MAIL, RCPT..., DATA?),
 * then the text.  Replies come in the same order: sent and got count commands.
 */
struct txn {
	struct letter *l; /* NULL: no transaction */
	struct txn_rcpt *v;
	uint32_t n;
	uint32_t sent, got;  /* commands, of commands(s) */
	uint32_t taken;	     /* recipients */
	uint32_t lmtp_next;  /* whose reply to the text is next */
	uint32_t chunks_out; /* BDAT commands without reply */
	bool rset, bdat, utf8;
	bool failed;	/* MAIL or the text: nothing more is sent */
	bool texting;	/* after 354 or the first BDAT */
	bool text_sent; /* with its end */
	bool void_text; /* "." for nobody: RFC 2920 3.1 */
	bool answered;	/* at least one reply came */
	bool delivered; /* 2yz to the text */
	bool over;
	struct text text;
	struct buf chunk;
};

struct session {
	struct loop *loop;
	struct conn *conn; /* NULL: TLS is being started, or the end */
	struct tls_client *tls;
	uint32_t tls_tag;
	const struct session_ops *ops;
	void *arg;
	struct session_plan plan;
	char who[SEND_RELAY_MAX + 1]; /* relay without port */

	enum session_state state;
	unsigned depth; /* callbacks under way */
	bool dead;	/* free it when depth is 0 */
	bool doubt;	/* not to be used again */
	bool need_rset;
	struct smtpreply reply;
	uint64_t reply_by, phase_by; /* clock_mono_ms; 0: none */
	struct event *again;	     /* more text in the next turn */

	unsigned offers; /* enum session_offer */
	uint64_t size_limit;
	char auth[512]; /* mechanisms */
	bool esmtp;
	struct tls_facts *facts;
	struct sasl *sasl;
	struct buf initial; /* SASL's first response, not sent yet */
	bool has_initial, auth_asked;
	unsigned auth_steps;

	struct txn txn;
	unsigned uses;
	uint64_t opened_ms;
	struct buf words; /* of the last fault */
	char dsn[SMTPREPLY_DSN_MAX + 1];
	struct buf dialog; /* lines */
};

/* --- session.c --- */
/* The only writer of s->state. */
void session_enter(struct session *s, enum session_state st);
/* Around what may free the session: it lives until the last release. */
void session_hold(struct session *s);
void session_release(struct session *s);
/* In the next turn: hello_wrapped() or mail_push(). */
void session_soon(struct session *s);
/* A reply (or progress) is due within ms. */
void session_expect(struct session *s, unsigned ms);
/* All that follows is due within ms, whatever else. */
void session_phase(struct session *s, uint64_t ms);
/* One command line, without CR LF; cannot call back.  Too much output is
 * noticed by conn. */
void session_say(struct session *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same in two steps: append to the buffer in between. */
struct buf *session_line(struct session *s, size_t *at);
void session_line_end(struct session *s, size_t at);
/* As session_say(), but what follows the prefix is not for the dialogue. */
void session_say_secret(struct session *s, const char *prefix,
			struct str secret);
void session_ended(struct session *s, enum session_end why,
		   const struct fault *f);
/* The connection is up (again, after TLS): takes fd; -1: no memory. */
int session_attach(struct session *s, int fd);
void session_fail_local(struct session *s, const char *text);
void session_broken(struct session *s, const char *what);
void session_is_ready(struct session *s);
void session_txn_done(struct session *s, bool reusable);
void session_lost(struct session *s, enum conn_end why);

/* --- session_hello.c --- */
void hello_begin(struct session *s);
void hello_wrapped(struct session *s);
void hello_reply(struct session *s);

/* --- session_auth.c --- */
void auth_begin(struct session *s);
void auth_reply(struct session *s);
void auth_fini(struct session *s);

/* --- session_mail.c --- */
void mail_init(struct session *s);
void mail_begin(struct session *s, struct letter *l, const uint32_t *rcpts,
		uint32_t n);
void mail_reply(struct session *s);
/* Is there something to send that waits for room? */
bool mail_has_more(const struct session *s);
/* Send what may be sent now. */
void mail_push(struct session *s);
/* The recipients that wait for a result get this one. */
void mail_fail(struct session *s, const struct fault *f);
/* Recipient r of the transaction gets this one. */
void mail_result(struct session *s, uint32_t r, const struct fault *f);
/* What is being waited for, as in "while sending MAIL FROM". */
const char *mail_doing(const struct session *s);
void mail_fini(struct session *s);

/* --- session_text.c --- */
enum { TEXT_CHUNK_MAX = 64 * 1024 + TEXT_PIECE + 64 };
bool text_by_bdat(const struct session *s);
void text_start(struct session *s);
void text_push(struct session *s);
void text_reply(struct session *s);

/* --- session_words.c --- */
void dialog_add(struct session *s, char mark, struct str line);
/* Of the last reply: its class, code and words.  "host X said: 550 ... (in
 * reply to COMMAND)". */
struct fault words_said(struct session *s, const char *command);
/* Of our own, with dsn. */
struct fault words_own(struct session *s, enum deliver_class class,
		       const char *dsn, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Of the last reply, too: "BEFORE host AFTER: 450 ...".  soft: never PERM. */
struct fault words_reply(struct session *s, bool soft, const char *before,
			 const char *after);
/* The last reply on one line. */
struct str words_of_reply(struct session *s);

#endif
