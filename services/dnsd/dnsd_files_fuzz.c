/* SPDX-License-Identifier: ISC */
/* The text as resolv.conf, as hosts, as dns_servers and as trust anchors. */
#include "hosts.h"
#include "name.h"
#include "resolver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check_servers(const struct resolv *r)
{
	unsigned i;

	BUG_ON(r->n > RESOLV_SERVERS_MAX);
	for (i = 0; i < r->n; i++)
		BUG_ON(addr_port(&r->v[i]) == 0);
}

static void
check_hosts(struct str text)
{
	char name[DNS_NAME_MAX + 1];
	struct host *host;
	struct hosts h;
	size_t i = 0;

	(void)!hosts_parse(&h, text);
	while ((host = map_next(&h.by_name, &i))) {
		const struct host_addr *a;
		unsigned n = 0;

		BUG_ON(name_normal(host->name, name, NULL) < 0);
		BUG_ON(!str_eq(host->name, str_of(name)));
		for (a = host->first; a; a = a->next)
			n++;
		BUG_ON(n != host->n || n == 0 || n > HOSTS_ADDRS_MAX);
	}
	hosts_fini(&h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str text = str_mem(data, n);
	char zone[DNS_NAME_MAX + 1], again[DNS_NAME_MAX + 1];
	struct resolv r;
	struct err err;

	resolv_parse(text, &r);
	check_servers(&r);
	if (resolv_parse_list(text, &r, &err) == 0)
		check_servers(&r);
	check_hosts(text);
	if (resolver_anchor_zone(text, zone, sizeof(zone)))
		BUG_ON(name_normal(str_of(zone), again, &err) < 0 ||
		       strcmp(zone, again) != 0);
	return 0;
}
