/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include "nexthop.h"
#include "worker.h"

static int
add_port(struct worker *w, unsigned port, struct err *err)
{
	size_t n = 0;

	while (w->ports[n])
		if (w->ports[n++] == port)
			return 0;
	if (n == WORKER_PORTS_MAX)
		return err_set(err, ERR_PERM, EINVAL,
			       "more than %d ports to connect to",
			       WORKER_PORTS_MAX);
	w->ports[n] = (uint16_t)port;
	return 0;
}

/* Those of destinations that name one. */
static int
add_destinations(struct worker *w, struct str list, bool lmtp, struct err *err)
{
	struct nexthop n;
	struct str item;

	while (nexthop_next(&list, &item))
		if (nexthop_parse(item, lmtp, 0, &n, NULL) == 0 &&
		    n.kind != NEXTHOP_UNIX && n.port &&
		    add_port(w, n.port, err) < 0)
			return -1;
	return 0;
}

int
worker_ports(struct worker *w, const struct params *p, struct err *err)
{
	struct str name, text, item, list, transport;
	uint64_t port;
	size_t i = 0;

	w->ports[0] = 0;
	list = params_str(p, "smtp_connect_ports");
	while (str_token(&list, ", \t", &item)) {
		if (str_u64(item, 65535, &port) < 0 || port == 0)
			return err_set(err, ERR_PERM, EINVAL,
				       "smtp_connect_ports: \"%.*s\" is no "
				       "port",
				       STR_FMT(str_head(item, 60)));
		if (add_port(w, (unsigned)port, err) < 0)
			return -1;
	}
	while (params_next(p, &i, &name, &text)) {
		int rc = 0;

		if (str_ends(name, STR("_tcp_port")))
			rc = str_u64(text, 65535, &port) == 0 && port
				     ? add_port(w, (unsigned)port, err)
				     : 0;
		else if (str_eq(name, STR("relayhost")) ||
			 str_ends(name, STR("_fallback_relay")))
			rc = add_destinations(w, text, false, err);
		else if (str_ends(name, STR("_transport")) &&
			 str_cut(&text, ':', &transport))
			rc = add_destinations(
				w, text, str_eq(transport, STR("lmtp")), err);
		if (rc < 0)
			return -1;
	}
	return 0;
}
