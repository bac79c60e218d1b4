/* SPDX-License-Identifier: ISC */
#ifndef FRAME_TLS_PROTOCOLS_H
#define FRAME_TLS_PROTOCOLS_H

#include "base/err.h"
#include "base/str.h"

/* Versions of TLS, as bits. */
enum {
	TLS_V1_0 = 1,
	TLS_V1_1 = 2,
	TLS_V1_2 = 4,
	TLS_V1_3 = 8,
	TLS_V_ALL = 15,
	/* The older ones are broken (RFC 8996), and keyd makes none of their
	 * signatures. */
	TLS_V_SPOKEN = TLS_V1_2 | TLS_V1_3,
};

/* The value of smtpd_tls_protocols and the like, in Postfix's two forms: bounds
 * (">=TLSv1.2") and names ("!TLSv1, TLSv1.2").  At least one version is in *out
 * on success, spoken or not. */
ERR_WARN_UNUSED int tls_protocols(struct str list, unsigned *out,
				  struct err *err);

#endif
