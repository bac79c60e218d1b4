/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

const struct param tlsd_params[] = {
	{ .name = "tlsd_workers",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 1,
	  .max = 64,
	  .users = SVC_BIT(SVC_MASTER),
	  .text = "How many processes speak TLS: so many for other hosts "
		  "(tlsd_mx), and as many for people's programs "
		  "(tlsd_user)." },
	{ .name = NULL },
};
