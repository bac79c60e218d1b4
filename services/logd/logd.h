/* SPDX-License-Identifier: ISC */
#ifndef LOGD_LOGD_H
#define LOGD_LOGD_H

#include "frame/daemon.h"

extern const struct daemon_ops logd_ops;

#endif
