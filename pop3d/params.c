/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

const struct param pop3d_params[] = {
	{ .name = "pop3_timeout",
	  .kind = PARAM_TIME,
	  .def = "10m",
	  .min = 1,
	  .max = 86400,
	  .users = SVC_BIT(SVC_SPAWNER),
	  .text = "How long a POP3 client may be silent after its login "
		  "before it is disconnected, without deleting anything. "
		  "RFC 1939 wants at least ten minutes." },
	{ .name = NULL },
};
