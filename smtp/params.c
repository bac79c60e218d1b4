/* SPDX-License-Identifier: ISC */
#include "base/param.h"
#include "frame/service.h"

enum { SMTP = SVC_BIT(SVC_SMTP), QMGR = SVC_BIT(SVC_QMGR) };

const struct param smtp_params[] = {
	{ .name = "smtp_workers",
	  .kind = PARAM_INT,
	  .def = "2",
	  .min = 1,
	  .max = 64,
	  .users = SVC_BIT(SVC_MASTER) | QMGR,
	  .text = "How many processes send mail to other hosts. Each serves "
		  "many connections." },
	{ .name = "smtp_connect_ports",
	  .kind = PARAM_LIST,
	  .def = "25, 465, 587",
	  .users = SMTP,
	  .text = "The TCP ports of other hosts that mail may be sent to; the "
		  "ports in $relayhost, $smtp_fallback_relay and the "
		  "*_transport parameters are added by themselves. A port in "
		  "a table of transport_maps that is not among them cannot be "
		  "connected to: the process is confined to these." },
	{ .name = NULL },
};
