/* SPDX-License-Identifier: ISC */
#ifndef MAIL_UIDL_H
#define MAIL_UIDL_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Names of messages for UIDL (RFC 1939 7): 1 to 70 printable characters, the
 * same for ever.  Two sources: the format, whose variables are Dovecot's, and a
 * list of names that came with an import from another server.
 */
enum { UIDL_MAX = 70, UIDL_FORMAT_MAX = 100 };

/*
 * %u the UID, %v UIDVALIDITY, %f and %g the file's base name, %% a percent
 * sign; between them "0" and a width to fill with zeros, and X for lower case
 * hexadecimal (numbers), L or U for lower or upper case (names).  -1: not a
 * format, or one that does not tell messages apart.
 */
ERR_WARN_UNUSED int uidl_format_check(struct str format, struct err *err);

struct uidl_of {
	uint32_t uid, uidvalidity;
	struct str base; /* of the file's name */
};
/* Append it.  What is no name by RFC 1939 (too long, other characters) becomes
 * %08Xu%08Xv.  format has passed uidl_format_check(). */
void uidl_format(struct buf *out, struct str format, const struct uidl_of *m);

/*
 * posthouse.uidl in a folder: a first line "posthouse.uidl 1 UIDVALIDITY", then
 * "UID NAME" each, by ascending UID.  Lines that are not so are passed over; a
 * file for another UIDVALIDITY counts for nothing.
 */
struct uidl_row {
	uint32_t uid;
	struct str name; /* in text */
};
struct uidl_list {
	struct uidl_row *v;
	size_t n;
};
enum { UIDL_FILE_MAX = 256 * 1024 * 1024 };
/* text must live as long.  -1: out of memory. */
ERR_WARN_UNUSED int uidl_list_parse(struct uidl_list *l, struct str text,
				    uint32_t uidvalidity, struct err *err);
void uidl_list_fini(struct uidl_list *l);
/* STR_NULL: not in it. */
struct str uidl_list_find(const struct uidl_list *l, uint32_t uid);

#endif
