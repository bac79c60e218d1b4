/* SPDX-License-Identifier: ISC */
#ifndef SMTP_LETTER_H
#define SMTP_LETTER_H

#include "base/pool.h"
#include "frame/msg_smtp.h"

/*
 * One SEND request: the message, its recipients, and what became of each.
 * Several servers may be tried with one letter; a recipient that is settled is
 * not tried any more.
 */
struct fault { /* why something did not work; in a letter the slices are its
		  own, in a call they live as long as the call */
	enum deliver_class class;
	struct str dsn;	  /* "4.4.1" */
	struct str text;  /* as msg_send_result.text */
	struct str reply; /* the server's own words, "" */
	bool elsewhere;	  /* PERM here, but another server may take it */
};

struct letter_rcpt {
	struct msg_send_rcpt to;
	bool settled;	 /* nothing more will be tried for it */
	bool has_result; /* the last fault, if it is not settled */
	bool dsn_taken;
	struct fault result; /* class DELIVER_OK: text is the server's answer */
	struct str relay, mta;
};

struct letter {
	struct pool pool; /* everything the slices here point to */
	struct str id, transport, nexthop, sender, envid;
	uint8_t flags; /* commit_flags */
	uint8_t ret;
	struct letter_rcpt *rcpts;
	uint32_t nrcpts, nsettled;
	/* The text: header ++ body, or header ++ the first body_len bytes of
	 * body_fd (read by position, so that one descriptor serves all). */
	struct str header, body;
	uint64_t body_len;
	int body_fd; /* -1: inline; closed with the letter */
	/* private: the words kept last, which the next recipient may share */
	struct fault last;
	struct str last_relay, last_mta;
};

/* A copy of m; takes its body_fd.  NULL: no memory. */
struct letter *letter_new(struct msg_send *m);
void letter_free(struct letter *l);

/* How the server is named in log and reports: "mx.a.test[192.0.2.1]:25". */
struct letter_server {
	const char *relay, *host;
};
/* at's strings are "" where there was no server.
 * The recipient is done: sent (class DELIVER_OK) or refused for good, or it
 * was tried wherever it can be.  f's slices are copied. */
void letter_settle(struct letter *l, uint32_t rcpt,
		   const struct letter_server *at, const struct fault *f,
		   bool dsn_taken);
/* A fault that another server may not have: kept as the result in case there
 * is no other, unless it is for good and one before may pass. */
void letter_note(struct letter *l, uint32_t rcpt,
		 const struct letter_server *at, const struct fault *f);
/* The same for all that are not settled. */
void letter_note_all(struct letter *l, const struct letter_server *at,
		     const struct fault *f);

#endif
