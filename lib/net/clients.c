/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "net/clients.h"

static struct str
key_of(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6
		       ? str_mem(&a->in6.sin6_addr, 8)
		       : str_mem(&a->in.sin_addr, sizeof(a->in.sin_addr));
}

struct client *
clients_enter(struct clients *cs, const struct addr *peer)
{
	struct str key = key_of(peer);
	struct client *c = map_get(&cs->map, key);

	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return NULL;
		memcpy(c->bytes, key.p, key.n);
		c->key = str_mem(c->bytes, key.n);
		if (map_put(&cs->map, c->key, c) < 0) {
			free(c);
			return NULL;
		}
	}
	c->n++;
	return c;
}

void
clients_leave(struct clients *cs, struct client *c)
{
	if (--c->n)
		return;
	map_del(&cs->map, c->key);
	free(c);
}

void
clients_fini(struct clients *cs)
{
	struct client *c;
	size_t i = 0;

	while ((c = map_next(&cs->map, &i)))
		free(c);
	map_fini(&cs->map);
}
