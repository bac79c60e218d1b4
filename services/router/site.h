/* SPDX-License-Identifier: ISC */
#ifndef ROUTER_SITE_H
#define ROUTER_SITE_H

#include "frame/msg_router.h"
#include "routes.h"

enum { SITE_TLS_MAX = 1024 };

/*
 * What the tables say of a server that is about to be connected to:
 * smtp_tls_policy_maps and smtp_sasl_password_maps of the transport (its own,
 * if it is one of $transports).  The answer's slices are in tls or in a table:
 * valid until the next look-up, so that a password is not copied.
 */
void site_ask(const struct routes *r, const struct msg_site *q,
	      struct msg_sited *a, char tls[SITE_TLS_MAX + 1]);

#endif
