/* SPDX-License-Identifier: ISC */
#ifndef TLSD_H
#define TLSD_H

#include "frame/daemon.h"

/* One room, two programs: each group has its own uid and its own keys. */
extern const struct daemon_ops tlsd_mx_ops, tlsd_user_ops;

#endif
