/* SPDX-License-Identifier: ISC */
/* What holds memory: buf, pool, map, heap, list; and what orders it: sort. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/rand.h"
#include "base/sort.h"

static void
test_buf(void **state)
{
	struct buf b;
	char *to;

	(void)state;
	buf_init(&b, 10);
	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(buf_add_c(&b, "abc"), 0);
	assert_int_equal(buf_add_byte(&b, 'd'), 0);
	assert_int_equal(buf_add_u64(&b, 0), 0);
	assert_int_equal(buf_addf(&b, "%d", 12), 0);
	assert_string_equal(buf_cstr(&b), "abcd012");
	/* What does not fit changes nothing but the mark. */
	assert_int_equal(buf_add_c(&b, "wxyz"), -1);
	assert_true(buf_overflown(&b));
	assert_true(str_eq(buf_str(&b), STR("abcd012")));
	assert_int_equal(buf_addf(&b, "%600d", 1), -1);
	assert_int_equal(b.n, 7);
	buf_drop(&b, 2);
	assert_true(str_eq(buf_str(&b), STR("cd012")));
	buf_drop(&b, 5);
	assert_int_equal(b.n, 0);
	buf_reset(&b);
	assert_false(buf_overflown(&b));
	to = buf_reserve(&b, 10);
	assert_non_null(to);
	memset(to, 'x', 10);
	b.n = 10;
	assert_null(buf_reserve(&b, 1));
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_shrink(&b, 5);
	assert_null(b.p);
	assert_int_equal(buf_add(&b, NULL, 0), 0);
	buf_fini(&b);
}

/* Numbers around each power of ten. */
static void
test_buf_numbers(void **state)
{
	uint64_t ten = 1, v;
	char want[24];
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 100);
	for (i = 0; i < 20; i++, ten *= 10)
		for (v = ten - 1; v <= ten + 1; v++) {
			buf_reset(&b);
			assert_int_equal(buf_add_u64(&b, v), 0);
			(void)snprintf(want, sizeof(want), "%llu",
				       (unsigned long long)v);
			assert_string_equal(buf_cstr(&b), want);
		}
	buf_fini(&b);
}

static void
test_buf_growth(void **state)
{
	struct buf b;
	unsigned i;

	(void)state;
	buf_init(&b, 100000);
	for (i = 0; i < 100000; i++)
		assert_int_equal(buf_add_byte(&b, (char)('a' + i % 26)), 0);
	assert_int_equal(buf_add_byte(&b, 'x'), -1);
	assert_int_equal(b.n, 100000);
	assert_true(b.size <= 100000);
	for (i = 0; i < b.n; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	buf_reset(&b);
	assert_int_equal(buf_add_u64(&b, UINT64_MAX), 0);
	assert_int_equal(buf_addf(&b, "%1000d", 7), 0);
	assert_string_equal(buf_cstr(&b) + 1018, " 7");
	buf_fini(&b);
	buf_init(&b, 0);
	assert_int_equal(buf_add_byte(&b, 'x'), -1);
	buf_fini(&b);
}

static void
test_pool(void **state)
{
	struct pool p;
	struct str s;
	char *a, *b;
	size_t i;

	(void)state;
	pool_init(&p, 20000);
	a = pool_alloc(&p, 3);
	b = pool_alloc(&p, 5000);
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal((uintptr_t)a % _Alignof(max_align_t), 0);
	assert_int_equal((uintptr_t)b % _Alignof(max_align_t), 0);
	for (i = 0; i < 5000; i++)
		assert_int_equal(b[i], 0);
	s = pool_str(&p, STR("a\0b"));
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "a\0b", 4);
	s = pool_str(&p, STR_NULL);
	assert_non_null(s.p);
	assert_int_equal(s.n, 0);
	assert_int_equal(s.p[0], 0);
	s = pool_strf(&p, "%s-%d", "x", 7);
	assert_string_equal(s.p, "x-7");
	assert_int_equal(s.n, 3);
	/* The limit holds, in small steps and in large ones. */
	assert_null(pool_alloc(&p, 20000));
	assert_null(pool_alloc(&p, SIZE_MAX));
	assert_null(pool_alloc(&p, SIZE_MAX - 15));
	for (i = 0; pool_alloc(&p, 100); i++)
		;
	assert_in_range(i, 100, 200);
	assert_true(p.used <= 20000);
	pool_fini(&p);
	assert_non_null(pool_alloc(&p, 19000));
	pool_fini(&p);
}

struct entry {
	char key[16];
	bool in;
};

