/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_DECODE_H
#define IMAPD_DECODE_H

#include "shape.h"

/*
 * A body on its way out of its transfer encoding (RFC 2045 6.7, 6.8), in
 * portions, for BINARY.  Lenient: what is not in the alphabet of base64 is not
 * there, what is no quoted-printable stands for itself.
 */
struct imap_decoder {
	enum imap_encoding encoding;
	bool ended; /* base64: "=" was seen */
	uint32_t bits;
	unsigned nbits;
	/* quoted-printable: what cannot be decided yet: blanks at the end of a
	 * line, an "=" and what follows */
	char held[64];
	size_t nheld;
};
enum { DECODE_ROOM = 128 }; /* what one byte can give at most */

void imap_decode_init(struct imap_decoder *d, enum imap_encoding encoding);
/* Take bytes off *in while there is DECODE_ROOM in out; the number of bytes
 * given.  With *in empty nothing is given but what last (the end) lets go. */
size_t imap_decode(struct imap_decoder *d, struct str *in, bool last, char *out,
		   size_t room);

#endif
