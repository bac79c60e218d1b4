/* SPDX-License-Identifier: ISC */
#ifndef TLSD_CONF_H
#define TLSD_CONF_H

#include "base/err.h"
#include "base/param.h"
#include "frame/tls_protocols.h"

/* What main.cf says about TLS, ready for OpenSSL. */
enum {
	CONF_CIPHERS_MAX = 2000,
	CONF_GROUPS_MAX = 500,
};

struct tls_conf {
	unsigned protocols; /* bits, none but TLS_V_SPOKEN */
	bool mandatory;	    /* whoever cannot do better is to be turned away */
	bool preempt;	    /* our order of ciphers counts */
	bool wipe;	    /* plain text holds passwords: leave none behind */
	char ciphers[CONF_CIPHERS_MAX]; /* OpenSSL's syntax, TLS 1.2 and below
					 */
	char groups[CONF_GROUPS_MAX];	/* blank-separated */
	char digest[16];
	int verify_depth;
	long session_s; /* 0: no tickets */
	/* As a client: the lists behind the grades, by enum tls_grade. */
	char grades[2][CONF_CIPHERS_MAX];
	int out_verify_depth;
	unsigned out_session_s; /* 0: sessions are not resumed */
	unsigned drain_s;
};

/* mx: the group that speaks with other hosts.  What is wrong is logged, and
 * something safe is taken instead. */
void conf_load(struct tls_conf *conf, const struct params *p, bool mx);

/* grade, less the words of exclude and exclude2, less what must never be. */
ERR_WARN_UNUSED int conf_ciphers(char out[CONF_CIPHERS_MAX], struct str grade,
				 struct str exclude, struct str exclude2);
/* The same where we are the client. */
ERR_WARN_UNUSED int conf_out_ciphers(char out[CONF_CIPHERS_MAX],
				     const char *grade, struct str exclude);

#endif
