/* SPDX-License-Identifier: ISC */
#ifndef MAIL_UTF8_H
#define MAIL_UTF8_H

#include "base/buf.h"

/* The character at the start of *s, cut off; -1 if these bytes are not UTF-8
 * (RFC 3629: shortest form, no surrogates, up to U+10FFFF), *s unchanged. */
int32_t utf8_next(struct str *s);
bool utf8_is_valid(struct str s);
bool utf8_is_ascii(struct str s);
/* So many bytes at its start are. */
size_t utf8_ascii(struct str s);
/* c must be a character. */
int utf8_add(struct buf *out, uint32_t c);

#endif
