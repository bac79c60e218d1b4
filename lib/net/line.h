/* SPDX-License-Identifier: ISC */
#ifndef NET_LINE_H
#define NET_LINE_H

#include "base/str.h"

/*
 * Strict lines: only CR LF ends one (RFC 5321 2.3.8).  Looks at the start of
 * in; on LINE_OK *line is the text without CR LF and *used the bytes to
 * consume.  limit counts the text and its CR LF.
 */
enum line_result {
	LINE_OK,
	LINE_MORE,     /* no CR LF yet and not too long yet */
	LINE_TOO_LONG, /* no CR LF within limit */
	LINE_BARE,     /* a CR or LF by itself: *used is up to and with it */
	LINE_NUL,      /* a NUL in the text; *used and *line as LINE_OK */
};

enum line_result line_get(struct str in, size_t limit, struct str *line,
			  size_t *used);

#endif
