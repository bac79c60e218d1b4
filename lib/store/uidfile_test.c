/* SPDX-License-Identifier: ISC */
#include "base/unit.h"
#include "store/uidfile.h"

static void
on_entry(void *arg, uint32_t uid, struct str base)
{
	buf_addf(arg, "%u=%.*s ", uid, STR_FMT(base));
}

static void
add(struct buf *out, uint32_t uid, const char *base)
{
	struct buf body;

	buf_init(&body, 1000);
	uidfile_put_entry(&body, uid, str_of(base));
	uidfile_put_entry(&body, uid + 100, STR_NULL);
	uidfile_put_record(out, buf_str(&body));
	buf_fini(&body);
}

static enum uidfile_result
parse(struct buf *seen, struct str in, size_t *used)
{
	buf_reset(seen);
	return uidfile_parse(in, used, on_entry, seen);
}

/* Torn at each byte: what was whole before it counts, nothing else.  Any bit
 * of a record that has another behind it: damage. */
static void
test_torn_and_damaged(void **state)
{
	struct buf file, seen;
	size_t used, first, second, i;

	(void)state;
	buf_init(&file, 1000);
	buf_init(&seen, 1000);
	add(&file, 1, "1000.a");
	first = file.n;
	add(&file, 2, "1001.b");
	second = file.n;
	assert_int_equal(parse(&seen, buf_str(&file), &used), UIDFILE_OK);
	assert_int_equal(used, second);
	assert_string_equal(buf_cstr(&seen), "1=1000.a 101= 2=1001.b 102= ");
	for (i = first + 1; i < second; i++) {
		assert_int_equal(
			parse(&seen, str_head(buf_str(&file), i), &used),
			UIDFILE_TORN);
		assert_int_equal(used, first);
		assert_string_equal(buf_cstr(&seen), "1=1000.a 101= ");
	}
	for (i = 0; i < second * 8; i++) {
		file.p[i / 8] ^= (char)(1 << i % 8);
		assert_int_equal(parse(&seen, buf_str(&file), &used),
				 i / 8 < first ? UIDFILE_DAMAGED
					       : UIDFILE_TORN);
		file.p[i / 8] ^= (char)(1 << i % 8);
	}
	buf_fini(&file);
	buf_fini(&seen);
}

static void
test_header(void **state)
{
	uint32_t validity, next;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 100);
	uidfile_put_header(&b, 4711, 99);
	assert_true(uidfile_get_header(buf_str(&b), &validity, &next));
	assert_int_equal(validity, 4711);
	assert_int_equal(next, 99);
	for (i = 0; i < b.n * 8; i++) {
		b.p[i / 8] ^= (char)(1 << i % 8);
		assert_false(uidfile_get_header(buf_str(&b), &validity, &next));
		b.p[i / 8] ^= (char)(1 << i % 8);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_torn_and_damaged),
		cmocka_unit_test(test_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
