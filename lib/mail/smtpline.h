/* SPDX-License-Identifier: ISC */
#ifndef MAIL_SMTPLINE_H
#define MAIL_SMTPLINE_H

#include "base/buf.h"
#include "mail/path.h"

/*
 * SMTP command lines (RFC 5321 4.1.1), without their CR LF: the verb, and the
 * arguments of MAIL and RCPT with their ESMTP parameters.  The order of the
 * verbs is the order in which a session's commands are counted in the log.
 */
enum smtp_verb {
	SMTP_HELO,
	SMTP_EHLO,
	SMTP_STARTTLS,
	SMTP_AUTH,
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

enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };
enum smtp_notify {
	SMTP_NOTIFY_NEVER = 1,
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8,
};

enum {
	SMTP_ENVID_MAX = 100, /* RFC 3461 4.4 */
	SMTP_ORCPT_MAX = 500, /* RFC 3461 4.2 */
};

/* What the server announces, and so takes, beside SIZE and 8BITMIME. */
enum smtp_offer {
	SMTP_OFFER_STRICT = 1, /* PATH_STRICT */
	SMTP_OFFER_DSN = 2,    /* RFC 3461 */
	SMTP_OFFER_UTF8 = 4,   /* RFC 6531; at RCPT: declared at MAIL */
	SMTP_OFFER_AUTH = 8,   /* RFC 4954 5 */
};

/* MAIL FROM:<path> [SIZE=n] [BODY=7BIT|8BITMIME] [RET=FULL|HDRS]
 * [ENVID=xtext] [SMTPUTF8] [AUTH=xtext] */
struct smtp_mail {
	struct path sender;
	bool has_size;
	uint64_t size; /* RFC 1870; octets on the wire */
	enum smtp_body body;
	bool smtputf8;
	enum smtp_ret ret;
	size_t envid_n;
	char envid[SMTP_ENVID_MAX]; /* decoded: printable ASCII */
};

/* RCPT TO:<path> [NOTIFY=NEVER|SUCCESS,FAILURE,DELAY] [ORCPT=type;xtext] */
struct smtp_rcpt {
	struct path rcpt;
	unsigned notify; /* smtp_notify; 0: not given */
	size_t orcpt_n;
	char orcpt[SMTP_ORCPT_MAX]; /* "type;address", decoded: printable ASCII
				       (RFC 6533 with SMTP_OFFER_UTF8: or UTF-8)
				     */
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
 * args as smtpline_parse() gave them; offer is made of smtp_offer.  *bad is the
 * part that is at fault, where there is one (path: all of the argument;
 * parameter: that parameter).
 */
enum smtp_syntax smtpline_mail(struct str args, unsigned offer,
			       struct smtp_mail *m, struct str *bad);
enum smtp_syntax smtpline_rcpt(struct str args, unsigned offer,
			       struct smtp_rcpt *r, struct str *bad);

/* The value of NOTIFY=; -1: it is none. */
ERR_WARN_UNUSED int smtpline_notify(struct str value, unsigned *notify);
/* " NOTIFY=SUCCESS,DELAY", or nothing if there is no bit of smtp_notify. */
void smtpline_put_notify(struct buf *out, unsigned notify);

#endif
