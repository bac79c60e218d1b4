/* SPDX-License-Identifier: ISC */
#ifndef ROUTER_RESOLVE_H
#define ROUTER_RESOLVE_H

#include "frame/msg_rcpt.h"
#include "parts.h"

/* The recipients that the recipients of one message turn into; one delivery
 * goes to each mailbox, however many ways lead there.  Everything the structs
 * point to is in pool, in the routes, or in what was given. */
struct resolved {
	struct pool *pool;
	struct msg_rcpt *v;
	size_t n, size;
	size_t merged; /* results that were there already */
	struct map seen;
};

void resolved_init(struct resolved *out, struct pool *pool);
void resolved_fini(struct resolved *out);

/*
 * Add what one recipient turns into: virtual aliases and aliases(5) expanded
 * until none is found, each result with a type.  A result that names an
 * address on its own way (alias loops) is not expanded again.  At least one is
 * added, perhaps RCPT_ERROR, unless the same is there already; with a dsn
 * "4.x.y" it is to be tried again.  sender: of the message, "" for <>. at_rcpt:
 * ask local_recipient_maps and relay_recipient_maps, too.
 *
 * -1 (TEMP): a table cannot be read, or (code ELOOP) an expansion limit, or
 * (code ENXIO) an unknown transport; nothing may then be concluded from out.
 */
ERR_WARN_UNUSED int resolve(const struct routes *r, struct str sender,
			    const struct msg_rcpt_in *in, bool at_rcpt,
			    struct resolved *out, struct err *err);

#endif
