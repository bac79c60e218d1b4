/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_SEALED_H
#define AUTHD_SEALED_H

#include "base/err.h"
#include "base/str.h"

/* Map a table of master's, a sealed memfd of USERS_FILE_MAX at most: *text (n =
 * 0: an empty file, nothing is mapped) is the caller's to munmap().  fd stays
 * open.  what names the table in err. */
ERR_WARN_UNUSED int sealed_map(int fd, const char *what, struct str *text,
			       struct err *err);

#endif
