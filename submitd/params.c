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
	{ .name = "submit_socket",
	  .kind = PARAM_PATH,
	  .def = "$socket_directory/submit.sock",
	  .users = MASTER,
	  .text = "The socket in the file system at which the users of this "
		  "machine submit mail: sendmail(1) does so, and the queue is "
		  "shown to mailq(1) through it. Everybody may connect; the "
		  "kernel says who it is. Empty: there is none." },
	{ .name = "submitd_workers",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 1,
	  .max = 64,
	  .users = MASTER,
	  .text = "How many processes take submitted mail." },
	{ .name = NULL },
};
