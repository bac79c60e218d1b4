/* SPDX-License-Identifier: ISC */
#ifndef TABLE_CIDR_H
#define TABLE_CIDR_H

#include "net/addr.h"

/*
 * Rules of cidr_table(5): "[!]NETWORK value", "if [!]NETWORK", "endif", in
 * order, the first that matches wins.  IPv6 may stand in brackets.  Host bits
 * beyond the prefix must be zero.
 */
struct cidr;

/* A line that is no rule is skipped after warn(arg, line, text); warn may be
 * NULL.  NULL only when memory runs out. */
typedef void text_warn_fn(void *arg, unsigned line, const char *text);
struct cidr *cidr_parse(struct str text, text_warn_fn *warn, void *arg);
void cidr_free(struct cidr *c);
/* *value lives as long as c. */
bool cidr_find(const struct cidr *c, const struct addr *a, struct str *value);

#endif
