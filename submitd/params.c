/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum { MASTER = SVC_BIT(SVC_MASTER) };

const struct param submitd_params[] = {
	{ .name = "listen_submission",
	  .kind = PARAM_LISTEN,
	  .def = "",
	  .users = MASTER,
	  .text = "The addresses and ports on which users' programs submit "
		  "mail, with STARTTLS." },
	{ .name = "listen_submissions",
	  .kind = PARAM_LISTEN,
	  .def = "",
	  .users = MASTER,
	  .text = "The addresses and ports on which users' programs submit "
		  "mail, under TLS from the first byte." },
	{ .name = "submitd_workers",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 1,
	  .max = 64,
	  .users = MASTER,
	  .text = "How many processes take submitted mail." },
	{ .name = NULL },
};
