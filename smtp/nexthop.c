/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <idn2.h>

#include "nexthop.h"

bool
nexthop_next(struct str *list, struct str *item)
{
	return str_token(list, ", \t", item);
}

static int
bad(struct str s, struct err *err)
{
	return err_set(err, ERR_PERM, EINVAL, "bad destination: \"%.*s\"",
		       STR_FMT(str_head(s, 100)));
}

/* Bytes that are none of a host's name, whatever the DNS allows. */
static bool
is_clean(struct str host, bool *ascii)
{
	size_t i;

	*ascii = true;
	for (i = 0; i < host.n; i++) {
		unsigned char c = (unsigned char)host.p[i];

		*ascii = *ascii && c < 0x80;
		if (c <= ' ' || c == 0x7f || strchr("[]:/@\\\"", c))
			return false;
	}
	return host.n > 0;
}

/* RFC 5891 4: what is not ASCII is converted; ASCII stays as it is, since names
 * in use do not all follow the rules (underscores).  What a conversion leaves
 * can be anything again: nothing at all, or an address. */
static int
host_to_ascii(struct nexthop *n, struct str host)
{
	char utf8[DNS_NAME_MAX + 1];
	uint8_t *out = NULL;
	struct addr a;
	bool ascii, ok;

	if (!is_clean(host, &ascii) || !str_copy(utf8, sizeof(utf8), host))
		return -1;
	if (ascii)
		return str_copy(n->host, sizeof(n->host), host) ? 0 : -1;
	if (idn2_lookup_u8((const uint8_t *)utf8, &out,
			   IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return -1;
	host = str_of((char *)out);
	ok = is_clean(host, &ascii) && ascii &&
	     addr_parse(host, &a, NULL) < 0 &&
	     str_copy(n->host, sizeof(n->host), host);
	idn2_free(out);
	return ok ? 0 : -1;
}

static int
set_host(struct nexthop *n, struct str host, bool bracketed)
{
	char text[ADDR_TEXT_MAX];
	struct str literal = host;
	bool tagged = bracketed && str_istarts(host, STR("IPv6:"));

	if (tagged) /* RFC 5321 4.1.3 */
		literal = str_from(host, strlen("IPv6:"));
	if (addr_parse(literal, &n->addr, NULL) == 0) {
		if (tagged && n->addr.sa.sa_family != AF_INET6)
			return -1;
		n->kind = NEXTHOP_LITERAL;
		addr_unmap(&n->addr);
		addr_set_port(&n->addr, n->port);
		(void)str_copy(n->host, sizeof(n->host),
			       str_of(addr_text(&n->addr, text)));
		return 0;
	}
	return tagged ? -1 : host_to_ascii(n, host);
}

static int
set_port_text(struct nexthop *n, struct str text)
{
	uint64_t port;

	if (str_u64(text, 65535, &port) < 0 || port == 0)
		return -1;
	n->port = (unsigned)port;
	return 0;
}

int
nexthop_parse(struct str s, bool lmtp, unsigned port, struct nexthop *n,
	      struct err *err)
{
	struct str whole = s, host;
	ptrdiff_t end;

	*n = (struct nexthop){ .kind = NEXTHOP_DOMAIN, .port = port };
	if (lmtp && str_starts(s, STR("unix:"))) {
		n->kind = NEXTHOP_UNIX;
		s = str_from(s, strlen("unix:"));
		return s.n && str_copy(n->path, sizeof(n->path), s)
			       ? 0
			       : bad(whole, err);
	}
	if (lmtp)
		n->kind = NEXTHOP_HOST;
	if (str_starts(s, STR("inet:")))
		s = str_from(s, strlen("inet:"));
	if (s.n && s.p[0] == '[') {
		n->kind = NEXTHOP_HOST;
		end = str_find(s, ']');
		if (end < 0)
			return bad(whole, err);
		host = str_head(str_from(s, 1), (size_t)end - 1);
		s = str_from(s, (size_t)end + 1);
		if (s.n &&
		    (s.p[0] != ':' || set_port_text(n, str_from(s, 1)) < 0))
			return bad(whole, err);
		return set_host(n, host, true) < 0 ? bad(whole, err) : 0;
	}
	host = s;
	if (str_cut(&s, ':', &host) && set_port_text(n, s) < 0)
		return bad(whole, err);
	return set_host(n, host, false) < 0 ? bad(whole, err) : 0;
}
