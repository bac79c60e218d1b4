/* SPDX-License-Identifier: ISC */
#ifndef SMTP_WORKER_H
#define SMTP_WORKER_H

#include "frame/daemon.h"

extern const struct daemon_ops smtp_ops;

#endif
