/* SPDX-License-Identifier: ISC */
/* Domains of recipients become nexthops: whatever they are, what comes out is a
 * name, an address or a path that fits, and is read again as the same. */
#include <stdio.h>
#include <stdlib.h>

#include "nexthop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str s = str_mem(data, n);
	struct nexthop a, b;
	char text[300];
	struct err err;
	bool lmtp;
	size_t i;

	if (n < 1)
		return 0;
	lmtp = data[0] & 1;
	s = str_from(s, 1);
	if (nexthop_parse(s, lmtp, 25, &a, &err) < 0) {
		if (err.class != ERR_PERM)
			abort();
		return 0;
	}
	if (a.kind == NEXTHOP_UNIX) {
		if (!lmtp || !a.path[0])
			abort();
		return 0;
	}
	if (!a.host[0] || a.port == 0 || a.port > 65535)
		abort();
	for (i = 0; a.host[i]; i++)
		if ((unsigned char)a.host[i] <= ' ' ||
		    (unsigned char)a.host[i] >= 0x7f)
			abort();
	(void)snprintf(text, sizeof(text), "[%s]:%u", a.host, a.port);
	if (nexthop_parse(str_of(text), lmtp, 25, &b, &err) < 0 ||
	    b.port != a.port || strcmp(a.host, b.host) != 0 ||
	    (a.kind == NEXTHOP_LITERAL) != (b.kind == NEXTHOP_LITERAL))
		abort();
	return 0;
}
