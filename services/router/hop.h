/* SPDX-License-Identifier: ISC */
#ifndef ROUTER_HOP_H
#define ROUTER_HOP_H

#include "parts.h"

/*
 * By which transport an address leaves, and for where, as Postfix has it:
 * transport_maps, or else what the address's class says (local_transport,
 * virtual_transport, relay_transport, default_transport), with the relay host
 * as the next hop of what is not ours.
 */
enum hop_kind {
	HOP_LOCAL,
	HOP_VIRTUAL,
	HOP_REMOTE, /* smtp, lmtp, relay, one of $transports */
	HOP_ERROR,  /* dsn and text say why; "4.x.y": try again later */
	HOP_DISCARD,
};

struct hop {
	enum hop_kind kind;
	struct str transport, nexthop; /* of HOP_REMOTE */
	struct str dsn, text;	       /* of HOP_ERROR */
};

/* The slices are in pool or in the routes.  sender: "" for <>.  -1 (TEMP): a
 * table cannot be read, or (code ENXIO) names a transport that does not
 * exist. */
ERR_WARN_UNUSED int hop_find(const struct routes *r, struct str sender,
			     const struct parts *a, struct pool *pool,
			     struct hop *h, struct err *err);

/* For a user of this machine, by name: mailbox_transport_maps,
 * mailbox_transport, and, if there is no such user, fallback_transport.  0: by
 * none of these; 1: *h. */
ERR_WARN_UNUSED int hop_of_user(const struct routes *r, const struct parts *a,
				bool exists, struct pool *pool, struct hop *h,
				struct err *err);

#endif
