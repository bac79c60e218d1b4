/* SPDX-License-Identifier: ISC */
#ifndef POP3D_COMMAND_H
#define POP3D_COMMAND_H

#include "base/str.h"

/* Commands of the transaction state (RFC 1939 5), parsed without side effects.
 */
enum { POP3_COMMAND_MAX = 255 }; /* with CR LF; RFC 2449 4 */

enum pop3_verb {
	POP3_STAT,
	POP3_LIST,
	POP3_RETR,
	POP3_DELE,
	POP3_NOOP,
	POP3_RSET,
	POP3_TOP,
	POP3_UIDL,
	POP3_CAPA,
	POP3_QUIT,
	POP3_VERBS,
};

struct pop3_command {
	enum pop3_verb verb;
	unsigned nargs;
	uint32_t arg[2]; /* message number, from 1; number of lines */
};

/* line: without CR LF.  NULL, or what is wrong with it, for the client. */
const char *pop3_command_parse(struct str line, struct pop3_command *c);

#endif
