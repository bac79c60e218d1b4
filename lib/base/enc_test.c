/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/enc.h"
#include "base/rand.h"

/* RFC 3720 B.4, and the check value of the CRC catalogues. */
static void
test_crc32c(void **state)
{
	uint8_t b[48] = { 0 };
	unsigned i;

	(void)state;
	assert_int_equal(enc_crc32c(0, "", 0), 0);
	assert_int_equal(enc_crc32c(0, "123456789", 9), 0xe3069283);
	memset(b, 0, 32);
	assert_int_equal(enc_crc32c(0, b, 32), 0x8a9136aa);
	memset(b, 0xff, 32);
	assert_int_equal(enc_crc32c(0, b, 32), 0x62a8ab43);
	for (i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	assert_int_equal(enc_crc32c(0, b, 32), 0x46dd794e);
	for (i = 0; i < 32; i++)
		b[i] = (uint8_t)(31 - i);
	assert_int_equal(enc_crc32c(0, b, 32), 0x113fdb5c);
	/* In two parts, at every place, it is the same. */
	for (i = 0; i <= 32; i++)
		assert_int_equal(enc_crc32c(enc_crc32c(0, b, i), b + i, 32 - i),
				 0x113fdb5c);
	/* The table says what the machine's instruction says. */
	for (i = 0; i <= sizeof(b); i++)
		assert_int_equal(enc_crc32c_table(i, b + i, sizeof(b) - i),
				 enc_crc32c(i, b + i, sizeof(b) - i));
}

/* Each bit counts, and it is what it is said to be. */
static void
test_crc32c_thirds(void **state)
{
	uint8_t b[77], sums[12];
	uint32_t crc;
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(i * 37);
	crc = enc_crc32c_thirds(5, b, sizeof(b));
	for (i = 0; i < 3; i++)
		enc_put32(sums + 4 * i, enc_crc32c_table(0, b + 24 * i, 24));
	assert_int_equal(enc_crc32c_table(enc_crc32c_table(5, sums, 12), b + 72,
					  sizeof(b) - 72),
			 crc);
	for (i = 0; i < 8 * sizeof(b); i++) {
		b[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(enc_crc32c_thirds(5, b, sizeof(b)), crc);
		b[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(enc_crc32c_thirds(5, b, sizeof(b)), crc);
	assert_int_not_equal(enc_crc32c_thirds(5, b, sizeof(b) - 1), crc);
	assert_int_not_equal(enc_crc32c_thirds(6, b, sizeof(b)), crc);
}

/* The reference vectors of SipHash-2-4: key 00..0f, input 00..n-1. */
static void
test_siphash(void **state)
{
	static const struct {
		size_t n;
		uint64_t want;
	} rows[] = {
		{ 0, 0x726fdb47dd0e0e31 },  { 1, 0x74f839c593dc67fd },
		{ 7, 0xab0200f58b01d137 },  { 8, 0x93f5f5799a932462 },
		{ 9, 0x9e0082df0ba9e4b0 },  { 15, 0xa129ca6149be45e5 },
		{ 63, 0x958a324ceb064572 },
	};
	uint8_t key[16], in[64];
	unsigned i;

	(void)state;
	for (i = 0; i < 64; i++)
		in[i] = (uint8_t)i;
	memcpy(key, in, 16);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(enc_siphash(key, in, rows[i].n) == rows[i].want);
	assert_true(enc_hash(STR("a")) == enc_hash(STR("a")));
	assert_true(enc_hash(STR("a")) != enc_hash(STR("b")));
}

static void
test_hex(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	assert_int_equal(enc_hex(&b, STR("\x01\xff\x80")), 0);
	assert_string_equal(buf_cstr(&b), "01ff80");
	assert_int_equal(enc_hex(&b, STR("ab")), -1);
	buf_reset(&b);
	assert_int_equal(enc_unhex(&b, STR("01fF80")), 0);
	assert_memory_equal(b.p, "\x01\xff\x80", 3);
	assert_int_equal(enc_unhex(&b, STR("0")), -1);
	assert_int_equal(enc_unhex(&b, STR("0g")), -1);
	assert_int_equal(enc_unhex(&b, STR("-1")), -1);
	buf_fini(&b);
}

/* RFC 4648 10, and what a strict decoder refuses. */
static void
test_base64(void **state)
{
	static const struct {
		const char *plain, *coded;
	} rows[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfb", "//77" },
	};
	static const char *const bad[] = {
		"Z",	"Zg",	  "Zg=",  "Zg===", "=",
		"====", "Zh==",	  "Zm9=", "Z===",  "Zg==Zg==",
		"Z g=", "Zm9v\n", "Zm-_", "=Zg=",  "Zg=a",
	};
	uint8_t noise[100];
	struct buf b, back;
	size_t i, n;

	(void)state;
	buf_init(&b, 1000);
	buf_init(&back, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&b);
		buf_reset(&back);
		assert_int_equal(enc_base64(&b, str_of(rows[i].plain)), 0);
		assert_string_equal(buf_cstr(&b), rows[i].coded);
		assert_int_equal(enc_unbase64(&back, buf_str(&b)), 0);
		assert_string_equal(buf_cstr(&back), rows[i].plain);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (enc_unbase64(&back, str_of(bad[i])) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
	for (n = 0; n <= sizeof(noise); n++) {
		rand_bytes(noise, n);
		buf_reset(&b);
		buf_reset(&back);
		assert_int_equal(enc_base64(&b, str_mem(noise, n)), 0);
		assert_int_equal(enc_unbase64(&back, buf_str(&b)), 0);
		assert_true(str_eq(buf_str(&back), str_mem(noise, n)));
	}
	buf_fini(&b);
	buf_fini(&back);
	buf_init(&b, 3);
	assert_int_equal(enc_base64(&b, STR("x")), -1);
	buf_fini(&b);
}

static void
test_integers(void **state)
{
	uint8_t b[9];

	(void)state;
	enc_put64(b + 1, 0x0123456789abcdef);
	assert_memory_equal(b + 1, "\xef\xcd\xab\x89\x67\x45\x23\x01", 8);
	assert_true(enc_get64(b + 1) == 0x0123456789abcdef);
	assert_int_equal(enc_get32(b + 1), 0x89abcdef);
	assert_int_equal(enc_get16(b + 1), 0xcdef);
	enc_put64(b + 1, UINT64_MAX);
	assert_true(enc_get64(b + 1) == UINT64_MAX);
}

static void
test_equal(void **state)
{
	(void)state;
	assert_true(enc_equal_const_time(STR("ab"), STR("ab")));
	assert_false(enc_equal_const_time(STR("ab"), STR("ac")));
	assert_false(enc_equal_const_time(STR("ab"), STR("abc")));
	assert_true(enc_equal_const_time(STR_NULL, STR("")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc32c),
		cmocka_unit_test(test_crc32c_thirds),
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
