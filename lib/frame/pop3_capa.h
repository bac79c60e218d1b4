/* SPDX-License-Identifier: ISC */
#ifndef FRAME_POP3_CAPA_H
#define FRAME_POP3_CAPA_H

#include "base/buf.h"
#include "base/param.h"

/* What the answers to CAPA (RFC 2449 5) before and after the login have in
 * common: login and pop3d say the same of one server. */
struct pop3_capa {
	unsigned expire_days; /* 0: NEVER */
	unsigned login_delay; /* seconds; 0: none */
};

/* From pop3_expire and pop3_login_delay. */
void pop3_capa_init(struct pop3_capa *c, const struct params *p);
/* Lines, without the first and the last.  mechanisms: of sasl_announce(), for
 * this connection. */
void pop3_capa_put(struct buf *out, const struct pop3_capa *c,
		   struct str mechanisms);

#endif