/* The table against the plain truth, with many removals. */
static void
test_map(void **state)
{
	static struct entry e[500];
	struct map m = { 0 };
	size_t i, n = 0, k, seen;
	unsigned step;

	(void)state;
	assert_null(map_get(&m, STR("a")));
	assert_null(map_del(&m, STR("a")));
	for (i = 0; i < 500; i++)
		snprintf(e[i].key, sizeof(e[i].key), "key%zu", i);
	for (step = 0; step < 20000; step++) {
		struct str key;

		k = rand_below(500);
		key = str_of(e[k].key);
		assert_ptr_equal(map_get(&m, key), e[k].in ? &e[k] : NULL);
		if (rand_below(2)) {
			assert_int_equal(map_put(&m, key, &e[k]), 0);
			n += !e[k].in;
			e[k].in = true;
		} else {
			assert_ptr_equal(map_del(&m, key),
					 e[k].in ? &e[k] : NULL);
			n -= e[k].in;
			e[k].in = false;
		}
		assert_int_equal(m.n, n);
	}
	for (i = 0, seen = 0; map_next(&m, &i); seen++)
		;
	assert_int_equal(seen, n);
	map_fini(&m);
	/* Integers as keys; the empty key; replacing a value. */
	k = 7;
	assert_int_equal(map_put(&m, MAP_KEY(k), &e[0]), 0);
	assert_int_equal(map_put(&m, MAP_KEY(k), &e[1]), 0);
	assert_int_equal(map_put(&m, STR(""), &e[2]), 0);
	assert_int_equal(m.n, 2);
	assert_ptr_equal(map_get(&m, MAP_KEY(k)), &e[1]);
	assert_ptr_equal(map_get(&m, STR_NULL), &e[2]);
	map_fini(&m);
}

static void
test_heap(void **state)
{
	static struct heap_item it[300];
	struct heap h = { 0 };
	uint64_t last;
	unsigned step;
	size_t k, n;

	(void)state;
	assert_null(heap_top(&h));
	for (step = 0; step < 10000; step++) {
		k = rand_below(300);
		if (rand_below(3)) {
			assert_int_equal(heap_set(&h, &it[k], rand_below(100)),
					 0);
			assert_true(heap_has(&it[k]));
		} else {
			heap_remove(&h, &it[k]);
			assert_false(heap_has(&it[k]));
		}
		if (step % 100)
			continue;
		for (k = 1; k < h.n; k++)
			assert_true(h.v[(k - 1) / 2]->key <= h.v[k]->key);
	}
	for (last = 0, n = h.n; n; n--) {
		struct heap_item *top = heap_top(&h);

		assert_true(top->key >= last);
		last = top->key;
		heap_remove(&h, top);
	}
	assert_null(heap_top(&h));
	heap_remove(&h, &it[0]); /* in no heap: nothing */
	heap_fini(&h);
}

static void
test_list(void **state)
{
	struct item {
		int n;
		struct list link;
	} a = { .n = 1 }, b = { .n = 2 }, c = { .n = 3 };
	struct list head = LIST_INIT(head), *it;
	int sum = 0;

	(void)state;
	assert_true(list_empty(&head));
	list_append(&head, &b.link);
	list_append(&head, &c.link);
	list_prepend(&head, &a.link);
	list_for_each (it, &head)
		sum = sum * 10 + LIST_OF(it, struct item, link)->n;
	assert_int_equal(sum, 123);
	list_remove(&b.link);
	list_remove(&b.link);
	assert_ptr_equal(a.link.next, &c.link);
	list_remove(&a.link);
	list_remove(&c.link);
	assert_true(list_empty(&head));
}

/* Ascending keys, each item once, and equal ones as they were. */
static void
sort_some(size_t n, uint64_t mask)
{
	struct sort_item *v = calloc(n + 1, sizeof(*v));
	struct sort_item *spare = calloc(n + 1, sizeof(*v)), *to;
	uint64_t *keys = calloc(n + 1, sizeof(*keys));
	size_t i;

	assert_non_null(v);
	assert_non_null(spare);
	assert_non_null(keys);
	for (i = 0; i < n; i++) {
		keys[i] = rand_u64() & mask;
		v[i] = (struct sort_item){ keys[i], i };
	}
	to = sort_items(v, spare, n);
	assert_true(to == v || to == spare);
	for (i = 0; i < n; i++) {
		assert_true(to[i].value < n);
		assert_int_equal(to[i].key, keys[to[i].value]);
		if (i)
			assert_true(to[i - 1].key < to[i].key ||
				    (to[i - 1].key == to[i].key &&
				     to[i - 1].value < to[i].value));
	}
	free(v);
	free(spare);
	free(keys);
}

static void
test_sort(void **state)
{
	static const uint64_t masks[] = {
		0, 1, 0xff, 0xff00, 0xffff, 0x80000000000000ff, UINT64_MAX,
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		sort_some(0, masks[i]);
		sort_some(1, masks[i]);
		sort_some(2, masks[i]);
		sort_some(1000, masks[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf),  cmocka_unit_test(test_buf_growth),
		cmocka_unit_test(test_pool), cmocka_unit_test(test_map),
		cmocka_unit_test(test_heap), cmocka_unit_test(test_list),
		cmocka_unit_test(test_sort), cmocka_unit_test(test_buf_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
