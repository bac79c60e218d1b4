/* SPDX-License-Identifier: ISC */
#ifndef TLSD_CONF_H
#define TLSD_CONF_H

#include "base/err.h"
#include "base/param.h"

/* What main.cf says about TLS, ready for OpenSSL. */
enum {
	CONF_CIPHERS_MAX = 2000,
	CONF_GROUPS_MAX = 500,
};

/* Protocols, as bits. */
enum {
	CONF_TLS1_0 = 1,
	CONF_TLS1_1 = 2,
	CONF_TLS1_2 = 4,
	CONF_TLS1_3 = 8,
	CONF_TLS_ALL = 15,
	/* keyd makes none of the signatures that the older ones have. */
	CONF_TLS_SPOKEN = CONF_TLS1_2 | CONF_TLS1_3,
};

struct tls_conf {
	unsigned protocols;
	bool mandatory; /* whoever cannot do better is to be turned away */
	bool preempt;	/* our order of ciphers counts */
	bool wipe;	/* plain text holds passwords: leave none behind */
	char ciphers[CONF_CIPHERS_MAX]; /* OpenSSL's syntax, TLS 1.2 and below
					 */
	char groups[CONF_GROUPS_MAX];	/* blank-separated */
	char digest[16];
	int verify_depth;
	long session_s; /* 0: no tickets */
	unsigned drain_s;
};

/* mx: the group that speaks with other hosts.  What is wrong is logged, and
 * something safe is taken instead. */
void conf_load(struct tls_conf *conf, const struct params *p, bool mx);

/* "smtpd_tls_protocols": Postfix's two forms, bounds (">=TLSv1.2") and names
 * ("!TLSv1, TLSv1.2").  At least one protocol is in *out on success. */
ERR_WARN_UNUSED int conf_protocols(struct str list, unsigned *out,
				   struct err *err);
/* grade, less the words of exclude and exclude2, less what must never be. */
ERR_WARN_UNUSED int conf_ciphers(char out[CONF_CIPHERS_MAX], struct str grade,
				 struct str exclude, struct str exclude2);

#endif
