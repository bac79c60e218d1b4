/* SPDX-License-Identifier: ISC */
#ifndef DNSD_ANSWER_H
#define DNSD_ANSWER_H

#include "base/buf.h"
#include "frame/msg_dnsd.h"

enum { ANSWER_SOA = 6 }; /* the type */

/* What one question came to. */
struct answer {
	enum dns_status status;
	bool secure;
	bool unproved; /* NODATA, and no SOA that says so */
	uint32_t ttl;
	char canonical[DNS_NAME_MAX + 1];
	char text[256];	    /* of TEMP and BAD; visible ASCII */
	struct buf records; /* encoded msg_dns_record */
	uint32_t n;
};

void answer_init(struct answer *a);
void answer_fini(struct answer *a);

/* TEMP or BAD, and why; bytes of others are made harmless. */
void answer_fail(struct answer *a, enum dns_status status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* One more record; -1: no room (the limits of msg_dnsd.h). */
ERR_WARN_UNUSED int answer_add(struct answer *a, struct str rdata);

/*
 * Read a message of the DNS (RFC 1035 4), the answer to a question of this
 * type: follow CNAMEs from the name it asks for, gather the records of the
 * type, their names uncompressed.  Pure.  What is not well formed, or says by
 * its rcode that the question was not answered, becomes TEMP.  secure is left
 * alone.
 */
void answer_read(struct answer *a, struct str packet, uint16_t type);

/* "SERVFAIL", … */
const char *answer_rcode(unsigned rcode);

#endif
