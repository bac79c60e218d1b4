/* SPDX-License-Identifier: ISC */
#ifndef FRAME_DNS_CLIENT_H
#define FRAME_DNS_CLIENT_H

#include "frame/asker.h"
#include "frame/msg_dnsd.h"
#include "net/addr.h"

/* The asking side of dnsd, as every service uses it that needs the DNS. */
struct dns_client;

struct dns_client *dns_client_new(struct daemon *d);
/* Over a channel a test made; takes fd. */
struct dns_client *dns_client_new_fd(struct loop *l, int fd,
				     const struct chan_row *row);
/* Questions that are still open are answered TEMP first. */
void dns_client_free(struct dns_client *c);

/* The answer, valid during the call; TEMP if dnsd is away or slow. */
typedef void dns_done_cb(void *arg, const struct msg_dns_answer *a);

/* The tag (never 0) for dns_cancel(), or 0: cannot be asked now, done is not
 * called.  done is never called from inside. */
uint32_t dns_ask(struct dns_client *c, struct str name, enum dns_type type,
		 dns_done_cb *done, void *arg);
void dns_cancel(struct dns_client *c, uint32_t tag);

/* --- reading records: pure; -1: not well formed, pass over it ------------- */

/* A name in wire form at the start of *in, which is moved behind it, into
 * presentation form (lower case kept as sent; "." for the root). Names with
 * bytes that a host name cannot have are faulty. */
ERR_WARN_UNUSED int dns_get_name(struct str *in, char out[DNS_NAME_MAX + 1]);
struct dns_mx {
	uint16_t preference;
	char host[DNS_NAME_MAX + 1]; /* "." of a null MX (RFC 7505) */
};
ERR_WARN_UNUSED int dns_get_mx(struct str rdata, struct dns_mx *mx);
/* A or AAAA; the port is 0. */
ERR_WARN_UNUSED int dns_get_addr(enum dns_type type, struct str rdata,
				 struct addr *a);

#endif
