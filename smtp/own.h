/* SPDX-License-Identifier: ISC */
#ifndef SMTP_OWN_H
#define SMTP_OWN_H

#include "net/addr.h"

/*
 * The addresses at which this host takes mail itself, so that mail does not go
 * round in a circle: those it listens on (listen_smtp), and those of
 * proxy_interfaces.
 */
enum { OWN_MAX = 256 };
struct own {
	struct addr v[OWN_MAX]; /* port 0: any */
	size_t n;
};

/* The addresses of the network interfaces are looked up for a listener on
 * all of them; the jail forbids that later. */
ERR_WARN_UNUSED int own_load(struct own *o, struct str listen, struct str proxy,
			     struct err *err);
bool own_has(const struct own *o, const struct addr *a);

#endif
