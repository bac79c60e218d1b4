/* SPDX-License-Identifier: ISC */
#ifndef DIALOG_SCRIPT_H
#define DIALOG_SCRIPT_H

#include "base/buf.h"
#include "base/str.h"

/*
 * Runs the dialogues of a directory (README.md) against a daemon's library.
 * What is not about sending and receiving is the testbed's own.
 */
struct script;

struct script_ops {
	/* Begin and end of a file. */
	void (*begin)(void *arg);
	void (*end)(void *arg);
	/* One turn of the loop that serves. */
	void (*turn)(void *arg);
	/* "client HOW": the client's end of a connection. */
	int (*client)(void *arg, struct str how);
	/* Any other verb; call script_fail() if it is not as it says. */
	void (*verb)(void *arg, struct script *s, struct str verb,
		     struct str rest);
};

struct script {
	const char *file;
	unsigned line;
	int fd; /* -1: not connected */
	struct buf in;
	const struct script_ops *ops;
	void *arg;
};

/* Ends the test with file and line. */
void script_fail(struct script *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
/* Turn the loop until question() is true; false after five seconds. */
bool script_wait(struct script *s, bool (*question)(void *arg));
/* \r \n \t \0 \\ \xHH */
void script_unescape(struct script *s, struct str in, struct buf *out);

/* All *.dlg of the directory; how many there were. */
unsigned script_run_all(const char *dir, const struct script_ops *ops,
			void *arg);

#endif
