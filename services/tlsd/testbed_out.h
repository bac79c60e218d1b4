/* SPDX-License-Identifier: ISC */
#ifndef TLSD_TESTBED_OUT_H
#define TLSD_TESTBED_OUT_H

#include "testbed.h"

/*
 * For the tests of tlsd as a client: certificates, and servers that are
 * OpenSSL's.
 */
struct cert {
	X509 *cert;
	EVP_PKEY *key;
};

/* Made once: the state of a group of tests. */
struct house {
	struct cert ca, other_ca, middle, good, wild, cn_only, expired, early,
		ip, self, unknown, deep, rsa;
};

/* One bed, one server, one connection after another. */
struct out {
	struct bed b;
	struct tls_client *smtp;
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	/* What tlsd said. */
	unsigned done;
	int plain;
	unsigned class;
	char text[TLS_TEXT_MAX + 1];
	struct tls_facts facts;
	uint32_t tag;
	bool shaken; /* the server is content */
	char sni[100];
};

struct want {
	enum tls_level level;
	const char *host, *match; /* by blanks */
	const char *digest, *exclude;
	unsigned protocols;
	enum tls_grade grade;
};

int house_make(void **state);
int house_free(void **state);

/* The server shows cert, and middle behind it; both may be NULL. */
void out_open(struct out *o, const struct cert *cert,
	      const struct cert *middle);
void out_close(struct out *o);
/* The authorities that tlsd trusts; NULL: none. */
void out_trust(struct out *o, const struct cert *ca);
/* Ask tlsd, on a new connection; the server's end is o->fd. */
void out_ask(struct out *o, const struct want *w, unsigned timeout_ms);
/* Both sides until tlsd has answered; true: well. */
bool out_shake(struct out *o);
/* Both. */
bool out_run(struct out *o, const struct want *w);
/* A text there, and another back. */
void out_echo(struct out *o);
void out_on_done(void *arg, int fd, const struct tls_facts *facts,
		 unsigned class, const char *text);

#endif
