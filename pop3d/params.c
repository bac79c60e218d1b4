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
	{ .name = "pop3_session_limit",
	  .kind = PARAM_INT,
	  .def = "20",
	  .min = 1,
	  .max = 200,
	  .users = SVC_BIT(SVC_SPAWNER),
	  .text = "How many POP3 sessions one user may have at a time; there "
		  "is no lock, so several are welcome." },
	{ .name = NULL },
};
