/* SPDX-License-Identifier: ISC */
#ifndef TLSD_REMOTE_KEY_H
#define TLSD_REMOTE_KEY_H

#include <openssl/x509.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Private keys that are somewhere else: objects for OpenSSL that have the
 * public part of a key only, and whose signatures keyd makes, over a channel
 * of its own.
 *
 * The one file that knows OpenSSL's method tables of RSA and EC, which are
 * deprecated: a provider can take its place.
 *
 * Asking blocks: keyd signs within 20 us (P-256) to 300 us (RSA-2048), less
 * than it would cost to suspend a handshake and to come back to it; and it
 * answers nobody but the workers of tlsd.  After REMOTE_TIMEOUT_MS without an
 * answer the handshake fails, and so do others at once until the answer is
 * there: who waits holds up all streams.  After REMOTE_PATIENCE_MS the channel
 * is given up.
 */
enum { REMOTE_TIMEOUT_MS = 2000, REMOTE_PATIENCE_MS = 60 * 1000 };

struct remote {
	int fd; /* blocking frames of msg_keyd.h; -1: none now */
	uint32_t tag;
	uint64_t owed_ms; /* since when it owes the answer to tag; 0: none */
	struct buf frame;
	void *rsa, *ec;	 /* OpenSSL's method tables */
	struct err fail; /* why the last signature was not made, or ERR_NONE */
};

ERR_WARN_UNUSED int remote_init(struct remote *r, struct err *err);
/* All keys must be freed before. */
void remote_fini(struct remote *r);
/* The channel to keyd, taken; -1: it is gone. */
void remote_channel(struct remote *r, int fd);
/* Something is there to read: a late answer; -1: the end. */
int remote_late(struct remote *r);

/* A key for this certificate, known to keyd as (set, key).  NULL with err: of
 * a kind that keyd does not sign with. */
EVP_PKEY *remote_key(struct remote *r, X509 *cert, uint32_t set, uint16_t key,
		     struct err *err);

#endif
