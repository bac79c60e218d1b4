/* SPDX-License-Identifier: ISC */
#ifndef LOGD_FORMAT_H
#define LOGD_FORMAT_H

#include "base/buf.h"
#include "base/log.h"

/* Who sent a line: logd's own knowledge, never the sender's word. */
struct log_sender {
	const char *syslog_name; /* "posthouse" */
	const char *name;	 /* "smtpd" */
	long pid;		 /* 0: unknown */
	bool alone;		 /* text: syslog_name without name */
};

struct log_record {
	enum log_level level;
	struct str id; /* queue id, or empty */
	struct str text;
};

/* Cut the next record off a datagram (the form in base/log.h); false at the
 * end or where it is malformed (then *malformed is set). */
bool format_next(struct str *frame, struct log_record *r, bool *malformed);

/*
 * One line with its LF.  wall_us is the time of arrival, local time zone.
 * Control characters in what a sender wrote become "?".
 *   text:   Nov 22 02:19:12 host posthouse/smtpd[123]: ID: text
 *   syslog: the same after <PRI>, without host and LF (RFC 3164, facility mail)
 *   json:   {"time":"2026-11-22T02:19:12.123456Z","program":…}
 */
void format_text(struct buf *out, const struct log_sender *s,
		 const struct log_record *r, uint64_t wall_us,
		 const char *host);
void format_syslog(struct buf *out, const struct log_sender *s,
		   const struct log_record *r, uint64_t wall_us);
void format_json(struct buf *out, const struct log_sender *s,
		 const struct log_record *r, uint64_t wall_us);

#endif
