/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "mail/imf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
check(struct pool *pool, struct str s)
{
	struct str type, sub = STR_NULL;
	struct imf_param *params;
	struct imf_addr *v;
	int64_t day, moment;
	size_t i, n;
	int depth = 0;

	n = imf_addresses(pool, s, &v);
	BUG_ON(n > IMF_ADDRS_MAX);
	for (i = 0; i < n; i++) {
		depth += v[i].host.p ? 0 : v[i].mailbox.p ? 1 : -1;
		BUG_ON(depth < 0 || depth > 1);
	}
	(void)imf_content(pool, s, &type, &sub, &params);
	(void)imf_content(pool, s, &type, NULL, &params);
	(void)imf_token(pool, s);
	(void)imf_unfold_pool(pool, s);
	(void)imf_date(s, &day, &moment);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = str_mem(data, n);
	struct imf_field f;
	struct pool pool;

	pool_init(&pool, 1000000);
	check(&pool, rest);
	while (imf_next(&rest, &f)) {
		BUG_ON(f.name.n == 0 || f.value.n > f.whole.n);
		check(&pool, f.value);
	}
	pool_fini(&pool);
	/* A small pool: things go missing, nothing breaks. */
	pool_init(&pool, 500);
	check(&pool, str_mem(data, n));
	pool_fini(&pool);
	return 0;
}
