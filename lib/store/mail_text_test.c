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
body_has(const char *needle, enum text_encoding e, const char *charset,
	 const char *body, size_t step)
{
	struct str in = str_of(body);
	struct text_find f;
	struct text_body b;
	bool found = false;

	assert_int_equal(text_find_init(&f, str_of(needle)), 0);
	text_body_init(&b, &f, e, str_of(charset));
	for (; in.n; in = str_from(in, step))
		found = text_body_feed(&b, str_head(in, step));
	text_body_fini(&b);
	text_find_fini(&f);
	return found;
}

static void
test_bodies(void **state)
{
	static const struct {
		const char *needle;
		enum text_encoding e;
		const char *charset, *body;
		bool want;
	} rows[] = {
		{ "needle", TEXT_PLAIN, "us-ascii", "hay NEEDLE hay", true },
		{ "needle", TEXT_PLAIN, "us-ascii", "hay need le", false },
		{ "GR\xc3\x9c"
		  "N",
		  TEXT_PLAIN, "iso-8859-1", "gr\xfcn", true },
		{ "gr\xc3\xbcn", TEXT_QP, "utf-8", "GR=C3=\r\n=9CN", true },
		{ "gr\xc3\xbcn", TEXT_QP, "latin1", "a gr=FCn b", true },
		{ "a=b=zc", TEXT_QP, "utf-8", "a=3Db=zc", true },
		{ "hello w", TEXT_BASE64, "utf-8",
		  "SGVs\r\nbG8gV29y\r\nbGQ=", true },
		{ "x", TEXT_BASE64, "utf-8", "", false },
		{ "caf\xc3\xa9", TEXT_PLAIN, "no-such-charset", "caf\xc3\xa9",
		  true },
		{ "\xf0\x9d\x94\xb8", TEXT_PLAIN, "utf-8", "x\xf0\x9d\x94\xb8y",
		  true },
		{ "\xd0\x9f\xd0\xa0", TEXT_PLAIN, "koi8-r", "\xf0\xd2", true },
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

/* Longer than the window, found over its edges. */
static void
test_windows(void **state)
{
	struct text_find f;
	struct buf text;
	size_t at;

	(void)state;
	buf_init(&text, 100000);
	assert_int_equal(text_find_init(&f, STR("abcab")), 0);
	for (at = TEXT_WINDOW - 10; at < TEXT_WINDOW + 10; at++) {
		buf_reset(&text);
		while (text.n < at)
			buf_add_c(&text, "x");
		buf_add_c(&text, "abcABx");
		text_find_reset(&f);
		assert_true(text_find_utf8(&f, buf_str(&text)));
		text.n -= 2;
		text_find_reset(&f);
		assert_false(text_find_utf8(&f, buf_str(&text)));
	}
	text_find_fini(&f);
	assert_int_equal(text_find_init(&f, STR("\xff")), -1);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
