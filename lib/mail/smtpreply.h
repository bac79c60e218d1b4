/* SPDX-License-Identifier: ISC */
#ifndef MAIL_SMTPREPLY_H
#define MAIL_SMTPREPLY_H

#include "base/buf.h"

/*
 * Replies of an SMTP server (RFC 5321 4.2), taken from the network in pieces
 * of any size.  The same bytes give the same replies however they are cut.
 *
 * LF ends a line, with or without a CR before it: servers that send bare LF
 * exist, Postfix reads them so, and nothing we send can make a server put one
 * into a reply.  Any other control becomes '?', and so does what is no UTF-8.
 * Everything else is strict, since who guesses what a reply was meant to be
 * may take the next one for the answer to another command: a line without
 * code, a code that changes from line to line, too many lines or octets.
 */
enum {
	SMTPREPLY_LINE_MAX = 2048, /* kept of one line; the rest is skipped */
	SMTPREPLY_TEXT_MAX = 8192, /* kept of all lines */
	SMTPREPLY_LINES_MAX = 128,
	SMTPREPLY_OCTETS_MAX = 64 * 1024, /* of one reply */
	SMTPREPLY_DSN_MAX = 9,		  /* "5.999.999" */
};

enum smtpreply_result {
	SMTPREPLY_MORE,	  /* all octets taken, the reply goes on */
	SMTPREPLY_DONE,	  /* here it is; what follows was not looked at */
	SMTPREPLY_BROKEN, /* this is no reply; smtpreply.fault says why.
			     Nothing after it can be understood either. */
};

struct smtpreply {
	unsigned code; /* 200 to 599 */
	/* Enhanced status code (RFC 3463) of the first line that has one and
	 * where it agrees with the code; "" if none. */
	char dsn[SMTPREPLY_DSN_MAX + 1];
	/* The lines with their codes, parted by LF: printable text, UTF-8. */
	struct buf text;
	bool cut; /* text is not all of it */
	const char *fault;
	/* private */
	struct buf line;
	unsigned lines;
	size_t octets;
};

void smtpreply_init(struct smtpreply *r);
void smtpreply_fini(struct smtpreply *r);
/* Be ready for the next reply; after DONE. */
void smtpreply_reset(struct smtpreply *r);

/* Returns how many octets of in were taken. */
size_t smtpreply_feed(struct smtpreply *r, struct str in,
		      enum smtpreply_result *result);

/* Cut the next line off *text and give what stands behind its code; false at
 * the end. */
bool smtpreply_line(struct str *text, struct str *line);

#endif
