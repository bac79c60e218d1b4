/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

const struct param dialer_params[] = {
	{ .name = "dialer_sockets",
	  .kind = PARAM_LIST,
	  .def = "",
	  .users =
		  SVC_BIT(SVC_MASTER) | SVC_BIT(SVC_DIALER) | SVC_BIT(SVC_SMTP),
	  .text = "The local sockets (absolute paths, or relative to "
		  "$queue_directory) that mail may be handed to by LMTP: each "
		  "nexthop \"unix:/PATH\" must be among them. The dialer runs "
		  "only while this is not empty." },
	{ .name = NULL },
};
