/* SPDX-License-Identifier: ISC */
#ifndef MAIL_TRANSFER_H
#define MAIL_TRANSFER_H

#include "base/str.h"

/*
 * Content-Transfer-Encoding (RFC 2045 6), and a body on its way out of it, in
 * portions.  Lenient: what is not in the alphabet of base64 is not there, and
 * what stands behind its "=" neither; what is no quoted-printable stands for
 * itself.
 */
enum transfer {
	TRANSFER_IDENTITY, /* 7bit, 8bit, binary; the default */
	TRANSFER_BASE64,
	TRANSFER_QP,
	TRANSFER_UNKNOWN,
	TRANSFERS,
};
enum transfer transfer_of(struct str name); /* in any case; "": the default */

struct transfer_decoder {
	enum transfer encoding;
	bool ended; /* base64: "=" was seen */
	uint32_t bits;
	unsigned nbits;
	/* quoted-printable: what cannot be decided yet: blanks at the end of a
	 * line, an "=" and what follows */
	char held[64];
	size_t nheld;
};
enum { TRANSFER_ROOM = 128 }; /* what one byte can give at most */

/* An unknown encoding's bytes stand for themselves. */
void transfer_init(struct transfer_decoder *d, enum transfer encoding);
/* Take bytes off *in while there is TRANSFER_ROOM in out; the number of bytes
 * given.  With *in empty nothing is given but what last (the end) lets go. */
size_t transfer_decode(struct transfer_decoder *d, struct str *in, bool last,
		       char *out, size_t room);

#endif
