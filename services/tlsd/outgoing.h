/* SPDX-License-Identifier: ISC */
#ifndef TLSD_OUTGOING_H
#define TLSD_OUTGOING_H

#include "stream.h"

/*
 * What a stream has more where we are the client: what was asked of the server,
 * and under which key its sessions are kept.
 */
struct outgoing {
	uint8_t level;
	char digest[TLS_DIGEST_MAX + 1];
	uint8_t key[SESSION_KEY];
	struct msg_list match;
	char raw[]; /* of match */
};

/* OpenSSL's contexts for this, made when they are needed and kept; the key is
 * what they are made of. */
enum { OUT_CONTEXTS_MAX = 8 };

/* Make s->out and s->ssl; -1 with err. */
ERR_WARN_UNUSED int outgoing_prepare(struct stream *s,
				     const struct msg_tls_client *m,
				     struct err *err);
/* The handshake is done: is it the server that was asked for? */
ERR_WARN_UNUSED int outgoing_check(struct stream *s, enum tls_peer_cert *peer,
				   struct err *err);
/* Parameters, authorities or certificates have changed: forget contexts and
 * sessions. */
void outgoing_reset(struct tlsd *t);

#endif
