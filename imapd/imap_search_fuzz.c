/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "search.h"
#include "sort.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { POOL_MAX = 4194304 };

/* Every key is whole, and what is cheap stands first. */
static size_t
check(const struct search_key *k)
{
	size_t n = 1;
	const struct search_key *c;

	switch (k->kind) {
	case SEARCH_NOT:
		BUG_ON(!k->a || k->cost != k->a->cost);
		return n + check(k->a);
	case SEARCH_OR:
		BUG_ON(!k->a || !k->b || k->a->cost > k->b->cost ||
		       k->cost != k->b->cost);
		return n + check(k->a) + check(k->b);
	case SEARCH_AND:
		BUG_ON(!k->a);
		for (c = k->a; c; c = c->next) {
			BUG_ON(c->next && c->cost > c->next->cost);
			BUG_ON(c->cost > k->cost);
			n += check(c);
		}
		return n;
	case SEARCH_HEADER:
		BUG_ON(!k->name.p || (k->field >= 0) != (k->cost == COST_KEYS));
		break;
	default:
		break;
	}
	BUG_ON(k->a || k->b || k->needle.folded.n > TEXT_NEEDLE_MAX);
	return n;
}

/* Arguments of SEARCH, SORT and THREAD. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct imap_sort_program program;
	struct search sr;
	struct pool pool;
	struct imap_in in;

	pool_init(&pool, POOL_MAX);
	in = (struct imap_in){ .p = (const char *)data,
			       .end = (const char *)data + n,
			       .pool = &pool };
	if (imap_search_return(&in, &sr) && imap_search_parse(&in, &sr)) {
		BUG_ON(sr.ret == 0 || sr.keys > IMAP_SEARCH_KEYS_MAX);
		BUG_ON(check(sr.top) != sr.keys);
	}
	in.p = (const char *)data;
	if (imap_char(&in, ' ') && imap_sort_parse(&in, &program)) {
		BUG_ON(program.n == 0 || program.n > SORT_CRITERIA_MAX);
		sr = (struct search){ 0 };
		if (imap_search_parse_sort(&in, &sr))
			BUG_ON(check(sr.top) != sr.keys);
	}
	pool_fini(&pool);
	return 0;
}
