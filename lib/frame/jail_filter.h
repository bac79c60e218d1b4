/* SPDX-License-Identifier: ISC */
#ifndef FRAME_JAIL_FILTER_H
#define FRAME_JAIL_FILTER_H

#include "frame/jail.h"

/*
 * seccomp for the classes of the row.  Calls of the classes are allowed; exec,
 * socket, ptrace, mount and the like, and opens the row forbids, kill the
 * process; every other call gets ENOSYS and one log line a call number.
 */
ERR_WARN_UNUSED int jail_filter(const struct jail *j, struct err *err);

#endif
