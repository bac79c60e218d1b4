/* SPDX-License-Identifier: ISC */
#ifndef FRAME_TLS_PROTOCOLS_H
#define FRAME_TLS_PROTOCOLS_H

#include "base/err.h"
#include "base/str.h"

/* Versions of TLS, as bits.  The older ones are known by name, and never spoken
 * (RFC 8996; keyd makes none of their signatures). */
enum {
	TLS_V1_2 = 4,
	TLS_V1_3 = 8,
	TLS_V_SPOKEN = TLS_V1_2 | TLS_V1_3,
};

/* The value of smtpd_tls_protocols and the like, in Postfix's two forms: bounds
 * (">=TLSv1.2") and names ("!TLSv1, TLSv1.2").  -1 with err: a word that is
 * none of these, or none of those that are spoken is left. */
ERR_WARN_UNUSED int tls_protocols(struct str list, unsigned *out,
				  struct err *err);

#endif
