/* SPDX-License-Identifier: ISC */
#include "frame/dns_client.h"

static bool
is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* RFC 1035 3.1; without compression, so no pointers. */
int
dns_get_name(struct str *in, char out[DNS_NAME_MAX + 1])
{
	struct str s = *in;
	size_t n = 0, i, len;

	out[0] = '\0';
	for (;;) {
		if (s.n == 0)
			return -1;
		len = (unsigned char)s.p[0];
		s = str_from(s, 1);
		if (len == 0)
			break;
		if (len > 63 || len > s.n || n + len + (n > 0) > DNS_NAME_MAX)
			return -1;
		if (n > 0)
			out[n++] = '.';
		for (i = 0; i < len; i++) {
			if (!is_host_byte(s.p[i]))
				return -1;
			out[n++] = s.p[i];
		}
		s = str_from(s, len);
	}
	if (n == 0)
		out[n++] = '.';
	out[n] = '\0';
	*in = s;
	return 0;
}

int
dns_get_mx(struct str rdata, struct dns_mx *mx)
{
	const unsigned char *p = (const unsigned char *)rdata.p;

	if (rdata.n < 2)
		return -1;
	mx->preference = (uint16_t)(p[0] << 8 | p[1]);
	rdata = str_from(rdata, 2);
	return dns_get_name(&rdata, mx->host) < 0 || rdata.n ? -1 : 0;
}

int
dns_get_addr(enum dns_type type, struct str rdata, struct addr *a)
{
	*a = (struct addr){ .in6 = { 0 } };
	if (type == DNS_A && rdata.n == sizeof(a->in.sin_addr)) {
		a->in.sin_family = AF_INET;
		memcpy(&a->in.sin_addr, rdata.p, rdata.n);
		return 0;
	}
	if (type == DNS_AAAA && rdata.n == sizeof(a->in6.sin6_addr)) {
		a->in6.sin6_family = AF_INET6;
		memcpy(&a->in6.sin6_addr, rdata.p, rdata.n);
		return 0;
	}
	return -1;
}
