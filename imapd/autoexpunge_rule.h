/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_AUTOEXPUNGE_RULE_H
#define IMAPD_AUTOEXPUNGE_RULE_H

#include "base/param.h"

/* The value of imap_autoexpunge: "Trash=30d, Junk=30d". */
/* One rule, cut off *rest; false: none is left.  .folder.p NULL: not a rule. */
struct autoexpunge_rule {
	struct str text, folder;
	uint64_t seconds;
};
bool autoexpunge_next(struct str *rest, struct autoexpunge_rule *r);

/* For main.cf: -1 and what is wrong. */
ERR_WARN_UNUSED int autoexpunge_check(struct str rules, struct err *err);

#endif
