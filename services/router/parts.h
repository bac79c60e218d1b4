/* SPDX-License-Identifier: ISC */
#ifndef ROUTER_PARTS_H
#define ROUTER_PARTS_H

#include "frame/msg_rcpt.h"
#include "routes.h"

/* What a domain is to us; the first that has it wins, in this order. */
enum addr_class {
	CLASS_LOCAL,   /* mydestination: aliases, then users of this machine */
	CLASS_ALIAS,   /* virtual_alias_domains: nothing but aliases */
	CLASS_MAILBOX, /* virtual_mailbox_domains */
	CLASS_RELAY,   /* relay_domains: anybody's mail is passed on */
	CLASS_REMOTE,  /* everything else */
};

/* An address in the parts that tables are asked for. */
struct parts {
	struct str whole;	/* local@domain */
	struct str local, bare; /* with and without extension, as written */
	struct str ext;		/* "+extension" */
	struct str name, user;	/* as local and bare, quoting undone */
	struct str domain;
	enum addr_class class;
};

/* The class of an address's domain (none: myorigin); -1 (TEMP). */
ERR_WARN_UNUSED int parts_class(const struct routes *r, struct str address,
				struct err *err);

/* Take address, which has an '@', apart; what is not a slice of it is in pool.
 * -1 (TEMP). */
ERR_WARN_UNUSED int parts_split(const struct routes *r, struct str address,
				struct pool *pool, struct parts *a,
				struct err *err);

/* Ask tables in Postfix's order: user+ext@domain, user@domain, in our own
 * domains user+ext and user, then @domain.  1: found, *ext is the extension
 * that no key had, *value as table_get() gives it; 0: not; -1 (TEMP). */
ERR_WARN_UNUSED int parts_find(const struct routes *r,
			       const struct table_list *maps,
			       const struct parts *a, struct str *value,
			       struct str *ext, struct err *err);

/* A local part that needs no quotes. */
bool parts_is_atom(struct str s);

#endif
