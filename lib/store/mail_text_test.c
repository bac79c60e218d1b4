/* SPDX-License-Identifier: ISC */
#include "base/unit.h"
#include "store/text.h"

/* RFC 2047 */
static void
test_headers(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "plain", "plain" },
		{ "=?ISO-8859-1?Q?a?=", "a" },
		{ "=?ISO-8859-1?Q?a?= b", "a b" },
		{ "=?ISO-8859-1?Q?a?=\r\n  =?ISO-8859-1?Q?b?=", "ab" },
		{ "=?ISO-8859-1?Q?a_b?=", "a b" },
		{ "=?utf-8?B?R3LDvMOfZQ==?= x", "Gr\xc3\xbc\xc3\x9f"
						"e x" },
		{ "=?iso-8859-1*de?q?J=F6rg?=", "J\xc3\xb6rg" },
		{ "=?koi8-r?b?8NLJ18XU?=",
		  "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82" },
		{ "=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=",
		  "\xe6\x97\xa5\xe6\x9c\xac" },
		{ "=?nonsense?q?J=F6?=", "J\xc3\xb6" },
		{ "caf\xe9", "caf\xc3\xa9" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "=?utf-8?q?open", "=?utf-8?q?open" },
		{ "=?utf-8?x?y?=", "=?utf-8?x?y?=" },
		{ "a=?b", "a=?b" },
		{ "=?utf-8?q?=zz=4?=", "=zz=4" },
		{ "=?utf-8?q?a=C3?= =?UTF-8?b?vGI=?=", "a\xc3\xbc"
						       "b" },
		{ "=?utf-8?q?a=C3?= =?koi8-r?q?b?=", "a\xc3\x83"
						     "b" },
	};
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&b);
		text_decode_header(&b, str_of(rows[i].in));
		assert_string_equal(buf_cstr(&b), rows[i].want);
	}
	buf_fini(&b);
}

static bool
body_has(const char *text, enum transfer e, const char *charset,
	 const char *body, size_t step)
{
	struct text_needle needle = { 0 }, *needles = &needle;
	struct str in = str_of(body);
	struct text_scan f;
	struct text_body b;
	struct buf folded;

	buf_init(&folded, 1000);
	assert_int_equal(text_fold_needle(&folded, str_of(text)), 0);
	needle.folded = buf_str(&folded);
	assert_int_equal(text_scan_init(&f, &needles, 1), 0);
	text_body_init(&b, &f, e, str_of(charset));
	for (; in.n; in = str_from(in, step))
		if (!text_body_feed(&b, str_head(in, step)))
			break;
	text_body_fini(&b);
	text_scan_fini(&f);
	buf_fini(&folded);
	return needle.found;
}

static void
test_bodies(void **state)
{
	static const struct {
		const char *needle;
		enum transfer e;
		const char *charset, *body;
		bool want;
	} rows[] = {
		{ "needle", TRANSFER_IDENTITY, "us-ascii", "hay NEEDLE hay",
		  true },
		{ "needle", TRANSFER_IDENTITY, "us-ascii", "hay need le",
		  false },
		{ "GR\xc3\x9c"
		  "N",
		  TRANSFER_IDENTITY, "iso-8859-1", "gr\xfcn", true },
		{ "gr\xc3\xbcn", TRANSFER_QP, "utf-8", "GR=C3=\r\n=9CN", true },
		{ "gr\xc3\xbcn", TRANSFER_QP, "latin1", "a gr=FCn b", true },
		{ "a=b=zc", TRANSFER_QP, "utf-8", "a=3Db=zc", true },
		{ "hello w", TRANSFER_BASE64, "utf-8",
		  "SGVs\r\nbG8gV29y\r\nbGQ=", true },
		{ "x", TRANSFER_BASE64, "utf-8", "", false },
		{ "caf\xc3\xa9", TRANSFER_IDENTITY, "no-such-charset",
		  "caf\xc3\xa9", true },
		{ "\xf0\x9d\x94\xb8", TRANSFER_IDENTITY, "utf-8",
		  "x\xf0\x9d\x94\xb8y", true },
		{ "\xd0\x9f\xd0\xa0", TRANSFER_IDENTITY, "koi8-r", "\xf0\xd2",
		  true },
	};
	size_t i, step;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (step = 1; step < 20; step++)
			if (body_has(rows[i].needle, rows[i].e, rows[i].charset,
				     rows[i].body, step) != rows[i].want)
				fail_msg("%s in %s, %zu at a time",
					 rows[i].needle, rows[i].body, step);
}

/* Longer than the window, found over its edges; the first needle is there, the
 * second is not. */
static void
test_windows(void **state)
{
	struct text_needle v[] = { { STR("ABCAB"), false },
				   { STR("ABCABC"), false } };
	struct text_needle *needles[] = { &v[0], &v[1] };
	struct text_scan f;
	struct buf text;
	size_t at, limit;

	(void)state;
	buf_init(&text, 100000);
	assert_int_equal(text_scan_init(&f, needles, 2), 0);
	limit = f.size;
	for (at = limit - 100; at < limit + 20; at++) {
		v[0].found = v[1].found = false;
		buf_reset(&text);
		while (text.n < at)
			buf_add_c(&text, "x");
		buf_add_c(&text, "abcABx");
		text_scan_reset(&f);
		assert_int_equal(f.left, 2);
		text_scan_utf8(&f, buf_str(&text));
		text_scan_end(&f);
		assert_true(v[0].found);
		assert_false(v[1].found);
		/* It stays found in the next text. */
		text_scan_reset(&f);
		assert_int_equal(f.left, 1);
		text_scan_utf8(&f, STR("aBcAbC"));
		text_scan_end(&f);
		assert_true(v[1].found);
	}
	text_scan_fini(&f);
	buf_fini(&text);
}

/* RFC 5051 */
static void
test_fold(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "aZ09~", "AZ09~" },
		{ "gr\u00fcn", "GRU\u0308N" },
		{ "gru\u0308n", "GRU\u0308N" },
		{ "\u00df", "\u00df" },
		{ "\u03c3\u03c2\u03a3", "\u03a3\u03a3\u03a3" },
		{ "\u0130", "I\u0307" },
		{ "\u0131", "I" },
		{ "\ufb01", "FI" },
		{ "\uff21\uff42", "AB" },
		{ "\u01c6", "DZ\u030c" },
		{ "\u043f\u0440", "\u041f\u0420" },
		{ "\u65e5\u672c", "\u65e5\u672c" },
		{ "\U0001d538", "A" },
		{ "caf\xe9", "CAFE\u0301" },
	};
	char once[TEXT_FOLDED_MAX];
	struct buf b, again;
	int32_t c;
	size_t i, n;

	(void)state;
	buf_init(&b, 1000);
	buf_init(&again, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&b);
		text_fold(&b, str_of(rows[i].in));
		assert_string_equal(buf_cstr(&b), rows[i].want);
	}
	for (c = 1; c < 0x110000; c++) {
		if (c == 0xd800)
			c = 0xe000;
		n = text_fold_char(once, c);
		assert_true(n > 0 && n <= TEXT_FOLDED_MAX);
		buf_reset(&again);
		text_fold(&again, str_mem(once, n));
		if (!str_eq(buf_str(&again), str_mem(once, n)))
			fail_msg("U+%04X", (unsigned)c);
	}
	buf_reset(&b);
	assert_int_equal(text_fold_needle(&b, STR("\xff")), -1);
	buf_fini(&again);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_fold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
