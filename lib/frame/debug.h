/* SPDX-License-Identifier: ISC */
#ifndef FRAME_DEBUG_H
#define FRAME_DEBUG_H

#include "base/param.h"

/* This process, of that service, says its log_debug() lines if debug_services
 * names it. */
void debug_follow(const struct params *p, const char *service);

#endif
