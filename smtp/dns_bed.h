/* SPDX-License-Identifier: ISC */
#ifndef SMTP_DNS_BED_H
#define SMTP_DNS_BED_H

#include "frame/dns_client.h"

/*
 * A dnsd whose answers stand in a text, for the tests; lines of
 *
 *	NAME A 192.0.2.1
 *	NAME AAAA 2001:db8::1
 *	NAME MX 10 HOST
 *	NAME TYPE temp WORDS	nobody knows now
 *	NAME TYPE bad WORDS	no name at all
 *
 * A name that is in no line does not exist.
 */
struct dns_bed {
	struct dns_client *client;
	struct chan *chan;
	const char *zone;
	unsigned asked;	  /* questions so far */
	unsigned answers; /* how many it gives before it falls silent; 0: any */
	char log[1024];	  /* "example.test/MX mx.example.test/A ..." */
};

/* With assertions of cmocka. */
void dns_bed_init(struct dns_bed *b, struct loop *l, const char *zone);
void dns_bed_fini(struct dns_bed *b);

#endif
