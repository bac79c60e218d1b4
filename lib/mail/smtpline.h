/* SPDX-License-Identifier: ISC */
#ifndef MAIL_SMTPLINE_H
#define MAIL_SMTPLINE_H

#include "mail/path.h"

/*
 * SMTP command lines (RFC 5321 4.1.1), without their CR LF: the verb, and the
 * arguments of MAIL and RCPT with their ESMTP parameters.  The order of the
 * verbs is the order in which a session's commands are counted in the log.
 */
enum smtp_verb {
	SMTP_HELO,
	SMTP_EHLO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_VRFY,
	SMTP_HELP,
	SMTP_QUIT,
	SMTP_UNKNOWN,
	SMTP_VERBS,
};

extern const char *const smtp_verb_names[SMTP_VERBS]; /* "HELO", "UNKNOWN" */

struct smtp_line {
	enum smtp_verb verb;
	struct str name; /* the verb as it was sent */
	struct str args; /* blanks at both ends cut off */
};

void smtpline_parse(struct str line, struct smtp_line *l);

enum smtp_body { SMTP_7BIT, SMTP_8BITMIME };

/* MAIL FROM:<path> [SIZE=n] [BODY=7BIT|8BITMIME] */
struct smtp_mail {
	struct path sender;
	bool has_size;
	uint64_t size; /* RFC 1870; octets on the wire */
	enum smtp_body body;
};

/* RCPT TO:<path>; no parameters are offered. */
struct smtp_rcpt {
	struct path rcpt;
};

enum smtp_syntax {
	SMTP_SYNTAX_OK,
	SMTP_SYNTAX_FORM,	 /* not FROM: or TO: (501 5.5.4) */
	SMTP_SYNTAX_PATH,	 /* bad address (501 5.1.7, 5.1.3) */
	SMTP_SYNTAX_ASCII,	 /* address needs SMTPUTF8 (553 5.6.7) */
	SMTP_SYNTAX_PARAM,	 /* bad or repeated value (501 5.5.4) */
	SMTP_SYNTAX_UNSUPPORTED, /* parameter not offered (555 5.5.4) */
};

enum { SMTP_PARAMS_MAX = 16 };

/*
 * args as smtpline_parse() gave them.  *bad is the part that is at fault,
 * where there is one (path: all of the argument; parameter: that parameter).
 */
enum smtp_syntax smtpline_mail(struct str args, bool strict,
			       struct smtp_mail *m, struct str *bad);
enum smtp_syntax smtpline_rcpt(struct str args, bool strict,
			       struct smtp_rcpt *r, struct str *bad);

#endif
