/* SPDX-License-Identifier: ISC */
#ifndef KEYD_H
#define KEYD_H

#include "frame/daemon.h"

extern const struct daemon_ops keyd_ops;

#endif
