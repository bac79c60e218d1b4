/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

const struct param dnsd_params[] = {
	{ .name = "dns_mode",
	  .kind = PARAM_ENUM,
	  .def = "auto",
	  .choices = "auto|forward|recurse",
	  .users = SVC_BIT(SVC_DNSD),
	  .text = "How the DNS is asked: forward asks the name servers of "
		  "/etc/resolv.conf, recurse asks the servers of the zones "
		  "themselves, from the root on; auto forwards if "
		  "/etc/resolv.conf names a server, and recurses if it does "
		  "not." },
	{ .name = "resolv_conf_file",
	  .kind = PARAM_PATH,
	  .def = "/etc/resolv.conf",
	  .users = SVC_BIT(SVC_MASTER),
	  .text = "The file that names the name servers to forward questions "
		  "to. A changed file is taken within a second or two." },
	{ .name = "hosts_file",
	  .kind = PARAM_PATH,
	  .def = "/etc/hosts",
	  .users = SVC_BIT(SVC_MASTER),
	  .text = "The file with names of hosts that are not asked of the "
		  "DNS." },
	{ .name = NULL },
};
