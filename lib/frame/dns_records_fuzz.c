/* SPDX-License-Identifier: ISC */
#include "frame/dns_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n), rest = in;
	char name[DNS_NAME_MAX + 1];
	struct dns_mx mx;
	struct addr a;

	while (dns_get_name(&rest, name) == 0) {
		size_t used = in.n - rest.n;

		/* What was read fits, and has as many bytes as it took. */
		BUG_ON(!memchr(name, '\0', sizeof(name)) || !name[0]);
		BUG_ON(used != (name[0] == '.' ? 1 : strlen(name) + 2));
		BUG_ON(strstr(name, ".."));
		in = rest;
	}
	in = str_mem(data, n);
	if (dns_get_mx(in, &mx) == 0)
		BUG_ON(n != 3 + (mx.host[0] == '.' ? 0 : strlen(mx.host) + 1));
	if (dns_get_addr(DNS_A, in, &a) == 0)
		BUG_ON(n != 4 || addr_port(&a) != 0);
	if (dns_get_addr(DNS_AAAA, in, &a) == 0)
		BUG_ON(n != 16 || addr_port(&a) != 0);
	return 0;
}
