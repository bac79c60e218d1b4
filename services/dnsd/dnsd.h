/* SPDX-License-Identifier: ISC */
#ifndef DNSD_H
#define DNSD_H

#include "frame/daemon.h"

extern const struct daemon_ops dnsd_ops;

#endif
