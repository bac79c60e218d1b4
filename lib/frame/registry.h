/* SPDX-License-Identifier: ISC */
#ifndef FRAME_REGISTRY_H
#define FRAME_REGISTRY_H

#include "base/param.h"

/*
 * All parameters of the house: one array of rows a room, ended by NULL.  The
 * definition is written by CMake (library `registry`) from the targets
 * NAME_params that exist; master and ctl link it.
 */
extern const struct param *const param_sets[];

/* What belongs to no room alone: names of this host, directories, the log. */
extern const struct param common_params[];

#endif
