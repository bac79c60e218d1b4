/* SPDX-License-Identifier: ISC */
#ifndef ROUTER_ROUTES_H
#define ROUTER_ROUTES_H

#include "base/param.h"
#include "match.h"

/* The tables about servers, which each transport may have of its own. */
struct site_maps {
	struct str transport;
	struct table_list tls_policy, passwords;
	bool sender_dependent;
};

/* What main.cf says about addresses: one edition, opened whole and replaced
 * whole by a reload. */
struct routes {
	struct pool pool;
	struct table_set *set;
	struct match_list mydestination, alias_domains, mailbox_domains,
		relay_domains;
	struct table_list virtual_alias, virtual_mailbox, alias, local_rcpt,
		relay_rcpt;
	struct table_list sender_login;
	struct table_list transport, sender_transport, sender_relayhost,
		mailbox_transport_maps;
	struct str local_transport, virtual_transport, relay_transport,
		default_transport, mailbox_transport, fallback_transport;
	struct str relayhost, empty_transport_key, empty_relayhost_key;
	bool transport_parents;	 /* "example.com" in transport_maps is also all
				    below it */
	struct site_maps *sites; /* smtp, lmtp, relay, $transports */
	size_t nsites;
	struct str myorigin, delimiters;
	size_t expansion_limit, recursion_limit;
	/* Uids that spawner may become; others cannot be delivered to. */
	uint64_t uid_min, uid_max;
};

/* dirs: as table_set_dirs(), or NULL.  -1: a table's spec is wrong (PERM) or
 * there is no memory. */
ERR_WARN_UNUSED int routes_open(struct routes *r, const struct params *p,
				const struct table_dir *dirs, struct err *err);
void routes_close(struct routes *r);

/*
 * The directories in which tables and /FILEs stand: what the jail leaves
 * open.  Each once, NUL-terminated, in pool; returns their number, at most
 * max.  A /FILE named inside a /FILE is not seen: it must stand beside it.
 */
size_t router_table_dirs(const struct params *p, struct pool *pool,
			 struct str *dirs, size_t max);

#endif
