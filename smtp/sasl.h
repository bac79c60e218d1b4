/* SPDX-License-Identifier: ISC */
#ifndef SMTP_SASL_H
#define SMTP_SASL_H

#include "base/buf.h"
#include "base/param.h"
#include "frame/tls_client.h"

/*
 * Logging in at a relay host: libsasl2's client side, with its mechanisms
 * chosen by us (the best that the server offers and the parameters allow, the
 * next one if the library cannot), and XOAUTH2 as a plug-in of our own.
 */
struct sasl_settings {
	bool enable;		     /* smtp_sasl_auth_enable */
	bool sender_dependent;	     /* smtp_sender_dependent_authentication */
	bool soft_bounce;	     /* smtp_sasl_auth_soft_bounce */
	unsigned security;	     /* bits of smtp_sasl_security_options */
	unsigned tls_security;	     /* of smtp_sasl_tls_security_options */
	unsigned tls_verified;	     /* of ..._tls_verified_security_options */
	struct str mechanism_filter; /* a slice of the parameters */
};
/* transport: the prefix of the parameters ("smtp", "slow"). -1: faulty. */
ERR_WARN_UNUSED int sasl_settings_load(struct sasl_settings *s,
				       const struct params *p,
				       const char *transport, struct err *err);

/* Before the jail: plug-ins are loaded here. */
ERR_WARN_UNUSED int sasl_preload(struct err *err);

struct sasl; /* one login */

/*
 * offered: the words behind AUTH in EHLO.  tls: NULL without TLS; used during
 * the call alone.  The first one that works is begun: *mech is its name for the
 * AUTH command; initial gets the first response (raw), *has_initial says
 * whether there is one.  RFC 4954 4: if the line gets longer than 512 octets
 * by it, AUTH is sent without, and it answers the empty challenge that follows.
 * The buffers hold secrets: wipe them.  NULL with err (PERM: no mechanism that
 * both sides allow; TEMP).
 */
struct sasl *sasl_begin(const struct sasl_settings *set, struct str offered,
			const char *host, const char *user,
			const char *password, const struct tls_facts *tls,
			const char **mech, struct buf *initial,
			bool *has_initial, struct err *err);
/* The server's challenge (raw); out gets the response (raw).  -1: it lies, or
 * asks for what cannot be given: cancel with "*" and do not trust it. */
ERR_WARN_UNUSED int sasl_next(struct sasl *s, struct str challenge,
			      struct buf *out, struct err *err);
/* The server said 235: is the exchange complete on our side as well (SCRAM
 * proves the server, too)?  -1: not, do not trust this server. */
ERR_WARN_UNUSED int sasl_finish(struct sasl *s, struct err *err);
void sasl_free(struct sasl *s);

#endif
