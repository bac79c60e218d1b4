/* SPDX-License-Identifier: ISC */
#ifndef SASL_LIBRARY_H
#define SASL_LIBRARY_H

#include <sasl/sasl.h>

#include "base/err.h"

/*
 * libsasl2 as it is used in an empty root: of its plug-ins PLAIN, LOGIN and
 * SCRAM alone, nothing looked for in the file system, random numbers from our
 * own source, and memory that is wiped when it is freed.
 */
enum sasl_side { SASL_SERVER, SASL_CLIENT };

/* Load it for this side: before the jail.  Later calls return at once.  -1
 * (PERM): it is not there, or not as it should be. */
ERR_WARN_UNUSED int sasl_library_load(enum sasl_side side, struct err *err);

/* libsasl2's type of a callback, whatever it takes. */
typedef int sasl_any_cb(void);
#define SASL_PROC(f) ((sasl_any_cb *)(void (*)(void))(f))

#endif
