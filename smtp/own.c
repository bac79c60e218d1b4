/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <ifaddrs.h>

#include "own.h"

static void
add(struct own *o, struct addr a, unsigned port)
{
	addr_unmap(&a);
	addr_set_port(&a, port);
	if (o->n < OWN_MAX)
		o->v[o->n++] = a;
}

static bool
is_any(const struct addr *a)
{
	return a->sa.sa_family == AF_INET
		       ? a->in.sin_addr.s_addr == INADDR_ANY
		       : IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

/* "::" takes IPv4 as well or not, as the system likes: who asks about an IPv4
 * address of this host asks about this host. */
static int
add_interfaces(struct own *o, unsigned port, struct err *err)
{
	struct ifaddrs *all, *i;
	struct addr a;

	if (getifaddrs(&all) < 0)
		return err_sys(err, errno, "network interfaces");
	for (i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr)
			continue;
		a = (struct addr){ 0 };
		if (i->ifa_addr->sa_family == AF_INET)
			memcpy(&a.in, i->ifa_addr, sizeof(a.in));
		else if (i->ifa_addr->sa_family == AF_INET6)
			memcpy(&a.in6, i->ifa_addr, sizeof(a.in6));
		else
			continue;
		add(o, a, port);
	}
	freeifaddrs(all);
	return 0;
}

int
own_load(struct own *o, struct str listen, struct str proxy, struct err *err)
{
	struct str item;
	struct addr a;

	*o = (struct own){ 0 };
	while (str_token(&listen, ", \t", &item)) {
		if (addr_parse_port(item, &a, err) < 0)
			return err_prefix(err, "listen_smtp");
		add(o, a, addr_port(&a));
		if (is_any(&a) && add_interfaces(o, addr_port(&a), err) < 0)
			return -1;
	}
	while (str_token(&proxy, ", \t", &item)) {
		if (addr_parse(item, &a, err) < 0)
			return err_prefix(err, "proxy_interfaces");
		add(o, a, 0);
	}
	return 0;
}

bool
own_has(const struct own *o, const struct addr *a)
{
	struct addr x = *a;
	size_t i;

	addr_unmap(&x);
	for (i = 0; i < o->n; i++)
		if (addr_same(&o->v[i], &x) &&
		    (!addr_port(&o->v[i]) ||
		     addr_port(&o->v[i]) == addr_port(&x)))
			return true;
	return false;
}
