/* SPDX-License-Identifier: ISC */
#ifndef DIALER_H
#define DIALER_H

#include "frame/daemon.h"

extern const struct daemon_ops dialer_ops;

#endif
