/* SPDX-License-Identifier: ISC */
#ifndef SMTP_HOSTS_H
#define SMTP_HOSTS_H

#include "frame/dns_client.h"
#include "letter.h"
#include "nexthop.h"
#include "own.h"
#include "settings.h"

/*
 * From a destination to its servers, in the order in which they are to be tried
 * (RFC 5321 5.1): MX records by preference, each group of equal preference in
 * random order, looked up when its turn comes, so that nobody waits for the
 * address of a backup that is not needed.  Where this host is among the
 * servers, it, its equals and all that are worse are left out.
 */
struct server {
	char host[DNS_NAME_MAX + 1]; /* as in the MX record */
	struct addr addr;	     /* with the port */
	bool literal;		     /* host is the address as text */
	bool best;		     /* of the best preference */
};

enum hosts_next {
	HOSTS_SERVER,
	HOSTS_WAIT, /* for the DNS: changed() tells when to ask again */
	HOSTS_END,
};

struct hosts;

/* to: a domain, host or literal.  changed is never called from inside.  own,
 * set and dns outlive it.  NULL: no memory. */
struct hosts *hosts_new(struct dns_client *dns, const struct own *own,
			const struct settings *set, const struct nexthop *to,
			void (*changed)(void *arg), void *arg);
void hosts_free(struct hosts *h);
enum hosts_next hosts_next(struct hosts *h, struct server *s);
/* At HOSTS_END: why there was not a single server; NULL: there was one.  In
 * Postfix's words; lives as long as h. */
const struct fault *hosts_fault(const struct hosts *h);
/* At HOSTS_END: this host is one of the servers, or the domain wants no mail
 * (RFC 7505): a fallback relay would only send it back. */
bool hosts_no_fallback(const struct hosts *h);

#endif
