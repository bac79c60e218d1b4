/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_H
#define SMTPD_H

#include "frame/daemon.h"

extern const struct daemon_ops smtpd_ops;

#endif
