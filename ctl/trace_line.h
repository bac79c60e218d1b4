/* SPDX-License-Identifier: ISC */
#ifndef CTL_TRACE_LINE_H
#define CTL_TRACE_LINE_H

#include "base/buf.h"

/*
 * A line of the log, in any of logd's forms, or as syslog wrote it:
 *
 *	Nov 22 02:19:12 host posthouse/smtpd[123]: 6B02AA600001: client=...
 *	2026-11-22T02:19:12.123456+00:00 host posthouse/smtpd[123]: ...
 *	{"time":"...","program":"smtpd","queue_id":"...","message":"..."}
 */
struct trace_line {
	struct str time;    /* as it stands */
	struct str program; /* "smtpd" */
	struct str id;	    /* queue id, "": none */
	struct str text;
};

enum { TRACE_LINE_MAX = 16 * 1024, TRACE_ID_MIN = 12, TRACE_ID_MAX = 16 };

/* A queue id as text. */
bool trace_is_id(struct str s);

/* False: not a line of ours.  mem takes what had to be decoded. */
bool trace_line_parse(struct str line, struct buf *mem, struct trace_line *t);

/* The value of "name=" in "from=<a@b.c>, size=1, status=sent (...)", without
 * its <>; false: there is none. */
bool trace_value(struct str text, const char *name, struct str *value);
/* Of "... status=sent (250 ok)": the text in the outer parentheses. */
struct str trace_reason(struct str text);
/* The id behind "notification: ", as a message's report is named; false: this
 * is no such line. */
bool trace_report(struct str text, struct str *id);

#endif
