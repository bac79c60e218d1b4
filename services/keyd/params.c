/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

const struct param keyd_params[] = {
	{ .name = NULL },
};
