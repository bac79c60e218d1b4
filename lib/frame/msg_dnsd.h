/* SPDX-License-Identifier: ISC */
#ifndef FRAME_MSG_DNSD_H
#define FRAME_MSG_DNSD_H

#include "net/msg.h"

/* To dnsd: one question of the DNS.  Types 136-139. */
enum { MSG_DNS_QUERY = 136, MSG_DNS_ANSWER };

enum {
	DNS_NAME_MAX = 253,	/* presentation form, no dot at the end */
	DNS_RECORDS_MAX = 256,	/* more are cut off */
	DNS_RDATA_MAX = 16384,	/* of one record; a larger one is left out */
	DNS_ANSWER_MAX = 49152, /* of all records */
};

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52,
};

/* request; class IN. */
struct msg_dns_query {
	struct str name; /* ASCII (U-labels are the asker's to convert), with
			    or without the dot at the end */
	uint16_t type;
};

/* Only NXDOMAIN and NODATA say that there is no such thing: a resolver that is
 * dead, slow, refuses, lies (DNSSEC) or answers with rubbish is TEMP. */
enum dns_status {
	DNS_OK,
	DNS_NXDOMAIN, /* no such name */
	DNS_NODATA,   /* the name exists, without records of this type */
	DNS_TEMP,     /* nobody knows now; text says why */
	DNS_BAD, /* not a name at all: label of 64 bytes, empty label … */
};

struct msg_dns_record {
	struct str rdata; /* MSG_BYTES, as in RFC 1035, names uncompressed */
};

/* reply. */
struct msg_dns_answer {
	uint8_t status; /* enum dns_status */
	uint8_t secure; /* proved by DNSSEC; also of NXDOMAIN and NODATA */
	uint32_t ttl;	/* seconds it may be kept */
	struct str canonical;	 /* where CNAMEs led, "" if there was none */
	struct str text;	 /* of TEMP and BAD: why */
	struct msg_list records; /* msg_dns_record */
};

extern const struct msg_def msg_dns_query_def, msg_dns_record_def,
	msg_dns_answer_def;

#endif
