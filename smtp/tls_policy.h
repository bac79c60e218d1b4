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
enum {
	TLS_PLAN_NONE = 0, /* beside enum tls_level */
	TLS_PLAN_MATCH_MAX = 4096,
};

/* What main.cf says, for one transport.  Slices are those of the parameters. */
struct tls_settings {
	uint8_t level;	     /* TLS_PLAN_NONE or enum tls_level */
	bool wrapper;	     /* smtp_tls_wrappermode: TLS from the first byte */
	bool has_maps;	     /* smtp_tls_policy_maps is not empty: ask router */
	bool note_offer;     /* smtp_tls_note_starttls_offer */
	unsigned timeout_ms; /* smtp_starttls_timeout */
	unsigned loglevel;
	/* [1]: where TLS is a must (smtp_tls_mandatory_*). */
	unsigned protocols[2];
	enum tls_grade grade[2];
	struct str exclude[2];
	struct str servername, digest;
	struct str verify_match, secure_match, fingerprints; /* lists */
};

/* How to speak TLS with one server; has no pointers, so that it can be
 * copied. */
struct tls_plan {
	uint8_t level;
	bool wrapper, note_offer;
	unsigned timeout_ms, loglevel;
	/* What tlsd is asked: tls_plan_ask(). */
	uint8_t protocols, grade;
	char exclude[TLS_EXCLUDE_MAX + 1];
	char host[TLS_NAME_MAX + 1];
	char digest[TLS_DIGEST_MAX + 1];
	char match[TLS_PLAN_MATCH_MAX]; /* encoded msg_tls_match */
	size_t match_n;
	uint32_t nmatch;
};

/* transport: the prefix of the parameters ("smtp", "slow"). -1 (PERM): a value
 * is faulty; err names it. */
ERR_WARN_UNUSED int tls_settings_load(struct tls_settings *t,
				      const struct params *p,
				      const char *transport, struct err *err);
/*
 * site: router's answer, or NULL if has_maps is false.  nexthop as in the route
 * ("example.com", "[relay.example.com]:587"), host the name that is connected
 * to, of an MX record or nexthop's own (A-labels), or its address.  Local
 * sockets go without.  -1 (TEMP): the policy of this destination is faulty; do
 * not send.
 */
ERR_WARN_UNUSED int tls_policy(const struct tls_settings *t,
			       const struct msg_sited *site, struct str nexthop,
			       struct str host, bool host_is_literal,
			       struct tls_plan *out, struct err *err);

/* The request for tls_client_connect(), of slices of p. */
void tls_plan_ask(const struct tls_plan *p, struct msg_tls_client *m);

#endif
