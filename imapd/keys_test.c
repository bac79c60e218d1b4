/* SPDX-License-Identifier: ISC */
#include "base/enc.h"
#include "base/unit.h"
#include "keys.h"

/* RFC 5256 2.1 */
static void
test_base_subject(void **state)
{
	static const struct {
		const char *in, *want;
		bool reply;
	} rows[] = {
		{ "", "", false },
		{ "hello", "hello", false },
		{ "  a \t\r\n b  ", "a b", false },
		{ "Re: hello", "hello", true },
		{ "RE : hello", "hello", true },
		{ "re:hello", "hello", true },
		{ "Fw: hello", "hello", true },
		{ "Fwd: hello", "hello", true },
		{ "Fwdx: hello", "Fwdx: hello", false },
		{ "Red: hello", "Red: hello", false },
		{ "Re[2]: hello", "hello", true },
		{ "Re [2] : hello", "hello", true },
		{ "Re[2: hello", "Re[2: hello", false },
		{ "[list] hello", "hello", false },
		{ "[list] Re: [list] hello", "hello", true },
		{ "[a] [b] fwd: hello", "hello", true },
		{ "[a][b] [c]", "[c]", false },
		{ "[a]", "[a]", false },
		{ "[a] [b", "[b", false },
		{ "hello (fwd)", "hello", true },
		{ "hello (FWD) (fwd) ", "hello", true },
		{ "(fwd)", "", true },
		{ "[fwd: hello]", "hello", true },
		{ "[Fwd: Re: [x] hello (fwd)]", "hello", true },
		{ "[fwd: [fwd: hello]]", "hello", true },
		{ "[fwd: hello", "[fwd: hello", false },
		{ "Re:", "", true },
		{ "Re: Re: re: ", "", true },
		{ "[fwd:]", "", true },
		{ "AW: hello", "AW: hello", false },
		{ "hello re: world", "hello re: world", false },
	};
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&b);
		if (imap_base_subject(&b, str_of(rows[i].in)) !=
			    rows[i].reply ||
		    !str_eq(buf_str(&b), str_of(rows[i].want)))
			fail_msg("\"%s\": \"%s\"", rows[i].in, buf_cstr(&b));
	}
	buf_fini(&b);
}

static void
build(struct buf *blob, struct imap_keys *k, const char *header)
{
	buf_reset(blob);
	imap_keys_build(blob, str_of(header));
	assert_false(buf_overflown(blob));
	assert_true(imap_keys_open(k, buf_str(blob)));
}

static void
assert_field(const struct imap_keys *k, int field, struct str want)
{
	if (!str_eq(k->field[field], want))
		fail_msg("field %d: \"%.*s\"", field, STR_FMT(k->field[field]));
	assert_int_equal(k->field[field].p != NULL, want.p != NULL);
}

static void
test_fields(void **state)
{
	struct imap_keys k;
	struct buf blob;

	(void)state;
	buf_init(&blob, KEYS_MAX);
	build(&blob, &k,
	      "From: \"O\\'Neil, J\" <Jo@Example.org>,\r\n x@y (Some One)\r\n"
	      "To: Team: a@b, c@d;\n"
	      "To: e@f\n"
	      "Subject: Re: [x]\n\t=?utf-8?q?gr=C3=BC?= =?utf-8?q?n?=\n"
	      "Message-Id: <\"a b\"@X>\n"
	      "Date: Mon, 7 Feb 1994 21:52:25 -0800 (PST)\n"
	      "In-Reply-To: <no@pe>\n"
	      "References: <1@x> nonsense <bad> <2@\n x>\n\nSubject: body\n");
	assert_field(&k, KEYS_SUBJECT, STR("RE: [X] GRU\u0308N"));
	assert_field(&k, KEYS_BASE, STR("GRU\u0308N"));
	assert_true(k.is_reply);
	assert_field(&k, KEYS_FROM,
		     STR("\"O\\'NEIL, J\" <JO@EXAMPLE.ORG>, X@Y (SOME ONE)\0"
			 "O'NEIL, J"));
	assert_field(&k, KEYS_TO, STR("TEAM: A@B, C@D;\0E@F"));
	assert_field(&k, KEYS_CC, STR_NULL);
	assert_field(&k, KEYS_SORT_FROM, STR("JO"));
	assert_field(&k, KEYS_DISPLAY_FROM, STR("O'NEIL, J"));
	assert_field(&k, KEYS_SORT_TO, STR("TEAM"));
	assert_field(&k, KEYS_MESSAGE_ID, STR("<\"A B\"@X>"));
	assert_true(k.has_date);
	assert_int_equal(k.moment, 760686745);
	assert_int_equal(k.day, 8803);
	assert_int_equal(k.refs, 2);
	build(&blob, &k, "In-Reply-To: <1@x> <2@x>\nMessage-ID: <\"1\"@x>\n");
	assert_int_equal(k.refs, 1);
	assert_int_equal(imap_keys_ref(&k, 0), k.id);
	assert_true(k.id);
	assert_false(k.has_date);
	build(&blob, &k, "no header");
	assert_int_equal(k.id, 0);
	assert_field(&k, KEYS_SUBJECT, STR_NULL);
	assert_field(&k, KEYS_BASE, STR(""));
	build(&blob, &k, "Subject:\nFrom: <>\nDate: x\nMessage-ID: a@b\n");
	assert_field(&k, KEYS_SUBJECT, STR(""));
	assert_field(&k, KEYS_DISPLAY_FROM, STR(""));
	buf_fini(&blob);
}

/* What is too long is not kept, says so, and hurts nothing else. */
static void
test_limits(void **state)
{
	struct buf blob, header;
	struct imap_keys k, all;
	size_t i;

	(void)state;
	buf_init(&blob, KEYS_MAX);
	buf_init(&header, 1000000);
	buf_add_c(&header, "To: ");
	for (i = 0; i < 10000; i++)
		buf_addf(&header, "a%zu@example.com, ", i);
	buf_add_c(&header, "\nSubject: ");
	for (i = 0; i < 8000; i++)
		buf_add_c(&header, "x");
	buf_add_c(&header, "\nCc: ");
	for (i = 0; i < 4000; i++) /* four bytes become 54 */
		buf_add_c(&header, "\ufdfa");
	buf_add_c(&header, "\nReferences: ");
	for (i = 0; i < 2000; i++)
		buf_addf(&header, "<%zu@x>", i);
	buf_add_c(&header, "\nMessage-ID: <1999@x>\n");
	build(&blob, &k, buf_cstr(&header));
	assert_true(k.too_long[KEYS_TO]);
	assert_true(k.too_long[KEYS_CC]);
	assert_int_equal(k.field[KEYS_SUBJECT].n, 8000);
	assert_int_equal(k.field[KEYS_BASE].n, KEYS_SORT_MAX);
	assert_field(&k, KEYS_SORT_TO, STR("A0"));
	assert_int_equal(k.refs, KEYS_REFS_MAX);
	assert_int_equal(imap_keys_ref(&k, KEYS_REFS_MAX - 1), k.id);
	all = k;
	/* No part of it is a whole one. */
	for (i = 0; i < blob.n; i++)
		assert_false(imap_keys_open(&k, str_head(buf_str(&blob), i)));
	assert_int_equal(all.refs, KEYS_REFS_MAX);
	buf_fini(&header);
	buf_fini(&blob);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base_subject),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
