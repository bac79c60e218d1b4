/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_MATCH_H
#define IMAPD_MATCH_H

#include "base/pool.h"

/* The patterns of LIST (RFC 3501 6.3.8): "*" is anything, "%" anything within
 * a level. */
enum { IMAP_PATTERN_MAX = 400 };
struct imap_pattern {
	struct str text;
	bool has_percent;
	bool inbox; /* its first level may be INBOX in any case */
};

/* reference and mailbox put together; in pool.  False: too long. */
bool imap_pattern_init(struct imap_pattern *p, struct pool *pool,
		       struct str reference, struct str mailbox);
/* In time len(pattern) * len(name) at worst. */
bool imap_match(const struct imap_pattern *p, struct str name);

#endif
