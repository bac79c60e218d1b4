/* SPDX-License-Identifier: ISC */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>

/*
 * What went wrong.  TEMP: try again later (4xx, deferred); PERM: it will not
 * work as asked (5xx, bounce, bad configuration); BUG: our own mistake, which
 * ends the process.  Bytes from a peer can never lead to BUG.
 */
enum err_class { ERR_NONE, ERR_TEMP, ERR_PERM, ERR_BUG };

struct err {
	enum err_class class;
	int code;	/* an errno value, or 0 */
	char text[240]; /* one line, for a human; may quote peer's bytes */
};

#define ERR_WARN_UNUSED __attribute__((warn_unused_result))

/* Fill *err (may be NULL) and return -1, so that callers can return it. */
int err_set(struct err *err, enum err_class class, int code, const char *fmt,
	    ...) __attribute__((format(printf, 4, 5)));

/* As err_set(), class chosen from errno value and its text appended:
 * ENOSPC, EDQUOT, EIO, EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR, ETIMEDOUT and
 * the like are TEMP, the rest PERM. */
int err_sys(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "prefix: " in front of the text already in *err; returns -1. */
int err_prefix(struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What compilers and analyzers cannot see across files: it is always -1. */
static inline int
err_always(int rc)
{
	(void)rc;
	return -1;
}
#define err_set(...) err_always(err_set(__VA_ARGS__))
#define err_sys(...) err_always(err_sys(__VA_ARGS__))
#define err_prefix(...) err_always(err_prefix(__VA_ARGS__))

/* Our own mistake: log file, line and text, and end the process. */
#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
#define BUG_ON(cond)                                             \
	do {                                                     \
		if (cond)                                        \
			bug_at(__FILE__, __LINE__, "%s", #cond); \
	} while (0)
void bug_at(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));

#endif
