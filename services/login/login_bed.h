/* SPDX-License-Identifier: ISC */
#ifndef LOGIN_BED_H
#define LOGIN_BED_H

#include "session.h"

/*
 * For tests and fuzz targets without a script: a login process whose peers are
 * played.  authd knows al with the password "secret" (PLAIN, LOGIN, AUTH);
 * other mechanisms get a challenge to each of their messages until the client
 * says "secret", at the eighth authd says no.  tlsd's TLS changes no byte.
 * spawner takes whom it is given.
 */
enum { BED_EXCHANGES = 256 };

struct bed {
	struct loop loop;
	struct worker worker;
	struct chan *authd, *spawner, *tlsd;
	unsigned asked;	  /* logins begun */
	unsigned tls;	  /* connections given to tlsd */
	unsigned started; /* given to spawner, and */
	unsigned secured; /* of them said to be under TLS */
	unsigned cancelled;
	bool silent; /* authd answers nothing */
	struct bed_exchange {
		uint32_t number;
		unsigned steps;
		char mech[SASL_MECH_MAX + 1], user[USER_MAX + 1];
	} exchanges[BED_EXCHANGES];
	struct msg_sasl_begin last; /* its strings are gone */
	char client[65];	    /* of the last */
};

void bed_init(struct bed *b);
/* The sessions, too. */
void bed_fini(struct bed *b);
void bed_turns(struct bed *b, unsigned n);
/* The client's end of a new connection, non-blocking. */
int bed_client(struct bed *b, const struct proto *proto, bool implicit_tls,
	       const char *from);

#endif
