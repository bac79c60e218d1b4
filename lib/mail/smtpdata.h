/* SPDX-License-Identifier: ISC */
#ifndef MAIL_SMTPDATA_H
#define MAIL_SMTPDATA_H

#include "base/str.h"

/*
 * The text after DATA, as it comes from the network in pieces of any size:
 * finds the end, takes the dots away (RFC 5321 4.5.2) and turns CR LF into LF.
 * Only CR LF "." CR LF ends the data (RFC 5321 4.1.1.4).  A CR or LF by
 * itself, and a NUL, never end anything: they are remembered as faults, and
 * the caller refuses the message when its true end has come, so that no
 * sequence of bytes can make what follows look like commands.
 */
enum smtpdata_fault {
	SMTPDATA_BARE_CR = 1,
	SMTPDATA_BARE_LF = 2,
	SMTPDATA_NUL = 4,
	SMTPDATA_LONG_LINE = 8,
};

struct smtpdata {
	uint8_t state; /* enum of smtpdata.c */
	bool done;     /* the end was seen; nothing more is taken */
	unsigned faults;
	size_t line;	 /* octets of the line so far, without dot and CR LF */
	size_t line_max; /* 0: any */
	uint64_t size;	 /* RFC 1870 octets: unstuffed, with CR LF */
};

void smtpdata_init(struct smtpdata *d, size_t line_max);

/*
 * Take octets from in; write text to out, which has room for in.n bytes (out
 * may be in.p itself).  Returns the octets taken: all, or up to and with the
 * end of data.  *outn is the length of what was written; after a fault its
 * content is of no use.
 */
size_t smtpdata_scan(struct smtpdata *d, struct str in, char *out,
		     size_t *outn);

#endif
