/* SPDX-License-Identifier: ISC */
#ifndef SMTP_DELIVER_H
#define SMTP_DELIVER_H

#include "dial.h"
#include "frame/dns_client.h"
#include "hosts.h"
#include "kept.h"
#include "letter.h"
#include "own.h"
#include "session.h"

/* What all deliveries of the process share. */
struct hub {
	struct loop *loop;
	struct dns_client *dns;
	struct asker *router, *dialer; /* dialer NULL: no local sockets */
	struct tls_client *tls;
	struct own own;
	struct kept kept;
	const uint16_t *ports; /* that may be connected to, up to 0; NULL:
				  any */
	unsigned within_ms;    /* a delivery is over by then, however its
				  servers drag it out; 0: no limit */
};

/*
 * One letter on its way: a session that was kept for its site, or else one
 * server after another, those of the nexthop, then those of the fallback
 * relays, until each recipient is settled or there is no further server.
 *
 *	[kept] ─► (next) HOSTS ─► [SITE] ─► DIAL ─► SESSION ─► done, or (next)
 */
struct delivery;

struct delivery_end {
	enum send_site site;
	bool kept;
	uint64_t began_us, up_us;
	struct str dialog; /* valid during the call */
};

/* Each recipient of the letter is settled, or has its last fault as result.
 * Once, possibly from inside delivery_start(); the delivery frees itself
 * after this call.  The letter is the callee's. */
typedef void delivery_done_cb(void *arg, struct letter *l,
			      const struct delivery_end *e);

/* Takes the letter.  set outlives it.  NULL: no memory (the letter is freed).
 */
struct delivery *delivery_new(struct hub *hub, struct letter *l,
			      const struct settings *set,
			      delivery_done_cb *done, void *arg);
void delivery_start(struct delivery *d);
/* At once, wherever it is; done is not called; the letter is freed. */
void delivery_cancel(struct delivery *d);

#endif
