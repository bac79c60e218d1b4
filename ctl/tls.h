/* SPDX-License-Identifier: ISC */
#ifndef CTL_TLS_H
#define CTL_TLS_H

#include "ctl.h"

/* posthouse tls init (tls_init.c), show and check (tls.c).  argv[0] is the
 * word itself. */
int tls_init(struct ctl *c, int argc, char **argv);
int tls_show(struct ctl *c);
int tls_check(struct ctl *c);

#endif
