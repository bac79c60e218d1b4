/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_SMTP_H
#define FRAME_MSG_SMTP_H

#include "frame/msg_deliver.h"

/* qmgr → smtp: send this message to these recipients.  Types 128-135. */
enum { MSG_SEND = 128, MSG_SENT_PART, MSG_SENT, MSG_SEND_LEAVING };

enum {
	SEND_RCPTS_MAX = 1000, /* in one request */
	SEND_RELAY_MAX = 320,
	SEND_DIALOG_MAX = 4096,
	SEND_WITHIN_S = 4 * 3600, /* until the answer: who takes much longer
				     hangs */
};

struct msg_send_rcpt {
	uint32_t slot;	    /* its number in the queue file */
	struct str address; /* for RCPT TO */
	struct str orcpt;   /* decoded from xtext; "" */
	uint8_t notify;	    /* rcpt_notify */
};

/*
 * Request.  The text is header ++ body, where body is inline, or (body_fd >= 0)
 * the first body_len bytes of a read-only file; LF line ends.  All recipients
 * have the same transport and nexthop.
 */
struct msg_send {
	struct str id;	      /* queue id, text, for the log */
	struct str transport; /* "smtp", or another of $transports */
	struct str nexthop;
	struct str sender; /* "" for <> */
	uint8_t flags;	   /* commit_flags: 8BITMIME, SMTPUTF8 */
	uint8_t ret;	   /* commit_ret */
	struct str envid;
	struct msg_list rcpts; /* msg_send_rcpt */
	struct str header;
	struct str body;
	uint64_t body_len;
	int body_fd;
};

/* What became of one recipient. */
struct msg_send_result {
	uint32_t slot;
	uint8_t class;	   /* enum deliver_class */
	uint8_t dsn_taken; /* the next host takes care of NOTIFY */
	struct str dsn;	   /* "2.0.0", "4.4.1" */
	/* For the log and for people, in Postfix's words: "250 2.0.0 Ok: queued
	 * as 4F2", "host mx.a.test[192.0.2.1] said: 550 5.1.1 unknown (in reply
	 * to RCPT TO command)", "connect to mx.a.test[192.0.2.1]:25: Connection
	 * refused". */
	struct str text;
	struct str relay; /* "mx.a.test[192.0.2.1]:25", "none" */
	struct str mta;	  /* Remote-MTA: "mx.a.test"; "" where none answered */
	struct str reply; /* its words: "550 5.1.1 unknown"; "" */
};

/* Parts of the reply, as many as it takes; together they name each slot
 * once. */
struct msg_sent_part {
	struct msg_list results; /* msg_send_result */
};

/* What this attempt says of the nexthop as a whole. */
enum send_site {
	SEND_SITE_UNKNOWN, /* nothing: the fault is ours, or the message's */
	SEND_SITE_OK,	   /* a server answered and took a transaction */
	SEND_SITE_FAILED,  /* none could be reached, or none wants to talk */
};

/* The last part of the reply. */
struct msg_sent {
	struct msg_list results;
	uint8_t site;	   /* enum send_site */
	uint8_t kept;	   /* a connection was kept for the next message */
	uint64_t began_us; /* wall clock: first connection begun; 0: none, one
			      was there */
	uint64_t up_us;	   /* connected and greeted, ready for MAIL; 0: never */
	/* The last dialogue of a failed attempt, one line each, "> " what we
	 * said, "< " what the server said, printable; "" if all went well. */
	struct str dialog;
};

/* smtp → qmgr, note: this worker takes nothing new (it is being replaced);
 * what it has it finishes.  Close the channel after the last answer and ask for
 * a new one. */
struct msg_send_leaving {
	uint8_t unused;
};

extern const struct msg_def msg_send_rcpt_def, msg_send_def,
	msg_send_result_def, msg_sent_part_def, msg_sent_def,
	msg_send_leaving_def;

#endif
