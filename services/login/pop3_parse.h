/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_POP3_PARSE_H
#define LOGIN_POP3_PARSE_H

#include "base/str.h"

/* POP3 commands before login.  RFC 2449 4 has 255 bytes; a password, or the
 * PLAIN response that holds one, may be longer. */
enum { POP3_LINE_MAX = 2048 };

enum pop3_verb {
	POP3_UNKNOWN,
	POP3_CAPA,
	POP3_USER,
	POP3_PASS,
	POP3_AUTH,
	POP3_STLS,
	POP3_UTF8,
	POP3_NOOP,
	POP3_QUIT,
};

/* line: without CR LF.  *arg is what follows the first space: the whole rest,
 * for PASS (RFC 1939 7: a password may have spaces). */
enum pop3_verb pop3_command(struct str line, struct str *arg);

#endif
