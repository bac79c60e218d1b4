/* SPDX-License-Identifier: ISC */
#ifndef SMTP_TLS_POLICY_H
#define SMTP_TLS_POLICY_H

#include "base/param.h"
#include "frame/msg_router.h"
#include "frame/msg_tlsd.h"

/*
 * The one place that decides how TLS is used with a destination: parameters
 * and smtp_tls_policy_maps today; DANE and MTA-STS will come in here.
 */
enum { TLS_PLAN_NONE = 0 }; /* beside enum tls_level */

/* What main.cf says, for one transport. */
struct tls_settings {
	uint8_t level;	     /* TLS_PLAN_NONE or enum tls_level */
	bool wrapper;	     /* smtp_tls_wrappermode: TLS from the first byte */
	bool has_maps;	     /* smtp_tls_policy_maps is not empty: ask router */
	unsigned timeout_ms; /* smtp_starttls_timeout */
	unsigned loglevel;
	struct str verify_match, secure_match, fingerprints; /* lists */
	/* more by who builds it */
};

struct tls_plan {
	uint8_t level;
	bool wrapper;
	unsigned timeout_ms, loglevel;
	/* What tlsd is asked; slices of mem. */
	struct msg_tls_client ask;
	char mem[8192];
};

/* transport: the prefix of the parameters ("smtp", "slow"). -1: faulty. */
ERR_WARN_UNUSED int tls_settings_load(struct tls_settings *t,
				      const struct params *p,
				      const char *transport, struct err *err);
/* site: router's answer, or NULL if has_maps is false.  -1 (TEMP): the policy
 * of this destination is faulty; do not send. */
ERR_WARN_UNUSED int tls_policy(const struct tls_settings *t,
			       const struct msg_sited *site, struct str nexthop,
			       struct str host, bool host_is_literal,
			       struct tls_plan *out, struct err *err);

#endif
