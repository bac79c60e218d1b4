/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_IMAP_PARSE_H
#define LOGIN_IMAP_PARSE_H

#include "base/err.h"
#include "base/str.h"

/*
 * IMAP commands as far as they are needed before login (RFC 3501 9, LITERAL-
 * of RFC 7888), in two steps, both pure: first where a command ends, lines and
 * literals alone; then what it says.
 */
enum {
	IMAP_COMMAND_MAX = 8192, /* bytes of a command, all literals included */
	IMAP_LITERAL_MAX = 1024,
	IMAP_TAG_MAX = 100,
	IMAP_ARGS_MAX = 64, /* words and parentheses; ID has up to 30 pairs */
};

enum imap_frame {
	IMAP_MORE,     /* not whole yet */
	IMAP_WHOLE,    /* *used bytes are one command */
	IMAP_WAITS,    /* for "+" before it sends a literal; *used: so far */
	IMAP_REFUSE,   /* it asks to send a literal that is too long: answer
			  BAD and drop *used bytes, no literal will follow */
	IMAP_BAD_LINE, /* NUL, or CR or LF by itself: drop *used bytes */
	IMAP_LOST,     /* too long, or nobody knows where it would end */
};

/* in: unread bytes.  continued: how many "+" this command was given. */
enum imap_frame imap_frame(struct str in, unsigned continued, size_t *used);

struct imap_arg {
	enum { IMAP_ATOM, IMAP_STRING, IMAP_OPEN, IMAP_CLOSE } kind;
	struct str s;
};

struct imap_command {
	struct str tag;	 /* "" if there is none */
	struct str name; /* as it came */
	struct imap_arg arg[IMAP_ARGS_MAX];
	size_t nargs;
	size_t ntext;
	char text[IMAP_COMMAND_MAX]; /* quoted strings, unescaped */
};

/* frame: a whole command (or the part before IMAP_WAITS or IMAP_REFUSE: then
 * tag and name may be set though -1 is returned).  Slices point into frame or
 * c->text.  The caller wipes c: there may be a password in it. */
ERR_WARN_UNUSED int imap_command_parse(struct str frame, struct imap_command *c,
				       struct err *err);

#endif
