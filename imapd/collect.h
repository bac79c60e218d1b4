/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_COLLECT_H
#define IMAPD_COLLECT_H

#include "base/buf.h"

/*
 * A command from the bytes of the connection: lines and literals, until it is
 * whole.  Pure: it is fed, and says what to do.  The size of a literal is
 * checked before the client is asked to send it.
 */
enum {
	IMAP_LINE_MAX = 65536,	   /* of each line */
	IMAP_LITERAL_MAX = 65536,  /* of each literal kept in memory */
	IMAP_COMMAND_MAX = 524288, /* lines and literals together */
	IMAP_SKIP_MAX = 4194304,   /* unwanted bytes that are read over */
};

enum imap_collected {
	COLLECT_MORE,	  /* all of in is used, or *used of it */
	COLLECT_CONTINUE, /* ask for the literal: "+ " */
	COLLECT_COMMAND,  /* c->text is a command, without its last CR LF */
	COLLECT_APPEND,	  /* c->literal bytes of a message come (after "+ "
			     if !c->nonsync); then imap_collect_resume(), and
			     another one may follow */
	COLLECT_TOO_LONG, /* was read over; c->text is its start */
	COLLECT_LITERAL,  /* the literal is refused; a sync one is not sent,
			     a non-sync one was read over */
	COLLECT_BARE,	  /* a line ended by LF alone; read over */
	COLLECT_HOPELESS, /* too much to read over: close */
};

struct imap_collector {
	struct buf text;
	size_t line;	  /* where the line begins in text */
	uint64_t literal; /* left of the literal being read, or its size */
	bool nonsync;
	bool literal8; /* "~{n}", RFC 3516: NUL may be in it */
	int state;
	uint64_t skipped;
	enum imap_collected verdict; /* after skipping */
	char tail[32];		     /* the last bytes of a skipped line */
	size_t ntail;
};

void imap_collect_init(struct imap_collector *c);
void imap_collect_fini(struct imap_collector *c);
/* Begin the next command. */
void imap_collect_reset(struct imap_collector *c);
enum imap_collected imap_collect(struct imap_collector *c, struct str in,
				 size_t *used);
/* The message of COLLECT_APPEND was read elsewhere: go on with the line. */
void imap_collect_resume(struct imap_collector *c);

#endif
