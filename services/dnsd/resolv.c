/* SPDX-License-Identifier: ISC */
#include "resolv.h"

static int
server_parse(struct str s, struct addr *a)
{
	if (addr_parse(s, a, NULL) == 0) {
		if (a->sa.sa_family == AF_INET6)
			a->in6.sin6_port = htons(RESOLV_PORT);
		else
			a->in.sin_port = htons(RESOLV_PORT);
		return 0;
	}
	return addr_parse_port(s, a, NULL) == 0 && addr_port(a) ? 0 : -1;
}

static void
parse_line(struct str line, struct resolv *r)
{
	struct str word;

	if (r->n < RESOLV_SERVERS_MAX && str_token(&line, " \t\r", &word) &&
	    str_eq(word, STR("nameserver")) &&
	    str_token(&line, " \t\r", &word) &&
	    server_parse(word, &r->v[r->n]) == 0)
		r->n++;
}

void
resolv_parse(struct str text, struct resolv *r)
{
	struct str line;

	*r = (struct resolv){ .n = 0 };
	while (str_cut(&text, '\n', &line))
		parse_line(line, r);
	parse_line(text, r);
}

int
resolv_parse_list(struct str list, struct resolv *r, struct err *err)
{
	struct str word;

	*r = (struct resolv){ .n = 0 };
	while (str_token(&list, ", \t\r\n", &word)) {
		if (r->n == RESOLV_SERVERS_MAX)
			return err_set(err, ERR_PERM, 0,
				       "dns_servers: more than %d",
				       RESOLV_SERVERS_MAX);
		if (server_parse(word, &r->v[r->n]) < 0)
			return err_set(err, ERR_PERM, 0,
				       "dns_servers: \"%.*s\" is neither "
				       "ADDRESS nor ADDRESS:PORT",
				       STR_FMT(str_head(word, 100)));
		r->n++;
	}
	return 0;
}

bool
resolv_same(const struct resolv *a, const struct resolv *b)
{
	unsigned i;

	for (i = 0; a->n == b->n && i < a->n; i++)
		if (addr_len(&a->v[i]) != addr_len(&b->v[i]) ||
		    memcmp(&a->v[i], &b->v[i], addr_len(&a->v[i])) != 0)
			return false;
	return a->n == b->n;
}
