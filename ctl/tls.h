/* SPDX-License-Identifier: ISC */
#ifndef CTL_TLS_H
#define CTL_TLS_H

#include "ctl.h"

/* posthouse tls init */
int tls_init(struct ctl *c, int argc, char **argv);

#endif
