/* SPDX-License-Identifier: ISC */
#ifndef FRAME_JAIL_LANDLOCK_H
#define FRAME_JAIL_LANDLOCK_H

#include "frame/jail.h"

/* Restrict this process and its children to the jail's directories, and, as
 * the kernel's ABI allows, deny TCP bind and connect, device ioctls, abstract
 * sockets and signals to processes outside. */
ERR_WARN_UNUSED int jail_landlock(const struct jail *j, struct err *err);

#endif
