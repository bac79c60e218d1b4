/* SPDX-License-Identifier: ISC */
#ifndef PAMD_H
#define PAMD_H

#include "frame/daemon.h"
#include "pam_check.h"

extern const struct daemon_ops pamd_ops;

#endif
