/* SPDX-License-Identifier: ISC */
#ifndef TLSD_KEYSET_H
#define TLSD_KEYSET_H

#include <openssl/x509.h>

#include "frame/msg_keyd.h"
#include "remote_key.h"

/*
 * What keyd tells: certificate chains, which come one by one and count
 * once the set is complete, and the keys of session tickets.
 */
struct chain {
	X509 *leaf;
	STACK_OF(X509) * rest;
	EVP_PKEY *pkey; /* signs by asking keyd */
	char *names;	/* configured, blank-separated, or "" */
	bool fallback;
};

struct keyset {
	uint32_t set;
	uint16_t n; /* chains there are */
	struct chain v[KEY_SET_MAX];
};

struct keyset *keyset_new(uint32_t set);
void keyset_free(struct keyset *ks);
/* The next chain.  -1: it cannot be used, and has left a gap that counts. */
ERR_WARN_UNUSED int keyset_add(struct keyset *ks, struct remote *r,
			       const struct msg_key_chain *m, struct err *err);

struct ticket_keys {
	unsigned n;
	struct {
		uint8_t name[KEY_TICKET_NAME];
		uint8_t secret[KEY_TICKET_SECRET];
	} v[KEY_TICKETS_MAX];
};

/* Those of an odd size are left out. */
void ticket_keys_set(struct ticket_keys *tk, const struct msg_key_tickets *m);
void ticket_keys_wipe(struct ticket_keys *tk);

#endif
