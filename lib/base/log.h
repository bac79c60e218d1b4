/* SPDX-License-Identifier: ISC */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/str.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

/*
 * Lines go to logd over the inherited channel fd (SOCK_SEQPACKET), gathered
 * and sent by log_flush(), which the loop calls once a turn; a warning or worse
 * is sent at once.  logd knows the sender by its channel.  Without a channel
 * (tests, ctl) lines go to standard error as "NAME: text".  Thread-safe.
 */
void log_open(int fd, const char *name);
void log_set_debug(bool on);
/* The process serves one user: "SERVICE(USER): " stands before each line that
 * does not begin so itself. */
void log_set_user(const char *service, const char *user);
void log_flush(void);

/* id: the queue id the line is about, or NULL; Postfix-style lines begin with
 * it, JSON has it as a member. */
void log_line(enum log_level level, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_debug(...) log_line(LOG_DEBUG_, NULL, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO_, NULL, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN_, NULL, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR_, NULL, __VA_ARGS__)

/*
 * The one function through which bytes of a peer reach a log line (security
 * rule 10): controls, DEL, backslash and bytes that are not valid UTF-8
 * become \xHH; cut at the array's size with "...".
 * LOGQ(s) gives a C string that lives as long as the enclosing block.
 */
struct log_quoted {
	char s[400];
};
const char *log_quote(struct log_quoted *q, struct str s);
#define LOGQ(str) log_quote(&(struct log_quoted){ .s = "" }, (str))

/* The form on the channel, for logd: a datagram is a run of records
 * {u16 length of the rest, u8 level, u8 idlen, id, text}, little-endian. */
enum { LOG_TEXT_MAX = 2000, LOG_FRAME_MAX = 16384 };

#endif
