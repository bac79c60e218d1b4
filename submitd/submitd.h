/* SPDX-License-Identifier: ISC */
#ifndef SUBMITD_H
#define SUBMITD_H

#include "frame/daemon.h"

extern const struct daemon_ops submitd_ops;

#endif
