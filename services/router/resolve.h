/* SPDX-License-Identifier: ISC */
#ifndef ROUTER_RESOLVE_H
#define ROUTER_RESOLVE_H

#include "frame/msg_rcpt.h"
#include "routes.h"

/* What a domain is to us; the first that has it wins, in this order. */
enum addr_class {
	CLASS_LOCAL,   /* mydestination: aliases, then users of this machine */
	CLASS_ALIAS,   /* virtual_alias_domains: nothing but aliases */
	CLASS_MAILBOX, /* virtual_mailbox_domains */
	CLASS_REMOTE,  /* everything else */
};

/* The recipients that the recipients of one message turn into; one delivery
 * goes to each mailbox, however many ways lead there.  Everything the structs
 * point to is in pool, in the routes, or in what was given. */
struct resolved {
	struct pool *pool;
	struct msg_rcpt *v;
	size_t n, size;
	struct map seen;
};

void resolved_init(struct resolved *out, struct pool *pool);
void resolved_fini(struct resolved *out);

/*
 * Add what one recipient turns into: virtual aliases and aliases(5) expanded
 * until none is found, each result with a type.  A result that names an
 * address on its own way (alias loops) is not expanded again.  At least one is
 * added, perhaps RCPT_ERROR, unless the same is there already.  check_local:
 * ask local_recipient_maps, too (for RCPT).
 *
 * -1 (TEMP): a table cannot be read, or (code ELOOP) an expansion limit;
 * nothing may then be concluded from out.
 */
ERR_WARN_UNUSED int resolve(const struct routes *r,
			    const struct msg_rcpt_in *in, bool check_local,
			    struct resolved *out, struct err *err);

/* The class of an address's domain (none: myorigin); -1 (TEMP). */
ERR_WARN_UNUSED int resolve_class(const struct routes *r, struct str address,
				  struct err *err);

#endif
