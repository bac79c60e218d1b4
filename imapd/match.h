/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_MATCH_H
#define IMAPD_MATCH_H

#include "base/str.h"

/* The patterns of LIST (RFC 3501 6.3.8): "*" is anything, "%" anything within
 * a level. */
enum { IMAP_PATTERN_MAX = 400 };
struct imap_pattern {
	struct str text;
	bool has_percent;
};

/* text is borrowed.  False: too long. */
bool imap_pattern_init(struct imap_pattern *p, struct str text);
/* In time len(pattern) * len(name) at worst. */
bool imap_match(const struct imap_pattern *p, struct str name);

#endif
