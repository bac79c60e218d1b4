/* SPDX-License-Identifier: ISC */
#include "hosts.h"
#include "name.h"

static struct host *
host_new(struct hosts *h, struct str name)
{
	struct host *host = pool_alloc(&h->pool, sizeof(*host));

	if (!host)
		return NULL;
	host->name = pool_str(&h->pool, name);
	return host->name.p && map_put(&h->by_name, host->name, host) == 0
		       ? host
		       : NULL;
}

static int
add(struct hosts *h, struct str name, const struct addr *addr)
{
	struct host *host = map_get(&h->by_name, name);
	struct host_addr *a;

	if (!host && !(host = host_new(h, name)))
		return -1;
	if (host->n == HOSTS_ADDRS_MAX)
		return 0;
	a = pool_alloc(&h->pool, sizeof(*a));
	if (!a)
		return -1;
	a->addr = *addr;
	if (host->last)
		host->last->next = a;
	else
		host->first = a;
	host->last = a;
	host->n++;
	return 0;
}

static int
parse_line(struct hosts *h, struct str line)
{
	static const char blanks[] = " \t\r";
	char name[DNS_NAME_MAX + 1];
	struct addr addr;
	struct str word, before;

	if (str_cut(&line, '#', &before))
		line = before;
	if (!str_token(&line, blanks, &word) ||
	    addr_parse(word, &addr, NULL) < 0)
		return 0;
	while (str_token(&line, blanks, &word))
		if (name_normal(word, name, NULL) == 0 &&
		    add(h, str_of(name), &addr) < 0)
			return -1;
	return 0;
}

int
hosts_parse(struct hosts *h, struct str text)
{
	struct str line;

	*h = (struct hosts){ 0 };
	pool_init(&h->pool, HOSTS_POOL_MAX);
	while (str_cut(&text, '\n', &line))
		if (parse_line(h, line) < 0)
			return -1;
	return parse_line(h, text);
}

void
hosts_fini(struct hosts *h)
{
	map_fini(&h->by_name);
	pool_fini(&h->pool);
}

const struct host *
hosts_find(const struct hosts *h, struct str name)
{
	return map_get(&h->by_name, name);
}
