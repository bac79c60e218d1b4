/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_AUTHSOCK_PARSE_H
#define LOGIN_AUTHSOCK_PARSE_H

#include "base/err.h"
#include "base/str.h"

/*
 * The lines of Dovecot's authentication protocol, version 1, as its clients
 * send them: a command and parameters, separated by tabs, ended by LF.  Values
 * may be escaped (\001 and a letter), but none that means anything here needs
 * it: escaped ones are not undone, and match nothing.
 */
enum { AUTHSOCK_LINE_MAX = 8192, AUTHSOCK_PARAMS_MAX = 64 };

enum authsock_verb {
	AUTHSOCK_VERSION,
	AUTHSOCK_CPID,
	AUTHSOCK_AUTH,
	AUTHSOCK_CONT,
	AUTHSOCK_CANCEL,
};

struct authsock_line {
	enum authsock_verb verb;
	uint32_t major;			    /* VERSION */
	uint32_t id;			    /* AUTH, CONT, CANCEL */
	struct str mech, service, rip, lip; /* AUTH; "": not said */
	bool secured;			    /* AUTH */
	struct str data; /* base64; AUTH: p NULL if there is none */
};

/* line: without LF; slices point into it.  -1: not the protocol. */
ERR_WARN_UNUSED int authsock_parse(struct str line, struct authsock_line *l,
				   struct err *err);

#endif
