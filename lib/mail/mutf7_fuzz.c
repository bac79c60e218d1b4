/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "mail/mutf7.h"
#include "mail/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What decodes has one spelling; what encodes comes back. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str in = str_mem(data, n);
	struct buf a, b;

	buf_init(&a, n * 4 + 16);
	buf_init(&b, n * 8 + 16);
	if (mutf7_decode(&a, in) == 0) {
		BUG_ON(!utf8_is_valid(buf_str(&a)));
		BUG_ON(mutf7_encode(&b, buf_str(&a)) < 0);
		BUG_ON(!str_eq(buf_str(&b), in));
	}
	buf_reset(&a);
	buf_reset(&b);
	if (mutf7_encode(&b, in) == 0) {
		BUG_ON(mutf7_decode(&a, buf_str(&b)) < 0);
		BUG_ON(!str_eq(buf_str(&a), in));
	}
	buf_fini(&a);
	buf_fini(&b);
	return 0;
}
