/* SPDX-License-Identifier: ISC */
#ifndef CTL_USER_TEXT_H
#define CTL_USER_TEXT_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Changes to the text of the users file and of a map, as pure functions: what
 * is not about this user stays byte by byte.  Names do not distinguish upper
 * and lower case.  out is empty at first.
 */

/* The line of this user (as it stands, without LF); false: there is none. */
bool users_text_find(struct str text, struct str user, struct str *line);
/* The text with the user's line replaced by line (or added at the end);
 * line.p NULL: taken away.  More lines of the same user go. */
ERR_WARN_UNUSED int users_text_set(struct str text, struct str user,
				   struct str line, struct buf *out,
				   struct err *err);
/* A line of the users file with another password field, and keys (extra
 * fields, may be empty) in place of the old password's SCRAM keys. */
ERR_WARN_UNUSED int users_line_password(struct str line, struct str password,
					struct str keys, struct buf *out,
					struct err *err);
/* Append a line with a new secret for the users file (users_file.h), unless
 * text has one. */
ERR_WARN_UNUSED int users_text_secret(struct str text, struct buf *out,
				      struct err *err);

/* The value of a key in the text form of a map (postmap(1): lines that begin
 * with a blank continue the one before); false: there is none. */
bool map_text_find(struct str text, struct str key, struct str *value);
/* As users_text_set(): "key value" replaced, added or (value.p NULL) taken
 * away with its continuation lines. */
ERR_WARN_UNUSED int map_text_set(struct str text, struct str key,
				 struct str value, struct buf *out,
				 struct err *err);

#endif
