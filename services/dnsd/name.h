/* SPDX-License-Identifier: ISC */
#ifndef DNSD_NAME_H
#define DNSD_NAME_H

#include "base/err.h"
#include "frame/msg_dnsd.h"

/* Pure functions over names of the DNS. */

/*
 * A name as it is asked: in lower case, without the dot at the end; "." for
 * the root.  -1 with err (PERM): empty or too long, a label that is, or a byte
 * that is no visible ASCII (or a backslash: nothing is escaped here).  RFC 1035
 * 2.3.4.
 */
ERR_WARN_UNUSED int name_normal(struct str name, char out[DNS_NAME_MAX + 1],
				struct err *err);

#endif
