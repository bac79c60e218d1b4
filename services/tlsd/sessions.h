/* SPDX-License-Identifier: ISC */
#ifndef TLSD_SESSIONS_H
#define TLSD_SESSIONS_H

#include <openssl/ssl.h>

#include "base/list.h"
#include "base/map.h"

/*
 * Sessions that servers gave us, to be resumed.  They are kept encoded, with
 * the server's certificate and what was found about it, but without the rest of
 * its chain; those that are larger than SESSION_BYTES_MAX are not kept.  A key
 * stands for one server and everything that was asked of it.
 */
enum {
	SESSION_KEY = 32,
	SESSION_KEYS_MAX = 1000, /* the one unused for longest goes */
	SESSION_EACH_MAX = 4,	 /* of one key */
	SESSION_BYTES_MAX = 8192,
};

struct sessions {
	struct map by_key;
	struct list all; /* struct session_slot, the last used at its end */
	unsigned n;
};

void sessions_init(struct sessions *ss);
/* Forget all; secrets are wiped. */
void sessions_flush(struct sessions *ss);
void sessions_put(struct sessions *ss, const uint8_t key[SESSION_KEY],
		  SSL_SESSION *session, uint64_t until_ms);
/* The latest one that is still good, the caller frees it; NULL: none.  A
 * session of TLS 1.3 is forgotten then, since each ticket is used but once (RFC
 * 8446 C.4). */
SSL_SESSION *sessions_take(struct sessions *ss, const uint8_t key[SESSION_KEY],
			   uint64_t now_ms);

#endif
