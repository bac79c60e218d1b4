/* SPDX-License-Identifier: ISC */
#ifndef TLSD_TESTBED_H
#define TLSD_TESTBED_H

#include <pthread.h>

#include "frame/tls_client.h"
#include "tlsd.h"

/*
 * For the tests: a tlsd, a keyd with keys of its own (it signs in a thread,
 * for tlsd waits for it), a service that asks by tls_client.h, and clients that
 * are OpenSSL's.
 */
enum bed_kind { BED_EC, BED_RSA, BED_ED25519 };

struct bed_cert {
	X509 *cert;
	EVP_PKEY *key;
};

/* names: blank-separated DNS names, the first is the CN too; "" none.
 * ca NULL: it signs itself. */
struct bed_cert bed_cert(enum bed_kind kind, const char *names,
			 const struct bed_cert *ca);
void bed_cert_free(struct bed_cert *c);

struct bed {
	struct loop loop;
	struct tlsd tlsd;
	struct tls_conf conf;
	struct tls_client *service;
	int keyd;   /* the end of the channel with the notes, or -1 */
	int signer; /* the signing end, for the thread */
	pthread_t thread;
	bool thread_runs;
	/* What the thread signs with: by key of the set; guarded by its not
	 * being changed while a handshake is under way. */
	const EVP_PKEY *keys[8];
	uint32_t set; /* 0: all refused */
	bool out;     /* the chains that come are for servers */
	bool mute;    /* answers only afterwards */
	unsigned signatures, lost;
};

void bed_open(struct bed *b);
void bed_close(struct bed *b);
void bed_turns(struct bed *b, unsigned n);
/* A chain of the set that comes; NULL names: a fallback chain. */
void bed_chain(struct bed *b, uint32_t set, uint16_t key,
	       const struct bed_cert *c, const char *names);
void bed_set(struct bed *b, uint32_t set, uint16_t keys);
/* One fallback chain each, as a complete set. */
void bed_certs(struct bed *b, const struct bed_cert *const certs[]);
/* n keys whose bytes are first, first + 1 ... */
void bed_tickets(struct bed *b, uint8_t first, unsigned n);
void bed_note(struct bed *b, const struct msg_def *def, const void *msg);
/* Have, or lose, the signing thread. */
void bed_signer(struct bed *b);
void bed_no_signer(struct bed *b);

struct bed_client {
	SSL_CTX *ctx;
	SSL *ssl;
	SSL_SESSION *session; /* the last ticket */
	unsigned tickets;     /* that came */
	int fd;
	/* The service's side. */
	unsigned done;
	int plain;
	unsigned class;
	struct tls_facts facts;
	char text[TLS_TEXT_MAX + 1];
	uint32_t tag;
};

/* version 0: any.  ctx and ssl can be changed before client_start(). */
void client_open(struct bed_client *c, int version);
void client_close(struct bed_client *c);
/* Connect to the service, which asks for TLS. */
void client_start(struct bed *b, struct bed_client *c, enum tls_use use,
		  unsigned client_cert, unsigned timeout_ms);
/* Until both sides know how the handshake ended; true: well. */
bool client_shake(struct bed *b, struct bed_client *c);
/* The whole with defaults. */
bool client_run(struct bed *b, struct bed_client *c, enum tls_use use);
/* A new connection of the same client, which resumes. */
void client_again(struct bed_client *c);
/* text goes from the client to the service and back. */
void client_echo(struct bed *b, struct bed_client *c);
/* Read from the plain stream / under TLS until n bytes, or nothing comes. */
size_t plain_read(struct bed *b, struct bed_client *c, char *to, size_t n);
size_t client_read(struct bed *b, struct bed_client *c, char *to, size_t n);

#endif
