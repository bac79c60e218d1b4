/* SPDX-License-Identifier: ISC */
#ifndef RECEIVE_COMMANDS_H
#define RECEIVE_COMMANDS_H

#include "receive/session.h"

/*
 * The one table that says which command may come in which state (security rule
 * 6).  A command in another state is answered with the row's refusal and its
 * handler is not called.
 */
enum command_flags {
	COMMAND_LAST = 1,  /* ends a group of pipelined commands (RFC 2920) */
	COMMAND_JUNK = 2,  /* brings no mail */
	COMMAND_PLAIN = 4, /* also before TLS where that is demanded */
	COMMAND_USER = 8,  /* only after a login where that is demanded */
};

struct command {
	struct reply (*handler)(struct session *s, struct str args);
	unsigned states; /* bits 1 << enum session_state */
	unsigned flags;
	unsigned code; /* in another state: say this */
	const char *dsn, *text;
};

extern const struct command commands[SMTP_VERBS];

/* Run one command line through the table. */
struct reply command_run(struct session *s, const struct smtp_line *line);

/* The refusal of MAIL or RCPT for its syntax; bad is the parameter at fault. */
struct refusal {
	const char *form;
	const char *dsn, *path; /* of a bad address */
};
struct reply command_refuse(struct session *s, enum smtp_syntax r,
			    struct str bad, const struct refusal *words);

struct reply cmd_mail(struct session *s, struct str args);
/* What s->txn has been given is taken: session state SESSION_MAIL. */
struct reply mail_accept(struct session *s);
struct reply cmd_rcpt(struct session *s, struct str args);
struct reply cmd_data(struct session *s, struct str args);

/* The text has come to its end: have it stored (session state SESSION_DATA). */
struct reply data_end(struct session *s);

#endif
